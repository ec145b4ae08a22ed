"""Tests of ``alerts/routing``."""
