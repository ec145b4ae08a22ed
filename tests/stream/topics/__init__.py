"""Tests of ``stream/topics``."""
