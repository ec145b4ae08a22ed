"""Lines and fired windows in, the few lines that tell most of what went wrong out."""
