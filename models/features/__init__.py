"""Windows in, arrays that detectors read out: tokens, sequences, counts and times."""
