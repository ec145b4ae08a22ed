"""Tests of ``index/text``."""
