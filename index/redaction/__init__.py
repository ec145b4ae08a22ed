"""Secrets out of texts that leave, and back into the answers."""
