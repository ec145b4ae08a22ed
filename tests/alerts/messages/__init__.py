"""Tests of ``alerts/messages``."""
