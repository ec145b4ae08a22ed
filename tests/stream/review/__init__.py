"""Tests of ``stream/review``."""
