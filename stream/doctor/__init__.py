"""Settings in, a list of checks with what is wrong and how to fix it out."""
