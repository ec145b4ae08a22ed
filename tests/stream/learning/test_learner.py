"""The loop that learns, without a training: what it does before one, and when it puts one off."""

import threading
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from prometheus_client import CollectorRegistry

from alerts.monitoring.metrics import Metrics
from models.rfc3339 import SECOND, parse_time, time_text
from stream.kafka.clients import Broker
from stream.kafka.embedded import EmbeddedBroker
from stream.kafka.topic_specs import Topics
from stream.learning import learner as learning
from stream.learning.child import LIBRARIES
from stream.learning.folder import LearningFolder
from stream.learning.learner import LearnConfig, Learner
from stream.learning.schedule import LearningProgress
from stream.wiring.learning import PLATFORM_BUNDLE
from tests.waiting import until

FIRST = parse_time("2026-11-30T15:20:00Z")
MINUTE = 60 * SECOND
TOPICS = Topics("learner.")


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Broker]:
    """Give a broker, and a learner that looks often."""
    monkeypatch.setattr(learning, "EVERY_S", 0.05)
    with EmbeddedBroker() as cluster:
        yield Broker(cluster.bootstrap)


def send(broker: Broker, topic: str, time: int, value: bytes) -> None:
    """Send one message that the broker stamps with ``time``."""
    producer = broker.producer()
    producer.produce(topic, value, b"key", timestamp=time // 1000)
    assert producer.flush(30) == 0


def learns(broker: Broker, folder: Path, now: int) -> tuple[Metrics, threading.Thread, threading.Event]:
    """Start a learner whose clock stands at ``now``."""
    metrics, stop = Metrics.on(CollectorRegistry()), threading.Event()
    config = LearnConfig(LearningFolder(folder), 20 * MINUTE, PLATFORM_BUNDLE, {}, lambda: now)
    thread = threading.Thread(target=Learner(broker, TOPICS, metrics, config).run, args=(stop,))
    thread.start()
    return metrics, thread, stop


def test_it_waits_until_there_are_enough_logs_and_says_when_that_is(broker: Broker, tmp_path: Path) -> None:
    """The time of the first line is kept, for processes to come."""
    for topic in (TOPICS.logs_raw, TOPICS.anomalies):
        broker.producer().list_topics(topic, timeout=30)
    send(broker, TOPICS.logs_raw, FIRST, b"2026-11-30 15:20:00 hello")
    metrics, thread, stop = learns(broker, tmp_path, FIRST + 19 * MINUTE)
    try:
        until(metrics.next_lesson._value.get)
    finally:
        stop.set()
        thread.join()
    assert metrics.next_lesson._value.get() == (FIRST + 20 * MINUTE) / SECOND
    assert LearningFolder(tmp_path).progress() == LearningProgress(since=FIRST)


def test_a_stretch_in_which_windows_fired_most_of_the_time_is_not_learned(broker: Broker, tmp_path: Path) -> None:
    """The fault would be normal from then on; the lesson is tried again later."""
    send(broker, TOPICS.logs_raw, FIRST, b"2026-11-30 15:20:00 hello")
    window = {"start": time_text(FIRST + 2 * MINUTE), "end": time_text(FIRST + 17 * MINUTE), "fired": True}
    send(broker, TOPICS.logs_raw, FIRST + 20 * MINUTE, b"2026-11-30 15:40:00 hello")
    send(broker, TOPICS.anomalies, FIRST + 17 * MINUTE, orjson.dumps(window))
    metrics, thread, stop = learns(broker, tmp_path, FIRST + 20 * MINUTE)
    try:
        until(lambda: LearningFolder(tmp_path).progress().problem)
    finally:
        stop.set()
        thread.join()
    progress = LearningFolder(tmp_path).progress()
    assert progress.problem == "windows fired in 85% of the time"
    assert metrics.lessons.labels("postponed")._value.get() == 1


def test_a_clock_that_is_fast_or_lines_that_cease_make_no_lesson(broker: Broker, tmp_path: Path) -> None:
    """It is minutes of logs that count."""
    broker.producer().list_topics(TOPICS.anomalies, timeout=30)
    send(broker, TOPICS.logs_raw, FIRST, b"2026-11-30 15:20:00 hello")
    send(broker, TOPICS.logs_raw, FIRST + 5 * MINUTE, b"2026-11-30 15:25:00 hello")
    metrics, thread, stop = learns(broker, tmp_path, FIRST + 90 * MINUTE)
    try:
        until(metrics.next_lesson._value.get)
    finally:
        stop.set()
        thread.join()
    assert LearningFolder(tmp_path).progress() == LearningProgress(since=FIRST)


def test_without_the_libraries_of_training_it_says_so_once_and_ends(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """With what to do; the roles go on."""
    monkeypatch.setattr("stream.learning.child.LIBRARIES", (*LIBRARIES, "no_such_library"))
    _, thread, _ = learns(broker, tmp_path, FIRST)
    thread.join(60)
    assert not thread.is_alive()
    (record,) = [entry for entry in caplog.records if entry.name == "stream.learning.learner"]
    assert "no_such_library not installed; install tocsin[train]" in record.getMessage()
