"""Texts in, words to search by and texts that are safe to print out."""
