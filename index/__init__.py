"""What happened before and why: search over incidents and runbooks, evidence, redaction, diagnosis."""
