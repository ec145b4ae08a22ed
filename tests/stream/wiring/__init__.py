"""Tests of ``stream/wiring``."""
