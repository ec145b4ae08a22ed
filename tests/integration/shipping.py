"""The real Fluent Bit ships growing and rotating files into Apache Kafka while it is killed and Kafka is away.

    python -m tests.integration.shipping

plays the long form: three times ``kill -9``, three rotations, and 30 seconds without a broker, while ``tocsin run``
reads along.  What Kafka holds must stand in the windows exactly once, and nothing may be missing but what a kill caught
in Fluent Bit's own queue.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import orjson

from models.records import ALL_SOURCES
from models.windows import frame_codec as frames
from models.windows.keys import named_rows
from stream.kafka.clients import Broker
from stream.kafka.reader import Record, read_range
from tests.compared import by_id, said
from tests.integration.streamed import Deployment, scraped
from tests.kafka_server import KafkaServer
from tests.ports import held_port

ROOT: Final = Path(__file__).parents[2]
BINARY: Final = shutil.which("fluent-bit") or str(ROOT.parent / "shared" / "bin" / "fluent-bit")
PATIENCE: Final = 30
"""Looks without anything new, two seconds apart, before waiting ends: after an outage Fluent Bit backs off for long."""

GRACE: Final = 5
"""The same, when only lines are missing that a kill may have caught in Fluent Bit's queue to Kafka."""

QUEUE: Final = 5000
"""``queue.buffering.max.messages`` of the shipped configuration: what Fluent Bit counts as sent before Kafka has it."""

KILLS: Final = 3
PATIENCE_S: Final = 300.0
"""How long Tocsin may take for what Kafka holds, and for windows to close."""

