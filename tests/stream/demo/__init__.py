"""Tests of ``stream/demo``."""
