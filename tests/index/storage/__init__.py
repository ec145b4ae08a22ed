"""Tests of ``index/storage``."""
