"""Promotions as workers follow them: which version is due when, fetched and warm before it is."""
