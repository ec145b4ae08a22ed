"""Tests of ``alerts/delivery``."""
