"""Tests of ``training/simulate``."""
