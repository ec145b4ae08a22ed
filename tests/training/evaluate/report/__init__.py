"""Tests of ``training/evaluate/report``."""
