"""The first day as the README has it: files, ``train``, Fluent Bit, Apache Kafka, ``run``; then a fault.

The cloud is the recording in ``tests/data/cloud``.  Its files are trained on as they lie on three hosts, and what
follows is shipped as at a first start: each file from its head, one after the other, faster than it was written.
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import orjson
import pytest

from models.rfc3339 import SECOND, parse_time
from stream.kafka.clients import Broker
from stream.kafka.embedded import EmbeddedBroker
from stream.kafka.reader import read_range
from tests.integration.shipping import BINARY, fluent_bit, variables
from tests.integration.streamed import Deployment, Window, judged, scraped
from tests.ports import held_port
from tests.recorded_cloud import TRAINED_UNTIL, fault_times, recorded

UNTIL: Final = "2026-11-30T13:20:30"
"""End of what is shipped: normal traffic, and the first fault."""

FAULT: Final = fault_times()["rabbit-stop"]
"""Begin and end of it: RabbitMQ is stopped."""

HOSTS: Final = ("cmp1", "cmp2", "controller")
PATIENCE_S: Final = 400.0
IDLE_S: Final = 30
"""Seconds after which a quiet key's windows close: three times as long must be more than a window needs to settle."""

REST_S: Final = 45.0
"""Seconds without a new window after which none comes: more than a quiet key waits, and detect for ingest."""


pytestmark = [pytest.mark.slow, pytest.mark.train, pytest.mark.timeout(900)]


def lay_out(folder: Path, lines: Iterator[bytes]) -> int:
    """Write the lines into files as they lie on the hosts, ``HOST/var/log/...``; returns how many."""
    count = 0
    with ExitStack() as files:
        opened: dict[Path, Any] = {}
        for record in map(orjson.loads, lines):
            path = folder / record["host"] / record["path"].lstrip("/")
            if path not in opened:
                path.parent.mkdir(parents=True, exist_ok=True)
                opened[path] = files.enter_context(path.open("w", encoding="utf-8"))
            opened[path].write(record["log"] + "\n")
            count += 1
    return count


