"""Learning by itself."""
