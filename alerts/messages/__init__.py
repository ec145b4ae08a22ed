"""The records on the topics ``alerts``, ``anomalies``, ``feedback`` and ``deliveries``, read and written."""
