"""Clients of Apache Kafka and of the embedded broker: consuming, producing, committing, Faust's transport."""
