"""Raw records or log files in, batches of log lines with time, level, service and host (``LogBatch``) out."""
