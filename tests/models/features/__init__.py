"""Tests of ``models/features``."""
