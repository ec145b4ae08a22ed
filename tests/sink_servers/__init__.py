"""Local servers that enforce the rules which the services document, and can be made to fail."""