STEP_MS: Final = 10
START: Final = datetime(2026, 3, 3, 9, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is written at once, how long Kafka is away, and after how much quiet windows close."""

    burst: int
    outage_s: float
    idle_s: int


SHORT: Final = Plan(1500, 8.0, 45)
LONG: Final = Plan(6000, 30.0, 120)


@dataclass
class Writer:
    """Writes numbered oslo.log lines, five to a request, and rotates the file."""

    path: Path
    written: list[str] = field(default_factory=list)

    def write(self, count: int) -> None:
        """Append lines in small pieces, as a service does."""
        for _ in range(0, count, 100):
            with self.path.open("a", encoding="utf-8") as file:
                for _ in range(100):
                    number = len(self.written)
                    stamp = (START + timedelta(milliseconds=STEP_MS * number)).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
                    request = f"req-{number // 5:08x}-0000-4000-8000-000000000000"
                    message = f"Claim {number} successful on node compute-1"
                    file.write(f"{stamp} 4711 INFO nova.compute.claims [{request} - - - - -] {message}\n")
                    self.written.append(message)
            time.sleep(0.02)

    def rotate(self) -> None:
        """Rename the file; the next line goes into a new one."""
        time.sleep(1.5)  # the line written last must have been seen: Fluent Bit scans, it is not told
        self.path.rename(self.path.with_name(f"{self.path.name}.{len(self.written)}"))


@dataclass(frozen=True, slots=True)
class Shipped:
    """What a run left behind."""

    written: list[str]
    at_risk: set[str]
    """Lines that a kill may have caught in Fluent Bit's queue."""

    records: list[Record]
    rows: Counter[str]
    """How often each line stands in the frames that windows are filled from."""

    metrics: Mapping[str, float]
    published: Mapping[str, bytes]
    expected: Mapping[str, bytes]
    """Windows of a file that holds each line once."""

    @property
    def arrived(self) -> set[str]:
        """Lines that Kafka holds."""
        return set(map(message_of, self.records))

    @property
    def lost(self) -> set[str]:
        """Lines that never came to Kafka."""
        return set(self.written) - self.arrived

    def check(self) -> None:
        """Assert what must hold."""
        assert {line for line, count in self.rows.items() if count > 1} == set(), "a line stands in windows twice"
        assert set(self.rows) == self.arrived, "a line that Kafka holds is in no window"
        assert self.lost <= self.at_risk, "lines are missing that no kill can explain"
        assert len(self.lost) <= KILLS * QUEUE
        assert self.published == self.expected, "the windows are not those of each line once"
        # After an outage ingest may read some lines again, and says so.
        count = {name: self.metrics.get(f"tocsin_{name}_total", 0) for name in ("lines", "events", "dropped_lines")}
        assert count["lines"] == count["events"] + count["dropped_lines"] >= len(self.records)
        assert count["dropped_lines"] >= len(self.records) - len(self.arrived)
        assert self.metrics["tocsin_unaccounted_lines_total"] == 0

    def __str__(self) -> str:
        """One line for people."""
        return (
            f"{len(self.written)} lines written, {len(self.records)} records on Kafka "
            f"({len(self.records) - len(self.arrived)} sent again), {len(self.lost)} lost in Fluent Bit's queue; "
            f"{len(self.rows)} lines stand in {len(self.published)} windows, each once"
        )


def variables(folder: Path, bootstrap: str, topic: str) -> dict[str, str]:
    """What the configurations take from the environment."""
    return {
        "TOCSIN_LOGS": str(folder / "*.log"),
        "TOCSIN_STATE": str(folder / "state"),
        "TOCSIN_BROKERS": bootstrap,
        "TOCSIN_TOPIC": topic,
        "TOCSIN_HTTP_PORT": str(held_port()),
        "TOCSIN_TENANT": "test",
        "HOSTNAME": "compute-1",
        "NODE_NAME": "node-1",
        "PATH": os.environ["PATH"],
    }


@contextmanager
def fluent_bit(environment: dict[str, str]) -> Iterator[list[subprocess.Popen[bytes]]]:
    """A running Fluent Bit, in a list so that a test can put another in its place."""
    running = [_start(environment)]
    try:
        yield running
    finally:
        running[0].kill()
        running[0].wait()


def _start(environment: dict[str, str]) -> subprocess.Popen[bytes]:
    command = [BINARY, "-c", str(ROOT / "helm" / "fluent-bit" / "openstack.yaml")]
    log = Path(environment["TOCSIN_STATE"]).parent / "fluent-bit.out"
    with log.open("ab") as out:
        return subprocess.Popen(command, env=environment, stdout=out, stderr=out)


def ship(server: KafkaServer, prefix: str, folder: Path, plan: Plan) -> Shipped:
    """Play it: ``tocsin run`` serves all the while, also while Kafka is away."""
    logs = folder / "logs"
    (logs / "state").mkdir(parents=True)
    deployment = Deployment(Broker(server.bootstrap), prefix, folder, batch_lines=5000, idle_s=plan.idle_s)
    deployment.send([])
    port = held_port()
    worker = deployment.worker(port)
    worker.start()
    try:
        scraped(port, "tocsin_role_up", 3, PATIENCE_S)
        writer, at_risk, records = _play(server, deployment, logs, plan)
        scraped(port, "tocsin_lines_total", len(records), PATIENCE_S)
        expected = _once(deployment, records)
        deployment.await_windows(len(expected), PATIENCE_S)
        metrics = scraped(port, "tocsin_windows_total", len(expected))
    finally:
        status = worker.stop()
    assert status == 0, deployment.log()
    published = {name: said(window) for name, window in deployment.windows().items()}
    return Shipped(writer.written, at_risk, records, _rows(deployment, records), metrics, published, expected)


def _play(server: KafkaServer, deployment: Deployment, logs: Path, plan: Plan) -> tuple[Writer, set[str], list[Record]]:
    """Write, kill, rotate, stop Kafka and start it again; returns what Kafka holds in the end."""
    writer = Writer(logs / "nova-compute.log")
    environment = variables(logs, server.bootstrap, deployment.topics.logs_raw)
    at_risk: set[str] = set()

    def arrived() -> list[Record]:
        return _wait(lambda: list(read_range(deployment.broker, deployment.topics.logs_raw)), writer, at_risk)

    with fluent_bit(environment) as running:
        for _ in range(KILLS):
            already = len(writer.written)
            writer.write(plan.burst)
            running[0].kill()
            running[0].wait()
            at_risk |= set(writer.written[already:])
            writer.write(plan.burst // 3)
            running[0] = _start(environment)
            writer.write(plan.burst)
            arrived()
            writer.rotate()
        writer.write(plan.burst)
        server.stop()
        began = time.monotonic()
        writer.write(plan.burst)
        time.sleep(max(0.0, plan.outage_s - (time.monotonic() - began)))
        server.start()
        writer.write(plan.burst)
        return writer, at_risk, arrived()


def _wait(read: Callable[[], list[Record]], writer: Writer, at_risk: set[str]) -> list[Record]:
    """All records of the topic, once every line is among them, or nothing new comes."""
    records: list[Record] = []
    still = 0
    while still < PATIENCE:
        time.sleep(2.0)
        now = read()
        missing = set(writer.written) - set(map(message_of, now))
        still = still + 1 if len(now) == len(records) else 0
        records = now
        if not missing or (missing <= at_risk and still >= GRACE):
            break
    return records


def message_of(record: Record) -> str:
    """The numbered text of a shipped line."""
    line: str = orjson.loads(record.value or b"{}").get("log", "")
    return line.partition("] ")[2]


def _once(deployment: Deployment, records: list[Record]) -> dict[str, bytes]:
    """Windows of a file that holds each line the first time that it came."""
    first: dict[str, bytes] = {}
    for record in records:
        first.setdefault(message_of(record), record.value or b"")
    windows = deployment.score(("", value) for value in first.values())
    return by_id(orjson.dumps(window) for window in windows.values())


def _rows(deployment: Deployment, records: list[Record]) -> Counter[str]:
    """Count each line in the frames, under the key that holds all lines; none twice, as detect does."""
    texts = {(record.partition, record.offset): message_of(record) for record in records}
    counts = Counter[str]()
    reached: dict[tuple[int, int], int] = {}
    for message in read_range(deployment.broker, deployment.topics.logs_events):
        frame, _ = frames.decode(message.value or b"")
        rows = named_rows(frame).filter(key=ALL_SOURCES).select("partition", "offset").rows()
        counts.update(texts[p, o] for p, o in rows if o > reached.get((message.partition, p), -1))
        for p, span in frame.raw.items():
            reached[message.partition, p] = max(span.last, reached.get((message.partition, p), -1))
    return counts


def main() -> None:
    """Run from the command line; exit 1 where something does not hold."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    if not Path(BINARY).is_file():
        sys.exit("fluent-bit is not installed: put it on PATH, then try again")
    folder = Path(tempfile.mkdtemp(prefix="tocsin-shipping-"))
    server = KafkaServer(folder / "kafka")
    server.start()
    try:
        shipped = ship(server, "shipping.", folder, LONG)
    finally:
        server.stop()
    sys.stdout.write(f"{shipped}\nlogs in {folder}\n")
    shipped.check()


if __name__ == "__main__":
    main()
