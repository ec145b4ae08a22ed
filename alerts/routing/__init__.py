"""Alerts and rules in, decisions which sinks hear of them, when and how severe they are, out."""
