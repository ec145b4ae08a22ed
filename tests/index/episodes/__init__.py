"""Tests of ``index.episodes``."""
