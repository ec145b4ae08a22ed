"""Tests of ``models/calibration``."""
