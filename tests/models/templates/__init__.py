"""Tests of ``models/templates``."""
