"""Tests of ``stream/drift``."""
