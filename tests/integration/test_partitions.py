"""Partitions that are added and topics that are made anew while roles run: no line is lost, no window differs."""

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import NewPartitions  # type: ignore[attr-defined]  # not in its stubs

from models.records import NO_TIME, EventFrame
from models.windows import frame_codec
from models.windows.store import RestartMark
from stream.detect.partition_state import PartitionCheckpoint
from stream.kafka.clients import Broker
from stream.kafka.reader import committed, read_range
from stream.runtime.process import Process
from stream.settings import Settings
from stream.wiring.core import DEMO_BUNDLE, topic_specs
from tests.faults.chaos import Worker, lines
from tests.integration.streamed import Deployment, judged
from tests.integration.test_topic_anew import make_anew, reached, send
from tests.waiting import until

pytestmark = [pytest.mark.kafka, pytest.mark.slow]
COUNT, RATE, MORE = 4000, 200, 6
"""Lines, how many a second, and the number of partitions after some were added."""


def test_added_partitions_change_no_window(kafka: Broker, unique: str, tmp_path: Path) -> None:
    """To both topics of lines: what runs finds the new ones before what sends does."""
    deployment = Deployment(kafka, unique, tmp_path, idle_s=20)
    values = list(lines(COUNT, 5))
    expected = deployment.score(values)
    kafka.ensure_topics(deployment.topics.specs(deployment.partitions))
    worker = Worker("ingest,detect", deployment.environment(), tmp_path / "tocsin.log")
    raw, events = deployment.topics.logs_raw, deployment.topics.logs_events
    grown = threading.Event()

    def transmit() -> None:
        producer = kafka.producer()
        for number, (key, value) in enumerate(values):
            if number == COUNT // 2:
                # A sender that learns of the partitions: its keys go elsewhere from here on.
                assert producer.flush(60) == 0
                grown.wait(60)
                producer = kafka.producer()
            producer.produce(raw, value, key.encode())
            time.sleep(0 if number % 20 else 20 / RATE)
        assert producer.flush(60) == 0

    worker.start()
    sender = threading.Thread(target=transmit)
    try:
        until(lambda: "partitions assigned" in deployment.log())
        sender.start()
        deployment.await_windows(10)
        # The client must outlive its answers.
        admin = kafka.admin()
        added = admin.create_partitions([NewPartitions(raw, MORE), NewPartitions(events, MORE)])
        for done in added.values():
            done.result(30)
        until(lambda: "[0, 1, 2, 3, 4, 5]" in deployment.log())
        grown.set()
        sender.join()
        deployment.await_windows(len(expected))
    finally:
        grown.set()
        status = worker.stop()
    assert status == 0
    assert judged(deployment.windows(), "lines") == judged(expected, "lines")


READ = {
    "ingest": ("tocsin_lines_total", {}),
    "detect": ("tocsin_frames_total", {"direction": "in"}),
}
"""The metric of what a role has read."""

FRAMED = 2000
"""Lines of the frames."""


def deployed(broker: Broker, prefix: str) -> Settings:
    """Return settings of roles with one partition of each topic."""
    return Settings(
        kafka_bootstrap_servers=broker.bootstrap,
        topic_prefix=prefix,
        bundle=DEMO_BUNDLE,
        metrics_port=0,
        raw_partitions=1,
        events_partitions=1,
    )


async def serve(settings: Settings, role: str, least: float, during: Callable[[], None] | None = None) -> None:
    """Run a role until it has read so many lines or frames; ``during`` is done then, and two more must be read."""
    process = Process.connect(settings)
    served = process.start([role])
    name, labels = READ[role]

    def count() -> float:
        return process.registry.get_sample_value(name, labels) or 0.0

    await reached(lambda: count() >= least)
    # Detect commits every two seconds.
    await asyncio.sleep(3)
    if during is not None:
        before = count()
        await asyncio.to_thread(during)
        await reached(lambda: count() >= before + 2)
    served.stop()
    await served.wait()


@pytest.mark.parametrize("is_running", [False, True])
def test_frames_of_a_topic_made_anew_are_read(kafka: Broker, unique: str, *, is_running: bool) -> None:
    """``logs.events`` has fewer frames than before: all are read, with detect running and with it stopped."""
    settings = deployed(kafka, unique)
    kafka.ensure_topics(topic_specs(settings))
    raw, events = f"{unique}logs.raw", f"{unique}logs.events"

    send(kafka, raw, FRAMED)
    asyncio.run(serve(settings, "ingest", FRAMED))
    frames = [record.value or b"" for record in read_range(kafka, events)]
    assert len(frames) > 2

    def again() -> None:
        make_anew(settings, kafka, events)
        producer = kafka.producer()
        for frame in frames[:2]:
            producer.produce(events, frame, partition=0)
        assert producer.flush(60) == 0

    if is_running:
        asyncio.run(serve(settings, "detect", len(frames), again))
    else:
        asyncio.run(serve(settings, "detect", len(frames)))
        again()
        asyncio.run(serve(settings, "detect", 2))


def test_a_commit_behind_the_end_counts_for_nothing(
    kafka: Broker, unique: str, caplog: pytest.LogCaptureFixture
) -> None:
    """As a worker leaves it that commits once more after the topic was made anew: its verdicts would be missing."""
    settings = deployed(kafka, unique)
    kafka.ensure_topics(topic_specs(settings))
    events = f"{unique}logs.events"
    producer = kafka.producer()
    for _ in range(2):
        producer.produce(events, frame_codec.encode(EventFrame.empty({}), "none"), partition=0)
    assert producer.flush(60) == 0
    left = PartitionCheckpoint(RestartMark(0, NO_TIME, {}), done=100)
    consumer = kafka.consumer(unique + "detect")
    consumer.commit(offsets=[TopicPartition(events, 0, 0, metadata=left.metadata())], asynchronous=False)
    consumer.close()
    asyncio.run(serve(settings, "detect", 2))
    assert any("was made anew" in record.getMessage() for record in caplog.records)
    assert committed(kafka, unique + "detect", events)[0][0] <= 2
