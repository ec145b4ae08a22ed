"""Tests of ``stream/detect``."""
