"""Anomalous windows and people's feedback in, incidents that open, grow, merge and resolve out."""
