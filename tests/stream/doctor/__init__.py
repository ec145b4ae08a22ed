"""Tests of ``stream/doctor``."""
