"""Anomalies in, incidents and alerts with their diagnoses out."""
