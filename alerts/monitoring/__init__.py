"""Counts and times of the roles in, Prometheus metrics out."""
