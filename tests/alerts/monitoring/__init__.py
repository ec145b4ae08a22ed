"""Tests of ``alerts/monitoring``."""
