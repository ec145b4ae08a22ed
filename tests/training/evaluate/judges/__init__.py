"""Tests of ``training/evaluate/judges``."""
