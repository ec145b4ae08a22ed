"""Requests of a simulated workload in, the log lines that each OpenStack service writes for them out."""
