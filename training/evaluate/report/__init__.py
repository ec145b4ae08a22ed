"""Figures of an evaluation in, tables, plots and an HTML page out."""