@dataclass(frozen=True, slots=True)
class Day:
    """Folders of the files to train on and to ship, the number of lines to ship, and the bundle."""

    train: Path
    ship: Path
    lines: int
    bundle: Path


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Day:
    """Train by the command line on the first 17 minutes, as they lie on three hosts."""
    if find_spec("tensorflow") is None:
        pytest.skip("TensorFlow is missing: pip install tocsin[train]")
    folder = tmp_path_factory.mktemp("first-day")
    lay_out(folder / "train", recorded(lambda time: time < TRAINED_UNTIL))
    lines = lay_out(folder / "ship", recorded(lambda time: TRAINED_UNTIL <= time < UNTIL))
    command = [str(Path(sys.executable).parent / "tocsin"), "train", "train", "--out", "bundle"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (folder / "train.out").write_text(done.stderr)
    return Day(folder / "train", folder / "ship", lines, folder / "bundle")


def send_file_after_file(day: Day, deployment: Deployment) -> None:
    """Put onto the topic what a shipper reads at its first start: one file after the other, each from its head."""

    def values() -> Iterator[tuple[str, bytes]]:
        for path in sorted(day.ship.rglob("*.log")):
            host, offset = path.relative_to(day.ship).parts[0], 0
            for line in path.read_bytes().splitlines(keepends=True):
                yield str(path), as_shipped(path, offset, line.decode().rstrip("\n"), host)
                offset += len(line)

    deployment.send(values())


def send_by_fluent_bit(day: Day, deployment: Deployment) -> None:
    """Ship the files by one Fluent Bit a host with the configuration that users copy, until Kafka has all lines."""
    deployment.send([])
    with ExitStack() as running:
        for host in HOSTS:
            state = deployment.folder / host
            state.mkdir()
            environment = variables(state, deployment.broker.bootstrap, deployment.topics.logs_raw) | {
                "TOCSIN_LOGS": str(day.ship / host / "var" / "log" / "*" / "*.log"),
                "HOSTNAME": host,
            }
            running.enter_context(fluent_bit(environment))
        deadline = time.monotonic() + PATIENCE_S
        while sum(1 for _ in read_range(deployment.broker, deployment.topics.logs_raw)) < day.lines:
            assert time.monotonic() < deadline, "Fluent Bit did not send all lines"
            time.sleep(1.0)


needs_fluent_bit = pytest.mark.skipif(not Path(BINARY).is_file(), reason="Fluent Bit is not installed")
WAYS: Final = [
    pytest.param(("embedded", send_file_after_file), id="file-after-file"),
    pytest.param(
        ("kafka", send_by_fluent_bit),
        id="fluent-bit",
        marks=[pytest.mark.kafka, pytest.mark.fluentbit, needs_fluent_bit],
    ),
]


@dataclass(frozen=True, slots=True)
class Outcome:
    """Windows of the stream and of the same records in the order of time, alerts, and metrics of the process."""

    windows: dict[str, Window]
    expected: dict[str, Window]
    alerts: list[dict[str, Any]]
    metrics: dict[str, float]


@pytest.fixture(scope="module", params=WAYS)
def outcome(request: pytest.FixtureRequest, day: Day, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outcome]:
    """Ship the files, and only then start ``tocsin run``: it begins with a backlog."""
    kind, send = request.param
    folder = tmp_path_factory.mktemp("run")
    with ExitStack() as stack:
        if kind == "kafka":
            broker = Broker(request.getfixturevalue("kafka_server").bootstrap)
        else:
            broker = Broker(stack.enter_context(EmbeddedBroker()).bootstrap)
        deployment = Deployment(broker, f"day-{uuid4().hex[:8]}.", folder, bundle=day.bundle, idle_s=IDLE_S)
        send(day, deployment)
        expected = deployment.score(shipped_in_time(day))
        port = held_port()
        worker = deployment.worker(port)
        worker.start()
        try:
            metrics = at_rest(port, day.lines)
        finally:
            status = worker.stop()
        assert status == 0, deployment.log()
        alerts = [orjson.loads(record.value or b"") for record in read_range(broker, deployment.topics.alerts)]
        yield Outcome(deployment.windows(), expected, alerts, metrics)


def at_rest(port: int, lines: int) -> dict[str, float]:
    """Wait until all lines are read and no further window closes; returns the metrics of the process."""
    metrics = scraped(port, "tocsin_lines_total", lines, PATIENCE_S)
    while True:
        time.sleep(REST_S)
        later = scraped(port, "tocsin_windows_total", 1, PATIENCE_S)
        if later["tocsin_windows_total"] == metrics.get("tocsin_windows_total"):
            return later
        metrics = later


def shipped_in_time(day: Day) -> Iterator[tuple[str, bytes]]:
    """The records of all files as a shipper makes them, in the order in which their lines were written."""
    offsets: dict[Path, int] = {}
    for record in map(orjson.loads, recorded(lambda time: TRAINED_UNTIL <= time < UNTIL)):
        path = day.ship / record["host"] / record["path"].lstrip("/")
        offset = offsets.get(path, 0)
        offsets[path] = offset + len(record["log"].encode()) + 1
        yield "", as_shipped(path, offset, record["log"], record["host"])


def as_shipped(path: Path, offset: int, line: str, host: str) -> bytes:
    """A record as the shipped configuration makes it, but for the time of reading."""
    return orjson.dumps({"path": str(path), "offset": offset, "log": line, "host": host})


def test_the_backlog_gives_the_windows_of_the_files(outcome: Outcome) -> None:
    """However the lines came, every window is the one that the same lines give in the order of time.

    Lines of one millisecond have no order among several partitions, so the sequence of a request may differ in it.
    """
    assert outcome.metrics.get("tocsin_late_rows_total", 0) == 0
    windows, expected = judged(outcome.windows, "lines"), judged(outcome.expected, "lines")
    assert windows.keys() == expected.keys()
    assert {name: fields for name in windows if (fields := differing(windows[name], expected[name]))} == {}


def differing(window: Window, expected: Window) -> dict[str, tuple[Any, Any]]:
    """Fields that differ; of a session only what no order of lines within a millisecond changes."""
    names = ("start", "end", "events", "fired") if window["kind"] == "session" else window.keys() | expected.keys()
    pairs = {name: (window.get(name), expected.get(name)) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def test_normal_traffic_alerts_nobody(outcome: Outcome) -> None:
    """No alert speaks of a time before the first fault."""
    assert [alert["summary"] for alert in outcome.alerts if parse_time(alert["started"]) < FAULT[0]] == []


def test_the_fault_is_told_by_its_name(outcome: Outcome) -> None:
    """An alert tells of the first minute of the fault, and RabbitMQ is named.

    Which alert is published first depends on the order in which a backlog's files arrive.
    """
    firing = [alert for alert in outcome.alerts if alert["status"] == "firing"]
    assert firing
    assert any("rabbitmq" in " ".join(alert["services"]) for alert in outcome.alerts)
    assert min(parse_time(alert["updated"]) for alert in firing) - FAULT[0] < 60 * SECOND
