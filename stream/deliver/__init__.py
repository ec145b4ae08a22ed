"""Alerts in, messages to one sink and receipts on ``deliveries`` out."""
