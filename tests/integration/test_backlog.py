"""What comes late, in blocks or all at once: the stream says what files say, and nobody is called silent."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from stream.kafka.clients import Broker
from tests.integration.streamed import Deployment, Window, scraped
from tests.kafka_server import KafkaServer
from tests.ports import held_port
from training.simulate import Scenario, SimRecord, stream_records

PARTITIONS = 8
PAUSE_S = 45.0
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
