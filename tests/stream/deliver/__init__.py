"""Tests of ``stream/deliver``."""
