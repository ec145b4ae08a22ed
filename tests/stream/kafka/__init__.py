"""Tests of the Kafka clients, the embedded broker and what reads topics."""
