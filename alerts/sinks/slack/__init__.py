"""Alerts in, Slack messages, threads and buttons out; clicks in, verified votes out."""
