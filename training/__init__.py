"""Offline: from logs to bundles, their evaluation, and the log simulator."""
