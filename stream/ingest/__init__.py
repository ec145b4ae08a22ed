"""Raw records of ``logs.raw`` in, frames of keyed events on ``logs.events`` out."""
