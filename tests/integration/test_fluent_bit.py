"""The real Fluent Bit ships growing and rotating files into Apache Kafka while it is killed and Kafka is away."""

import os
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import orjson
import pytest

from models.decode import DecodeConfig, Decoder
from models.records import RawBatch
from stream.broker.clients import Broker
from stream.broker.reading import Record, read_range
from tests.kafka_server import KafkaServer, _free_ports

ROOT = Path(__file__).parents[2]
LONG = bool(os.environ.get("TOCSIN_TEST_LONG"))
OUTAGE_S = 30.0 if LONG else 8.0
BURST = 4000 if LONG else 1500
PATIENCE = 30
"""Looks without anything new, two seconds apart, before waiting ends: after an outage Fluent Bit backs off for long."""

GRACE = 5
"""The same, when only lines are missing that a kill may have caught in Fluent Bit's queue to Kafka."""

QUEUE = 5000
"""``queue.buffering.max.messages`` of the shipped configuration: what Fluent Bit counts as sent before Kafka has it."""

START = datetime(2026, 3, 3, 9, 0, tzinfo=UTC)

BINARY = shutil.which("fluent-bit") or str(ROOT.parent / "shared" / "bin" / "fluent-bit")
pytestmark = [
    pytest.mark.fluentbit,
    pytest.mark.skipif(not Path(BINARY).is_file(), reason="Fluent Bit is not installed"),
]


def variables(folder: Path, bootstrap: str, topic: str) -> dict[str, str]:
    """What the configurations take from the environment."""
    return {
        "TOCSIN_LOGS": str(folder / "*.log"),
        "TOCSIN_STATE": str(folder / "state"),
        "TOCSIN_BROKERS": bootstrap,
        "TOCSIN_TOPIC": topic,
        "TOCSIN_HTTP_PORT": str(_free_ports(1)[0]),
        "TOCSIN_TENANT": "test",
        "HOSTNAME": "compute-1",
        "NODE_NAME": "node-1",
        "PATH": os.environ["PATH"],
    }


@pytest.mark.parametrize("name", ["openstack", "kubernetes"])
def test_configuration_is_accepted(name: str, tmp_path: Path) -> None:
    """Fluent Bit itself finds nothing wrong with the files that users copy."""
    command = [BINARY, "-c", str(ROOT / "helm" / "fluent-bit" / f"{name}.yaml"), "--dry-run"]
    environment = variables(tmp_path, "127.0.0.1:1", "t")
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 0, done.stderr
    assert "successful" in done.stdout + done.stderr


@dataclass
class Writer:
    """Writes numbered oslo.log lines and rotates the file."""

    path: Path
    written: list[str] = field(default_factory=list)

    def write(self, count: int) -> None:
        """Append lines in small pieces, as a service does."""
        for _ in range(0, count, 100):
            with self.path.open("a", encoding="utf-8") as file:
                for _ in range(100):
                    number = len(self.written)
                    stamp = (START + timedelta(milliseconds=number)).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
                    message = f"Claim {number} successful on node compute-1"
                    file.write(f"{stamp} 4711 INFO nova.compute.claims [-] {message}\n")
                    self.written.append(message)
            time.sleep(0.02)

    def rotate(self) -> None:
        """Rename the file; the next line goes into a new one."""
        time.sleep(1.5)  # the line written last must have been seen: Fluent Bit scans, it is not told
        self.path.rename(self.path.with_name(f"{self.path.name}.{len(self.written)}"))


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


def decoded_messages(records: list[Record]) -> Counter[str]:
    """Messages of the events that the records become, through the decoder's memory of what came before."""
    decoder, found = Decoder(DecodeConfig()), Counter[str]()
    for start in range(0, len(records), 700):
        part = records[start : start + 700]
        n = len(part)
        raw = RawBatch(
            [record.value or b"" for record in part],
            np.fromiter((record.partition for record in part), np.int32, n),
            np.fromiter((record.offset for record in part), np.int64, n),
            np.fromiter((record.timestamp * 1000 for record in part), np.int64, n),
        )
        found.update(decoder.decode(raw).lines["message"].to_list())
    return found


@pytest.mark.kafka
@pytest.mark.slow
@pytest.mark.timeout(480)
def test_what_is_shipped_counts_once(kafka_server: KafkaServer, kafka: Broker, unique: str, tmp_path: Path) -> None:
    """Killed three times, cut off from Kafka once: its queue at most is lost, and what is sent twice counts once."""
    topic = f"{unique}-raw"
    _create(kafka, topic)
    writer = Writer(tmp_path / "nova-compute.log")
    environment = variables(tmp_path, kafka.bootstrap, topic)
    (tmp_path / "state").mkdir()
    at_risk: set[str] = set()
    with fluent_bit(environment) as running:
        for kill in range(3):
            already = len(writer.written)
            writer.write(BURST)
            running[0].kill()
            running[0].wait()
            at_risk |= set(writer.written[already:])
            writer.write(BURST // 3)
            running[0] = _start(environment)
            writer.write(BURST)
            if kill < 2:
                _wait(kafka, topic, writer, at_risk)
                writer.rotate()
        kafka_server.stop()
        began = time.monotonic()
        writer.write(BURST)
        time.sleep(max(0.0, OUTAGE_S - (time.monotonic() - began)))
        kafka_server.start()
        writer.write(BURST)
        records = _wait(kafka, topic, writer, at_risk)
    found = decoded_messages(records)
    assert {message for message, count in found.items() if count > 1} == set()
    assert set(found) == shipped(records), "a line that Kafka holds became no event"
    lost = set(writer.written) - set(found)
    assert lost - at_risk == set(), "lines are missing that no kill can explain"
    assert len(lost) <= 3 * QUEUE
    print(f"{len(writer.written)} lines written, {len(records)} records, {len(lost)} lost in Fluent Bit's queue")
    first = orjson.loads(records[0].value or b"{}")
    assert {"@timestamp", "path", "offset", "log", "host"} <= set(first)
    assert records[0].key == str(writer.path).encode()


def _create(kafka: Broker, topic: str) -> None:
    from stream.topics import TopicSpec

    kafka.ensure_topics([TopicSpec(topic, 1, "delete", "a test")])


def shipped(records: list[Record]) -> set[str]:
    """Messages of the lines that Kafka holds."""
    return {orjson.loads(record.value or b"{}").get("log", "").partition("[-] ")[2] for record in records}


def _wait(kafka: Broker, topic: str, writer: Writer, at_risk: set[str]) -> list[Record]:
    """All records of the topic, once every line is among them, or nothing new comes."""
    records: list[Record] = []
    still = 0
    while still < PATIENCE:
        time.sleep(2.0)
        now = list(read_range(kafka, topic))
        missing = set(writer.written) - shipped(now)
        still = still + 1 if len(now) == len(records) else 0
        records = now
        if not missing or (missing <= at_risk and still >= GRACE):
            break
    return records
