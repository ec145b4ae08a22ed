"""Log lines in, frames of keyed events out; frames in, closed windows (``WindowBatch``) out."""
