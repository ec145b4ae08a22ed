"""Counts and times of the roles in, Prometheus metrics and Grafana dashboards out."""
