"""One file a topic: its records read and written."""
