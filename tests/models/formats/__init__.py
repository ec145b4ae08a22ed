"""Tests of models.formats."""
