"""Tests of ``stream/ingest``."""
