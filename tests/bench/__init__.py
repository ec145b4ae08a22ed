"""Benchmarks: each compares, in one run on one machine, with what a user would do instead."""
