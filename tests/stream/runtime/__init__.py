"""Tests of ``stream/runtime``."""
