"""Alerts for one sink in, a queue of what to send next, at which rate and with which text, out."""
