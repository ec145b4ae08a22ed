"""Tests: a mirror of the source, contract suites and the parts they run against."""
