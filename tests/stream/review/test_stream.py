"""What a review says of files is what the roles publish: the same windows and, byte for byte, the same alerts."""

import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import orjson
import pytest
from prometheus_client import CollectorRegistry

from alerts.monitoring.metrics import Metrics
from models.rfc3339 import SECOND
from stream.explain import role as explain_role
from stream.explain.explainer import Explained
from stream.explain.role import ExplainConfig, ExplainRole
from stream.kafka.clients import Broker
from stream.kafka.consuming import Producer
from stream.kafka.embedded import EmbeddedBroker
from stream.kafka.reader import read_range
from stream.review.playback import PacedExplainer
from stream.review.report import Review
from stream.review.sources import in_order, windows_of_files
from stream.settings import Settings
from stream.topics.anomalies import anomaly
from stream.wiring.core import DEMO_BUNDLE, load_bundle, make_components, make_incident_policy, make_topics
from stream.wiring.explainer import make_explainer_of
from stream.wiring.review import ReviewQuestion, review_logs
from tests.fixtures_kafka import SOON
from tests.waiting import PATIENCE_S, until
from training.simulate import FaultKind, Scenario, SimRecord, plan_faults, stream_records

START: Final = datetime(2026, 3, 3, 8, 0, tzinfo=UTC)
SECONDS: Final = 420.0
KINDS: Final = (FaultKind.ERROR_BURST, FaultKind.NEW_MESSAGE)
Group = tuple[int, list[bytes]]


class Conductor(PacedExplainer):
    """Leads a role through groups of windows (time, records) in step: time goes on once all of a group is explained."""

    def lead(self, producer: Producer, topic: str, groups: Sequence[Group]) -> None:
        """Begin with these."""
        self.now = groups[0][0]
        self.is_over = threading.Event()
        self._producer, self._topic, self._left = producer, topic, list(groups)
        self._missing = 0
        self._is_explaining = False
        self._open: set[str] = set()

    def on_window(self, record: bytes) -> None:
        """Note that one has come."""
        self._missing -= 1
        super().on_window(record)

    def on_incident(self, name: str, incident: Any, now: int) -> None:
        """Note which are open."""
        super().on_incident(name, incident, now)
        if incident is not None and incident.state.value == "open":
            self._open.add(name)
        else:
            self._open.discard(name)

    def poll(self, now: int) -> list[Explained]:
        """Explain, once for each turn of the role, and let time go on."""
        if self._is_explaining:
            return super().poll(now)
        if self._missing > 0:
            return []
        self._is_explaining = True
        explained = self.explained(now)
        self._is_explaining = False
        self._go_on()
        return explained

    def _go_on(self) -> None:
        if self._left and (not self._open or self.now + SECOND >= self._left[0][0]):
            time, records = self._left.pop(0)
            self.now, self._missing = max(self.now, time), len(records)
            for record in records:
                self._producer.produce(self._topic, record)
            self._producer.flush()
        elif self._open:
            self.now += SECOND
        else:
            self.is_over.set()


@pytest.fixture(scope="module")
def cloud() -> list[SimRecord]:
    """Give seven minutes of a cloud with two faults."""
    return list(stream_records(Scenario(4, START, SECONDS, faults=plan_faults(START, SECONDS, 4, KINDS))))


@pytest.fixture
def path(cloud: list[SimRecord], tmp_path: Path) -> Path:
    """Give them as a file of raw records."""
    path = tmp_path / "records.jsonl"
    path.write_bytes(b"".join(record.value + b"\n" for record in cloud))
    return path


def settings_of(broker: str, prefix: str, folder: Path) -> Settings:
    """Return settings with which no language model is asked."""
    return Settings(
        kafka_bootstrap_servers=broker,
        topic_prefix=prefix,
        bundle=DEMO_BUNDLE,
        index_path=folder / "index",
        embedding_model="built-in",
        llm_enabled=False,
    )


def plain(line: bytes) -> bytes:
    """Return an alert without the time that its explanation took, which differs from run to run."""
    alert = orjson.loads(line)
    if alert["diagnosis"]:
        alert["diagnosis"]["seconds"] = 0.0
    return orjson.dumps(alert)


def send_lines(broker: Broker, settings: Settings, cloud: Sequence[SimRecord], templates: Sequence[bytes]) -> None:
    """Put onto the topics what ingest reads, and what it writes of new templates."""
    topics = make_topics(settings)
    producer = broker.producer()
    for record in cloud:
        producer.produce(topics.logs_raw, record.value, partition=0, timestamp=record.time // 1000)
    for template in templates:
        producer.produce(topics.templates, template)
    assert producer.flush(PATIENCE_S) == 0


def published(settings: Settings, groups: Sequence[Group], broker: Broker) -> list[bytes]:
    """Return what the role publishes of windows, on a broker that holds their lines."""
    topics = make_topics(settings)
    judge = load_bundle(settings)
    conductor = make_explainer_of(Conductor, settings, broker, topics, lambda: judge)
    conductor.lead(broker.producer(), topics.anomalies, groups)
    config = ExplainConfig(make_incident_policy(settings), lambda: conductor.now)
    role = ExplainRole(broker, topics, Metrics.on(CollectorRegistry()), config, conductor)
    stop = threading.Event()
    thread = threading.Thread(target=role.run, args=(stop,))
    thread.start()
    try:
        until(conductor.is_over.is_set)
    finally:
        stop.set()
        thread.join(PATIENCE_S)
    return [plain(record.value or b"") for record in read_range(broker, topics.alerts)]


def fired(settings: Settings, path: Path) -> tuple[list[Group], list[bytes]]:
    """Return the windows of a file that fired, and its new templates, as the stream would write them."""
    parts = make_components(settings, load_bundle(settings))
    verdicts, templates = [], []
    for closed in windows_of_files([path], parts.processor(), parts.scorer, parts.windows):
        templates += [orjson.dumps({"id": f"{new.id:016x}", "text": new.text}) for new in closed.new]
        verdicts += [verdict for verdict in closed.verdicts if verdict.fired]
    groups = [
        (closed.time, [anomaly(verdict, parts.bundle.id)[1] for verdict in closed.verdicts])
        for closed in in_order(verdicts, parts.windows)
    ]
    return groups, templates


@pytest.mark.slow
def test_the_alerts_are_those_of_the_role(
    embedded: EmbeddedBroker,
    unique: str,
    cloud: list[SimRecord],
    path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Opened, enriched and resolved, each at its time and with the same diagnosis and evidence."""
    monkeypatch.setattr(explain_role, "POLL_S", 0.005)
    monkeypatch.setattr(explain_role, "TICK_S", 0.0)
    settings = settings_of(embedded.bootstrap, unique, tmp_path)
    broker = Broker(embedded.bootstrap, SOON)
    for spec in make_topics(settings).specs(1):
        embedded.create_topic(spec.name, spec.partitions)
    review: Review = review_logs(settings, ReviewQuestion((str(path),)), lambda _: None)
    assert {alert.status.value for alert in review.alerts} == {"firing", "enriched", "resolved"}
    groups, templates = fired(settings, path)
    send_lines(broker, settings, cloud, templates)
    assert published(settings, groups, broker) == review.alerts_jsonl().splitlines()
