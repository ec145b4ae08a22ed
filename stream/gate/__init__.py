"""The gate: may another bundle judge?  What both tell of the same logs, and what people said of it."""
