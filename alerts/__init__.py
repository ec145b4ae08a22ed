"""Incidents, alert records and metrics."""
