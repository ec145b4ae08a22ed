"""Scored windows in, figures for labelled runs, sessions and simulated faults out."""
