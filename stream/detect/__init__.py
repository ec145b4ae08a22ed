"""Frames of ``logs.events`` in, scored windows on ``anomalies`` out."""
