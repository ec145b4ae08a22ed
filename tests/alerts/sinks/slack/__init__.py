"""Tests of ``alerts/sinks/slack``."""
