"""Hostile records through the ingest role: its metrics, ``logs.dead`` and ``logs.events`` must tell the same story."""

import base64
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import orjson
import polars as pl
import pytest
from prometheus_client import CollectorRegistry

from alerts.monitoring.metrics import Metrics
from models.pipeline import PipelineConfig
from models.records import ALL_SOURCES, KeyKind, RawBatch
from models.templates.matcher import TemplateTable
from models.windows import frame_codec as frames
from models.windows.keys import named_rows
from stream.ingest.role import Ingest, IngestConfig, group_of
from stream.kafka.clients import Broker
from stream.kafka.embedded import EmbeddedBroker
from stream.kafka.reader import committed, follow, read_range
from stream.kafka.topic_specs import Topics
from stream.topics.dead_letters import MAX_PAYLOAD_BYTES, DeadLimit
from tests.faults.fuzz import Books, stream_of
from tests.faults.hostile import records

COUNT = 4000
TOPICS = Topics("fuzz.")
SENTINEL = b'{"last": "of its partition"}'
DEADLINE_S = 120.0


@pytest.fixture(scope="module")
def sent() -> RawBatch:
    """Give hostile records with their places on the topic; the last one of each partition is a dead letter."""
    values = [*records(COUNT, 2), b"y" * 3_000_000, *[SENTINEL] * 3]
    raw = stream_of(values, 2)
    partitions = raw.partitions.copy()
    partitions[-3:] = range(3)
    offsets = np.zeros(len(values), np.int64)
    for partition in range(3):
        rows = np.flatnonzero(partitions == partition)
        offsets[rows] = np.arange(rows.size)
    return RawBatch(values, partitions, offsets, raw.arrived // 1000 * 1000)


@pytest.fixture(scope="module")
def expected(sent: RawBatch) -> Books:
    """Give the books of the same records without a broker."""
    books = Books()
    books.enter(sent, PipelineConfig().processor(TemplateTable([])).process(sent))
    return books


@pytest.fixture(scope="module")
def ingested(sent: RawBatch, expected: Books) -> "Ingested":
    """Run the role over the records until the last ones are on ``logs.dead``, and stop it."""
    with EmbeddedBroker(TOPICS.specs(3)) as embedded:
        broker = Broker(embedded.bootstrap)
        producer = broker.producer()
        for value, partition, arrived in zip(sent.values, sent.partitions.tolist(), sent.arrived.tolist(), strict=True):
            # No value at all is what a compacted topic would send; it counts as an empty line.
            producer.produce(TOPICS.logs_raw, value or None, partition=partition, timestamp=arrived // 1000)
            producer.poll(0)
        assert producer.flush(DEADLINE_S) == 0
        registry = CollectorRegistry()
        config = IngestConfig(batch_lines=300, dead=DeadLimit(share=1.0))
        processor = PipelineConfig().processor(TemplateTable([]))
        role = Ingest(broker, TOPICS, processor, "none", Metrics.on(registry), config)
        stop = threading.Event()
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(role.run, stop)
            try:
                _await_sentinels(broker, running.done)
            finally:
                stop.set()
            running.result(DEADLINE_S)
        return Ingested(broker, registry)


class Ingested:
    """What a run of the role left behind, read while the broker lives."""

    def __init__(self, broker: Broker, registry: CollectorRegistry) -> None:
        """Read the topics and the metrics."""
        self.dead: list[dict[str, Any]] = [orjson.loads(r.value or b"") for r in read_range(broker, TOPICS.logs_dead)]
        self.frames = [frames.decode(r.value or b"")[0] for r in read_range(broker, TOPICS.logs_events)]
        self.committed = {p: o for p, (o, _) in committed(broker, group_of(TOPICS), TOPICS.logs_raw).items()}
        self.metrics: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        for family in registry.collect():
            for sample in family.samples:
                if sample.name.endswith("_total"):
                    self.metrics[sample.name] += int(sample.value)
                    if "reason" in sample.labels:
                        self.reasons[sample.labels["reason"]] += int(sample.value)


def _await_sentinels(broker: Broker, ended: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    seen = 0
    following = follow(broker, TOPICS.logs_dead)
    while seen < 3:
        record = next(following)
        seen += record is not None and orjson.loads(record.value or b"").get("payload") == SENTINEL.decode()
        assert not ended(), "the role ended by itself"
        assert time.monotonic() < deadline
    following.close()


def test_the_metrics_add_up(ingested: Ingested, expected: Books) -> None:
    """Lines = events + continuations + dead letters + drops, each as large as without a broker."""
    metrics = ingested.metrics
    assert metrics["tocsin_lines_total"] == COUNT + 4 == expected.received
    assert metrics["tocsin_events_total"] == expected.events
    assert metrics["tocsin_continuations_total"] == expected.continuations
    assert metrics["tocsin_dead_letters_total"] == len(expected.dead)
    assert metrics["tocsin_dropped_lines_total"] == expected.drops.total()
    assert metrics["tocsin_unaccounted_lines_total"] == 0
    assert metrics["tocsin_lines_total"] == sum(
        metrics[f"tocsin_{name}_total"] for name in ("events", "continuations", "dead_letters", "dropped_lines")
    )
    assert ingested.reasons == Counter(reason for _, _, reason, _ in expected.dead) + expected.drops


def test_each_dead_line_is_told_once_with_its_reason(ingested: Ingested, expected: Books) -> None:
    """One message for each dead line: where it stood, why it was refused, and in what words."""
    letters = [
        (letter["origin"]["partition"], letter["origin"]["offset"], letter["reason"], letter["detail"])
        for letter in ingested.dead
    ]
    assert sorted(letters) == sorted(expected.dead)


def test_dead_letters_hold_what_was_sent(ingested: Ingested, sent: RawBatch) -> None:
    """The payload is the message's own bytes, cut where they are many; the size is the whole one."""
    values = dict(zip(zip(sent.partitions.tolist(), sent.offsets.tolist(), strict=True), sent.values, strict=True))
    for letter in ingested.dead:
        value = values[letter["origin"]["partition"], letter["origin"]["offset"]]
        payload = letter["payload"].encode() if "payload" in letter else base64.b64decode(letter["payload_base64"])
        assert value.startswith(payload)
        assert min(len(value), MAX_PAYLOAD_BYTES) - len(payload) < 4
        assert letter["size"] == len(value)
    assert {len(value) > MAX_PAYLOAD_BYTES for value in values.values()} == {True, False}


def test_frames_hold_every_kept_line_once(ingested: Ingested, expected: Books, sent: RawBatch) -> None:
    """Each line stands once under its tenant's key of everything, and all that was read is committed."""
    rows = pl.concat([named_rows(frame) for frame in ingested.frames])
    everything = rows.filter(key=ALL_SOURCES, kind=KeyKind.SOURCE).select("partition", "offset").rows()
    assert sorted(everything) == sorted(expected.lines[0].select("partition", "offset").rows())
    assert ingested.committed == {p: int((sent.partitions == p).sum()) for p in range(3)}
