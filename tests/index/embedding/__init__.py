"""Tests of ``index/embedding``."""
