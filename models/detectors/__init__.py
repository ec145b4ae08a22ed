"""Detectors: each gives every window one raw score; high always means anomalous."""
