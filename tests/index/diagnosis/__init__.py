"""Tests of ``index/diagnosis``."""
