"""Decoded log lines in, a frame of lines to explain with their records, ids and tracebacks out."""
