"""Anomalies become incidents, incidents become alerts, alerts reach people: grouping, routing, delivery, sinks."""
