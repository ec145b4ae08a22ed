"""Texts of log lines in, ids of their templates out; masks replace what varies."""
