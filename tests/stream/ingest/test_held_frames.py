"""Events that wait for more while there is a backlog."""

import threading
import time
from datetime import UTC, datetime
from itertools import count, islice
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from alerts.monitoring.metrics import Metrics
from models.errors import FatalError
from models.pipeline import Processed
from models.records import EventFrame, RawBatch, RawSpan
from models.windows import frame_codec
from stream.ingest.held_frames import WORTH_ROWS, HeldFrames
from stream.ingest.role import Ingest, IngestConfig
from stream.kafka.clients import Broker
from stream.kafka.embedded import EmbeddedBroker
from stream.kafka.reader import committed, follow, read_range
from stream.kafka.topic_specs import Topics
from stream.settings import Settings
from stream.wiring.core import DEMO_BUNDLE, load_bundle, make_components
from training.simulate import Scenario, stream_records

PARTITIONS = 4
BATCH = 50
LINES = 20 * BATCH
DEADLINE_S = 120.0
START = datetime(2026, 3, 3, 8, 0, tzinfo=UTC)


def frame(first: int, last: int) -> EventFrame:
    """One that covers these offsets of raw partition 0, and tells the clock of another."""
    return EventFrame.empty({0: RawSpan(first, last, 7), 1: RawSpan(0, -1, 7)})


def test_what_goes_on_where_the_last_batch_stopped_is_held_with_it() -> None:
    """A topic that was made anew begins with other offsets, which must stay apart."""
    held = HeldFrames(PARTITIONS)
    assert held.fits(frame(5, 9))
    held.add(frame(5, 9))
    assert (len(held), held.is_worth_sending) == (1, False)
    assert held.fits(frame(10, 12))
    assert held.fits(EventFrame.empty({0: RawSpan(0, -1, 8)}))
    assert not held.fits(frame(0, 3))
    held.add(frame(10, 12))
    assert held.take().raw == {0: RawSpan(5, 12, 7), 1: RawSpan(0, -1, 7)}
    assert len(held) == 0


@pytest.fixture
def backlog(embedded: EmbeddedBroker) -> Broker:
    """A broker with lines of one partition that nobody has read yet."""
    broker, topics = Broker(embedded.bootstrap), Topics("tocsin.")
    broker.ensure_topics(topics.specs(PARTITIONS))
    producer = broker.producer()
    for record in islice(stream_records(Scenario(1, START, 600.0)), LINES):
        producer.produce(topics.logs_raw, record.value, partition=0)
    assert producer.flush(DEADLINE_S) == 0
    return broker


def written(broker: Broker, config: IngestConfig) -> dict[int, list[EventFrame]]:
    """Run ingest until it has covered the backlog, and a little longer; its frames by partition of ``logs.events``."""
    settings = Settings(kafka_bootstrap_servers=broker.bootstrap, bundle=DEMO_BUNDLE, metrics_port=0)
    parts, topics, stop = make_components(settings, load_bundle(settings)), Topics("tocsin."), threading.Event()
    metrics, version = Metrics.on(CollectorRegistry()), parts.bundle.templates_version
    role = Ingest(broker, topics, parts.processor(), version, metrics, config)
    worker = threading.Thread(target=role.run, args=(stop,))
    worker.start()
    frames: dict[int, list[EventFrame]] = {partition: [] for partition in range(PARTITIONS)}
    following, deadline = follow(broker, topics.logs_events), time.monotonic() + DEADLINE_S
    try:
        for record in following:
            if record is not None:
                frames[record.partition].append(frame_codec.decode(record.value or b"")[0])
            elif time.monotonic() > deadline or (all(frames.values()) and covered(frames) == LINES):
                break
    finally:
        following.close()
        stop.set()
        worker.join()
    return frames


def covered(frames: dict[int, list[EventFrame]]) -> int:
    """Number of lines up to the last one that some frame covers."""
    return max(part.raw[0].last for of_partition in frames.values() for part in of_partition) + 1


def test_a_backlog_is_sent_in_few_frames(backlog: Broker) -> None:
    """Batches share a frame of each partition, which covers the lines of all; then their end is committed."""
    frames = written(backlog, IngestConfig(batch_lines=BATCH, batch_s=2.0, tick_s=DEADLINE_S))
    assert LINES * 4 < WORTH_ROWS * PARTITIONS, "rows enough for a frame must not come together"
    for of_partition in frames.values():
        (only,) = of_partition
        assert (only.raw[0].first, only.raw[0].last) == (0, LINES - 1)
        assert only.rows["offset"].is_sorted()
    assert committed(backlog, "tocsin.ingest", "tocsin.logs.raw")[0][0] == LINES


def test_a_partition_hears_the_clock_once_a_tick(backlog: Broker) -> None:
    """With its events or, where there are none, alone; so all get equally many frames."""
    frames = written(backlog, IngestConfig(batch_lines=BATCH, batch_s=2.0, tick_s=0.0))
    assert covered(frames) == LINES
    counts = [len(of_partition) for of_partition in frames.values()]
    assert len(set(counts)) == 1
    assert counts[0] >= LINES // BATCH


def test_nothing_is_committed_before_its_events_are_sent(backlog: Broker) -> None:
    """A batch that fails is read again, however many of those before it were held meanwhile."""
    settings = Settings(kafka_bootstrap_servers=backlog.bootstrap, bundle=DEMO_BUNDLE, metrics_port=0)
    parts, topics = make_components(settings, load_bundle(settings)), Topics("tocsin.")
    processor, batches = parts.processor(), count(1)
    process = processor.process

    def fail_at_the_fourth(raw: RawBatch, **known: Any) -> Processed:
        if next(batches) == 4:
            raise FatalError("this batch cannot be processed")
        return process(raw, **known)

    processor.process = fail_at_the_fourth  # type: ignore[method-assign, assignment]
    config = IngestConfig(batch_lines=BATCH, batch_s=2.0, tick_s=DEADLINE_S)
    metrics, version = Metrics.on(CollectorRegistry()), parts.bundle.templates_version
    with pytest.raises(FatalError, match="this batch"):
        Ingest(backlog, topics, processor, version, metrics, config).run(threading.Event())
    sent = [frame_codec.decode(record.value or b"")[0] for record in read_range(backlog, topics.logs_events)]
    assert sent
    done = max(part.raw[0].last for part in sent) + 1
    assert done < 4 * BATCH
    assert committed(backlog, "tocsin.ingest", topics.logs_raw)[0][0] == done
