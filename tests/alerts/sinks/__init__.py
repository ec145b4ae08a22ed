"""The sinks, each by itself."""
