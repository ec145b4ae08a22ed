"""Tests of models.detectors."""
