"""Evidence and a rule-based diagnosis in, a diagnosis that an LLM has deepened and code has checked out."""
