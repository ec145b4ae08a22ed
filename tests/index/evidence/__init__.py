"""Tests of ``index/evidence``."""
