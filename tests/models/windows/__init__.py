"""Tests of ``models/windows``."""
