"""Commands about incidents: diagnosis, feedback, receipts, and the rules for notifications."""
