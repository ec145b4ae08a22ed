"""What comes late, in blocks or all at once: the stream says what files say, and nobody is called silent."""

import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from models.records import ALL_SOURCES
from models.rfc3339 import SECOND
from stream.kafka.clients import Broker
from tests.faults.chaos import Worker
from tests.integration.streamed import PATIENCE_S, Deployment, Window, scraped
from tests.kafka_server import KafkaServer
from tests.ports import held_port
from training.simulate import Scenario, SimRecord, stream_records

PARTITIONS = 8
PAUSE_S = 45.0
BEFORE_S = 130.0
"""Long enough that windows over everything are complete before the pause."""
LIVE_S = BEFORE_S + PAUSE_S + 60.0
START = datetime(2026, 3, 3, 8, 0, tzinfo=UTC)

pytestmark = [pytest.mark.slow]


def deploy(broker: Broker, folder: Path) -> Deployment:
    """Return a deployment with eight partitions under a prefix that nobody else has."""
    return Deployment(broker, f"backlog-{uuid4().hex[:8]}.", folder, partitions=PARTITIONS)


def quiet(start: datetime, seconds: float) -> Iterator[SimRecord]:
    """Records of a simulated cloud without a fault, as they come."""
    return stream_records(Scenario(1, start, seconds))


def shapes(windows: Mapping[str, Window]) -> dict[str, dict[str, object]]:
    """What windows hold and whether they fired.

    Lines of one millisecond stand in the order of arrival, which is another one here and there.
    """
    fields = ("key", "kind", "start", "end", "events", "fired", "state")
    return {name: {each: window.get(each) for each in fields} for name, window in windows.items()}


def streamed(deployment: Deployment, values: Iterable[tuple[str, bytes]], count: int) -> Mapping[str, Window]:
    """Put records onto the topic, then start Tocsin, and return the windows that it publishes."""
    deployment.send(values)
    worker = deployment.worker()
    worker.start()
    try:
        deployment.await_windows(count)
    finally:
        status = worker.stop()
    assert status == 0, deployment.log()
    return deployment.windows()


def test_a_backlog_over_eight_partitions_gives_the_windows_of_the_files(broker: Broker, tmp_path: Path) -> None:
    """Filled before the start; what each partition holds is read in whatever order it is fetched."""
    deployment = deploy(broker, tmp_path)
    values = [(record.key, record.value) for record in quiet(START, 1200)]
    expected = deployment.score(values)
    assert shapes(streamed(deployment, values, len(expected))) == shapes(expected)
    assert not any(window["fired"] for window in expected.values())


def test_files_sent_one_after_the_other_give_the_windows_of_the_files(broker: Broker, tmp_path: Path) -> None:
    """As Fluent Bit does at its first start."""
    deployment = deploy(broker, tmp_path)
    records = list(quiet(START, 1200))
    expected = deployment.score([("", record.value) for record in records])
    blocks = [("one partition", record.value) for record in sorted(records, key=lambda record: record.key)]
    assert shapes(streamed(deployment, blocks, len(expected))) == shapes(expected)


@pytest.mark.kafka
@pytest.mark.timeout(600)
def test_a_broker_that_rests_makes_nobody_silent(tmp_path: Path) -> None:
    """Lines wait at their shipper for 45 s and come at once: meanwhile the pipeline tells that it has not read them."""
    server = KafkaServer(tmp_path / "kafka")
    server.start()
    deployment, port, is_over = deploy(Broker(server.bootstrap), tmp_path), held_port(), threading.Event()
    worker = deployment.worker(port)
    supervisor = threading.Thread(target=_keep_running, args=(worker, is_over))
    try:
        deployment.send([])
        worker.start()
        supervisor.start()
        scraped(port, "tocsin_role_up", 3)
        shipper = threading.Thread(target=_ship, args=(deployment, LIVE_S))
        shipper.start()
        time.sleep(BEFORE_S)
        server.pause()
        time.sleep(PAUSE_S)
        behind = time.time() - scraped(port, "tocsin_read_until_seconds", 1.0)["tocsin_read_until_seconds"] / PARTITIONS
        server.resume()
        shipper.join()
        time.sleep(3 * deployment.idle_s)
        metrics = scraped(port, "tocsin_windows_total", 1)
        is_over.set()
        supervisor.join()
        status = worker.stop()
        windows = deployment.windows().values()
    finally:
        is_over.set()
        server.resume()
        worker.kill()
        server.stop()
    assert status == 0, deployment.log()
    assert behind > PAUSE_S - 15
    assert metrics["tocsin_late_rows_total"] < metrics["tocsin_frame_rows_total"] / 100
    assert [window["reasons"] for window in windows if window["fired"]] == []
    assert any(window["key"] == ALL_SOURCES for window in windows)


def _keep_running(worker: Worker, is_over: threading.Event) -> None:
    """Start a worker again when it ends, as any supervisor does: one whose commit waits for 15 s gives up."""
    while not is_over.wait(1.0):
        if worker.process is not None and worker.process.poll() is not None:
            worker.start()


def _ship(deployment: Deployment, seconds: float) -> None:
    """Send lines as a quiet cloud writes them, each at its time."""
    producer = deployment.broker.producer()
    began = time.time()
    for record in quiet(datetime.fromtimestamp(began, UTC), seconds):
        while record.time / SECOND > time.time():
            producer.poll(0.01)
        producer.produce(deployment.topics.logs_raw, record.value, record.key.encode())
    assert producer.flush(PATIENCE_S) == 0
