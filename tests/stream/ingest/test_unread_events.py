"""What was not read of each service, as metrics with a bounded number of labels."""

import numpy as np
import orjson
import pytest
from prometheus_client import CollectorRegistry

from alerts.monitoring.metrics import Metrics
from models.decode.decoder import DecodeConfig, Decoder
from models.records import RawBatch
from stream.ingest import unread_events
from stream.ingest.unread_events import OTHERS, UnreadEvents

GOOD = "2026-11-30 09:14:14.123 7 INFO nova.api [-] done"


def counted(registry: CollectorRegistry, lines: list[tuple[str, str]]) -> None:
    """Decode (service, line) and count what was read."""
    values = [orjson.dumps({"log": line, "source": service}) for service, line in lines]
    size = len(values)
    raw = RawBatch(values, np.zeros(size, np.int32), np.arange(size), np.full(size, -1))
    UnreadEvents(Metrics.on(registry)).count(Decoder(DecodeConfig()).decode(raw))


def test_events_and_what_they_lack_are_counted_by_service() -> None:
    """A service that lacks nothing says so with a 0; continuations are no events."""
    registry = CollectorRegistry()
    kernel = "Nov 30 09:14:14 c1 kernel: [1.2] usb"
    counted(registry, [("nova-api", GOOD), ("nova-api", "  a continuation"), ("/k.log", kernel), ("own", "hm")])
    value = registry.get_sample_value
    events = {name: value("tocsin_service_events_total", {"service": name}) for name in ("nova-api", "k", "own")}
    assert events == {"nova-api": 1, "k": 1, "own": 1}
    lacking = {
        (service, what): value("tocsin_unread_events_total", {"service": service, "lacking": what})
        for service in ("nova-api", "k", "own")
        for what in ("time", "level", "format")
    }
    assert {place for place, count in lacking.items() if count == 1} == {
        ("k", "level"),
        ("own", "time"),
        ("own", "level"),
        ("own", "format"),
    }
    assert set(lacking.values()) == {0, 1}


def test_labels_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever names records bring: the later ones are counted together, and long ones are cut."""
    monkeypatch.setattr(unread_events, "MAX_SERVICES", 2)
    registry = CollectorRegistry()
    counted(registry, [("a" * 1000, GOOD), ("b", GOOD), ("c", GOOD), ("d", "hm")])
    samples = [
        sample
        for family in registry.collect()
        for sample in family.samples
        if sample.name == "tocsin_service_events_total"
    ]
    assert len({sample.labels["service"] for sample in samples}) == 3
    assert registry.get_sample_value("tocsin_service_events_total", {"service": OTHERS}) == 2
    assert max(len(sample.labels["service"]) for sample in samples) == unread_events.MAX_NAME
