"""Tests of ``index/search``."""
