"""Tests of what must not leave."""
