"""Tests of ``models/decode``."""
