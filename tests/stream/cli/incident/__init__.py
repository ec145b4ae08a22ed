"""Tests of ``stream/cli/incident``."""
