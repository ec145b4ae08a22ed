"""A wrong clock is told of once, measured as long as it lasts, and told to be right again."""

import logging

import pytest
from prometheus_client import CollectorRegistry

from alerts.monitoring.metrics import Metrics
from stream.ingest.clock_watch import ClockWatch


def test_a_wrong_clock_is_told_of_until_it_is_right(caplog: pytest.LogCaptureFixture) -> None:
    """By host, and by service where it is one log alone."""
    caplog.set_level(logging.INFO)
    registry = CollectorRegistry()
    watch = ClockWatch(Metrics.on(registry))

    def offset(host: str, service: str = "") -> float | None:
        return registry.get_sample_value("tocsin_clock_offset_seconds", {"host": host, "service": service})

    watch.update({("compute-1", ""): 31.0})
    watch.update({("compute-1", ""): 32.0, ("db-1", "mysqld"): -3600.0})
    assert (offset("compute-1"), offset("db-1", "mysqld")) == (32.0, -3600.0)
    watch.update({("db-1", "mysqld"): -3600.0})
    assert (offset("compute-1"), offset("db-1", "mysqld")) == (None, -3600.0)
    watch.update({})
    said = [record.getMessage().partition(";")[0] for record in caplog.records]
    assert said == [
        "the clock of compute-1 is 31 s ahead",
        "the clock of mysqld on db-1 is 3600 s behind",
        "the clock of compute-1 is right again",
        "the clock of mysqld on db-1 is right again",
    ]
