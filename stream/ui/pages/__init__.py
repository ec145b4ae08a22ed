"""What each page shows, as plain values: pure functions from the memory to what the templates print."""
