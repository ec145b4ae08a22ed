"""The chart and what stands beside it."""
