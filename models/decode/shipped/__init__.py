"""What shippers send: names of fields, several records in one message, and JSON that is not quite JSON."""
