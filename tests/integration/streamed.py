"""Records through ``tocsin run`` on a broker, and the same records through ``tocsin score`` and ``tocsin replay``."""

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson
from prometheus_client.parser import text_string_to_metric_families

from models.windows import frame_codec as frames
from stream.kafka.clients import Broker
from stream.kafka.reader import committed, follow, read_range
from stream.kafka.topic_specs import Topics
from stream.wiring.core import DEMO_BUNDLE
from tests.faults.chaos import Worker

PATIENCE_S: Final = 240.0
IDLE_S: Final = 10
"""Quiet time after which windows close: longer than sending takes, as the broker's clock tells it."""

PARTITIONS: Final = 4
"""What an embedded broker gives a topic that is created by first use."""

OWN_TIME: Final = {
    "message.timestamp.type": "CreateTime",
    "message.timestamp.after.max.ms": str(2**62),
    "retention.ms": "-1",
}
"""Settings of a topic whose messages carry times of their own, however old: the broker would soon delete them."""

Window = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Deployment:
    """Tocsin on a broker, under a prefix of its own; files go to ``folder``."""

    broker: Broker
    prefix: str
    folder: Path
    bundle: Path = DEMO_BUNDLE
    batch_lines: int = 700
    idle_s: int = IDLE_S
    partitions: int = PARTITIONS

    @property
    def topics(self) -> Topics:
        """Names of its topics."""
        return Topics(self.prefix)

    def environment(self, metrics_port: int = 0) -> dict[str, str]:
        """Settings for its processes."""
        return {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")} | {
            "TOCSIN_KAFKA_BOOTSTRAP_SERVERS": self.broker.bootstrap,
            "TOCSIN_TOPIC_PREFIX": self.prefix,
            "TOCSIN_BUNDLE": str(self.bundle),
            "TOCSIN_METRICS_PORT": str(metrics_port),
            "TOCSIN_METRICS_HOST": "127.0.0.1",
            "TOCSIN_RAW_PARTITIONS": str(self.partitions),
            "TOCSIN_EVENTS_PARTITIONS": str(self.partitions),
            "TOCSIN_IDLE_S": str(self.idle_s),
            "TOCSIN_BATCH_LINES": str(self.batch_lines),
            "POLARS_MAX_THREADS": "1",
        }

    def worker(self, metrics_port: int = 0) -> Worker:
        """Describe a process with all roles that publishes every window; not started yet."""
        return Worker("ingest,detect,explain", self.environment(metrics_port), self.folder / "tocsin.log")

    def send(self, values: Iterable[tuple[str, bytes]]) -> None:
        """Create the topics, put keys and records onto ``logs.raw`` and wait until the broker has them."""
        self.broker.ensure_topics(self.topics.specs(self.partitions))
        producer = self.broker.producer()
        for key, value in values:
            producer.produce(self.topics.logs_raw, value, key.encode())
            producer.poll(0)
        assert producer.flush(PATIENCE_S) == 0

    def await_windows(self, count: int, patience_s: float = PATIENCE_S, tenant: str = "") -> None:
        """Wait until ``anomalies`` holds so many different windows, of one tenant if it is given."""
        deadline = time.monotonic() + patience_s
        ids: set[str] = set()
        following = follow(self.broker, self.topics.anomalies)
        while len(ids) < count:
            record = next(following)
            if record is not None:
                window = orjson.loads(record.value or b"")
                if window["tenant"] == (tenant or window["tenant"]):
                    ids.add(window["id"])
            assert time.monotonic() < deadline, f"{len(ids)} of {count} windows; {self.log()}"
        following.close()

    def windows(self) -> dict[str, Window]:
        """Return what stands on ``anomalies``, by id; a window that is told twice must be told alike."""
        windows: dict[str, Window] = {}
        for record in read_range(self.broker, self.topics.anomalies):
            window = orjson.loads(record.value or b"")
            assert windows.setdefault(window["id"], window) == window
        return windows

    def log(self) -> str:
        """Return the end of what the process wrote on standard error."""
        return (self.folder / "tocsin.log").read_text(errors="replace")[-3000:]

    def tocsin(self, *arguments: str) -> list[Window]:
        """Run a command that writes windows to ``--out``, and return them."""
        out = self.folder / "windows.jsonl"
        command = [str(Path(sys.executable).parent / "tocsin"), *arguments, "--out", str(out)]
        done = subprocess.run(command, env=self.environment(), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return [orjson.loads(line) for line in out.read_bytes().splitlines()]

    def score(self, values: Iterable[tuple[str, bytes]]) -> dict[str, Window]:
        """Score the records without the broker, in the same order."""
        path = self.folder / "records.jsonl"
        path.write_bytes(b"".join(value + b"\n" for _, value in values))
        return by_id(self.tocsin("score", str(path)))

    def positions(self) -> tuple[dict[int, int], dict[int, int]]:
        """Return per raw partition what ingest has committed, and the end of what its frames cover."""
        group = f"{self.prefix}ingest"
        offsets = {p: o for p, (o, _) in committed(self.broker, group, self.topics.logs_raw).items()}
        covered: dict[int, int] = {}
        for record in read_range(self.broker, self.topics.logs_events):
            frame, _ = frames.decode(record.value or b"")
            for partition, span in frame.raw.items():
                if span.last >= span.first:
                    covered[partition] = max(covered.get(partition, 0), span.last + 1)
        return offsets, covered


def by_id(windows: Iterable[Window]) -> dict[str, Window]:
    """Windows by id; none may come twice."""
    named: dict[str, Window] = {}
    for window in windows:
        assert window["id"] not in named
        named[window["id"]] = window
    return named


def judged(windows: Mapping[str, Window], *without: str) -> dict[str, Window]:
    """Windows without what only a topic or a file knows of them."""
    dropped = {"schema", "bundle", *without}
    return {name: {k: v for k, v in window.items() if k not in dropped} for name, window in windows.items()}


def scraped(port: int, name: str, at_least: float, patience_s: float = PATIENCE_S) -> dict[str, float]:
    """Scrape a process until one metric has come to a value: a window is counted after it was sent."""
    deadline = time.monotonic() + patience_s
    while (metrics := _scrape(port)).get(name, 0) < at_least:
        assert time.monotonic() < deadline, f"{name} stays at {metrics.get(name)}"
        time.sleep(0.2)
    return metrics


def _scrape(port: int) -> dict[str, float]:
    """Return the metrics, summed over labels; of those with ``reason`` also ``name:reason``; none before it serves."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=PATIENCE_S) as answer:
            text = answer.read().decode()
    except OSError:
        return {}
    metrics: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            metrics[sample.name] = metrics.get(sample.name, 0.0) + sample.value
            if "reason" in sample.labels:
                metrics[f"{sample.name}:{sample.labels['reason']}"] = sample.value
    return metrics
