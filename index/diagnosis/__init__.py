"""Evidence in, a diagnosis made by rules out: cause, claims that stand on lines, next steps."""
