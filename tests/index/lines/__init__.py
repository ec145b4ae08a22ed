"""Tests of ``index/lines``."""
