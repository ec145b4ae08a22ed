"""Tests of ``index/explain``."""
