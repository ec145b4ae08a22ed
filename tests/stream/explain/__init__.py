"""Tests of ``stream/explain``."""
