"""Tests of ``stream/gate``."""
