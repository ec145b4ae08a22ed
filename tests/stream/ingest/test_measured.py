"""What the roles tell of themselves while they work."""

import asyncio
import logging
import threading
import time
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from prometheus_client import CollectorRegistry

from alerts.monitoring.metrics import Metrics
from models.pipeline import LineProcessor, Processed
from models.records import RawBatch
from stream.ingest.role import Ingest, IngestConfig
from stream.kafka.clients import Broker
from stream.kafka.embedded import EmbeddedBroker
from stream.kafka.reader import follow
from stream.kafka.topic_specs import Topics
from stream.runtime.process import Process
from stream.settings import Settings
from stream.wiring.core import DEMO_BUNDLE, load_bundle, make_components
from training.simulate import Scenario, stream_records

START = datetime(2026, 3, 3, 8, 0, tzinfo=UTC)
LINES = 1000
BATCH = 10
DEADLINE_S = 180.0


@pytest.fixture
def cluster(embedded: EmbeddedBroker) -> Broker:
    """Give a broker with simulated lines in one partition of logs.raw."""
    broker = Broker(embedded.bootstrap)
    broker.ensure_topics(Topics("tocsin.").specs(4))
    producer = broker.producer()
    records = stream_records(Scenario(1, START, 600.0))
    for _, record in zip(range(LINES), records, strict=False):
        producer.produce(Topics("tocsin.").logs_raw, record.value, partition=0)
    assert producer.flush(DEADLINE_S) == 0
    return broker


def settings(broker: Broker) -> Settings:
    """Return settings for this broker and the shipped bundle."""
    return Settings(kafka_bootstrap_servers=broker.bootstrap, bundle=DEMO_BUNDLE, metrics_port=0)


def test_ingest_tells_how_far_it_is_behind(cluster: Broker) -> None:
    """Per partition, after every tick; a partition that it gave up is not told any more."""
    parts = make_components(settings(cluster), load_bundle(settings(cluster)))
    topics, registry, stop = Topics("tocsin."), CollectorRegistry(), threading.Event()
    labels = {"topic": topics.logs_raw, "partition": "0"}
    processor = parts.processor()
    behind: list[float | None] = []
    taken: list[int] = []

    class Watched(LineProcessor):
        def __init__(self) -> None:
            """Take all from the real one."""

        decoder, clocks = processor.decoder, processor.clocks

        def process(self, raw: RawBatch, *args: object, **kwargs: object) -> Processed:
            taken.append(len(raw))
            behind.append(registry.get_sample_value("tocsin_lag_messages", labels))
            if len(behind) == 3:
                stop.set()
            return processor.process(raw, *args, **kwargs)  # type: ignore[arg-type]

    config = IngestConfig(batch_lines=BATCH, tick_s=0.0)
    Ingest(cluster, topics, Watched(), parts.bundle.templates_version, Metrics.on(registry), config).run(stop)
    assert max(taken) == BATCH
    assert behind[:3] == [None, LINES - taken[0], LINES - taken[0] - taken[1]]
    assert registry.get_sample_value("tocsin_lag_messages", labels) is None


def test_a_healthy_ingest_logs_once_a_minute_what_it_did(cluster: Broker, caplog: pytest.LogCaptureFixture) -> None:
    """All lines are in the sums of its lines; the last one has no lag left."""
    caplog.set_level(logging.INFO)
    parts = make_components(settings(cluster), load_bundle(settings(cluster)))
    topics, stop = Topics("tocsin."), threading.Event()
    seen: list[dict[str, Any]] = []

    class Work(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            """Keep the facts of a minute; stop the role when all is read."""
            if record.msg == "%s: work of the last period":
                seen.append(record.__dict__)
                if sum(facts["lines"] for facts in seen) == LINES and not seen[-1]["lines"]:
                    stop.set()

    handler, speed = Work(), 100.0
    patience = threading.Timer(DEADLINE_S, stop.set)
    logger = logging.getLogger("stream.ingest.role")
    logger.addHandler(handler)
    try:
        metrics, config = Metrics.on(CollectorRegistry()), IngestConfig(batch_lines=200, tick_s=30.0)
        version = parts.bundle.templates_version
        role = Ingest(
            cluster, topics, parts.processor(), version, metrics, config, now=lambda: time.monotonic() * speed
        )
        patience.start()
        role.run(stop)
    finally:
        patience.cancel()
        logger.removeHandler(handler)
    assert sum(facts["lines"] for facts in seen) == LINES
    assert 0 < sum(facts["events"] for facts in seen) <= LINES
    assert (seen[-1]["role"], seen[-1]["lag"], seen[-1]["dead_letters"]) == ("ingest", 0, 0)


def test_detect_tells_its_lag_and_how_long_scoring_takes(cluster: Broker) -> None:
    """Once a window is out: as many importances as windows, at least one scoring, and no frame left."""
    found: dict[str, float] = {}

    async def program() -> None:
        cloud = Process.connect(settings(cluster))
        roles = cloud.start(("ingest", "detect"), publish_all=True)
        await asyncio.to_thread(_first, cluster, cloud.topics.anomalies)
        async with asyncio.timeout(DEADLINE_S):
            # Told at every commit.
            while not (told := _lags(cloud)):  # noqa: ASYNC110 - nothing signals a commit
                await asyncio.sleep(0.05)
        roles.stop()
        await roles.wait()
        for family in cloud.registry.collect():
            for sample in family.samples:
                found[sample.name] = found.get(sample.name, 0.0) + sample.value
        assert all(lag >= 0 for lag in told)

    asyncio.run(program())
    assert found["tocsin_score_seconds_count"] > 0
    assert found["tocsin_importance_count"] == found["tocsin_windows_total"] > 0


def _lags(cloud: Process) -> list[float]:
    topic = cloud.topics.logs_events
    (family,) = [each for each in cloud.registry.collect() if each.name == "tocsin_lag_messages"]
    return [sample.value for sample in family.samples if sample.labels["topic"] == topic]


def _first(broker: Broker, topic: str) -> None:
    following = follow(broker, topic)
    record = next(each for each in following if each is not None)
    following.close()
    assert orjson.loads(record.value or b"")["id"]
