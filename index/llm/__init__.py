"""Prompts in, answers of Claude out, within a budget and with a transcript."""
