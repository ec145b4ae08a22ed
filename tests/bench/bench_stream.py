"""From ``logs.raw`` to scored windows: Tocsin's roles, a per-message agent with Drain3, a bare consumer.

``python -m tests.bench.bench_stream [--lines 300000] [--turns 3]`` starts Apache Kafka, fills ``logs.raw`` with
simulated lines and measures all three in turn; then, without a broker, what many sources and many sessions cost, and
where the time goes.  Everything runs on this machine's cores, the broker included.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Final

from confluent_kafka import Consumer
from prometheus_client.parser import text_string_to_metric_families

from stream.kafka.clients import Broker
from stream.kafka.topic_specs import Topics
from stream.wiring.core import DEMO_BUNDLE
from tests.bench.measure import peak_mb, ratio, row
from tests.bench.pipeline import all_detectors, many_keys, profile, storm
from tests.faults.chaos import Worker
from tests.integration.streamed import OWN_TIME
from tests.kafka_server import KafkaServer
from tests.ports import held_port
from training.simulate import Scenario, SimRecord, stream_records

START: Final = datetime(2026, 3, 2, 9, tzinfo=UTC)
PARTITIONS: Final = 4
PATIENCE_S: Final = 600.0
STORM_LINES: Final = 50_000


@dataclass(frozen=True, slots=True)
class Run:
    """Lines a second, and peak memory (MB) of the ingest and the detect process."""

    rate: float
    ingest_mb: float
    detect_mb: float


def simulated(count: int) -> Iterator[SimRecord]:
    """So many simulated records, as a shipper sends them: keyed by file."""
    return islice(stream_records(Scenario(5, START, 10_000_000.0)), count)


def fill(broker: Broker, topics: Topics, count: int) -> None:
    """Create the topics and put the records onto ``logs.raw``.

    Hours of lines arrive within seconds, so the broker is told their own times, as if it had stamped each on arrival:
    by these times ingest reads the partitions side by side.
    """
    specs = topics.specs(PARTITIONS)
    raw = next(spec for spec in specs if spec.name == topics.logs_raw)
    broker.ensure_topics(
        [replace(spec, configs={**spec.configs, **OWN_TIME}) if spec is raw else spec for spec in specs]
    )
    producer = broker.producer()
    for record in simulated(count):
        producer.produce(topics.logs_raw, record.value, record.key.encode(), timestamp=record.time // 1000)
        producer.poll(0)
    assert producer.flush(PATIENCE_S) == 0


def worker_of(broker: Broker, prefix: str, role: str, folder: Path) -> tuple[Worker, int]:
    """A process of one role that is not started yet, and the port of its metrics."""
    port = held_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")} | {
        "TOCSIN_KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap,
        "TOCSIN_TOPIC_PREFIX": prefix,
        "TOCSIN_BUNDLE": str(DEMO_BUNDLE),
        "TOCSIN_METRICS_PORT": str(port),
        "TOCSIN_METRICS_HOST": "127.0.0.1",
        "POLARS_MAX_THREADS": "1",
    }
    return Worker(role, environment, folder / f"{prefix}{role}.log", publish_all=False), port


def roles(broker: Broker, prefix: str, count: int, folder: Path) -> Run:
    """Serve ingest and detect as two processes from the beginning of ``logs.raw`` until all is scored."""
    # A group of its own each time: the prefix names topics too, so they are filled anew.
    fill(broker, Topics(prefix), count)
    (ingest, ingest_port), (detect, detect_port) = (
        worker_of(broker, prefix, role, folder) for role in ("ingest", "detect")
    )
    detect.start()
    until(lambda: metric(detect_port, "tocsin_role_up") == 1)
    ingest.start()
    until(lambda: metric(ingest_port, "tocsin_lines_total") > 0)
    started = time.perf_counter()
    first = metric(ingest_port, "tocsin_lines_total")
    until(lambda: metric(ingest_port, "tocsin_lines_total") >= count)
    written = metric(ingest_port, "tocsin_frames_total", "out")
    until(lambda: metric(detect_port, "tocsin_frames_total", "in") >= written)
    rate = (count - first) / (time.perf_counter() - started)
    memory = [peak_mb(worker.process.pid) for worker in (ingest, detect) if worker.process is not None]
    for worker in (ingest, detect):
        worker.stop()
    return Run(rate, *memory)


def metric(port: int, name: str, label: str | None = None) -> float:
    """Value of a metric on ``/metrics``, summed over labels; 0 while nobody answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:  # loopback only
            text = answer.read().decode()
    except OSError:
        return 0.0
    samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    return sum(s.value for s in samples if s.name == name and (label is None or label in s.labels.values()))


def until(happened: Callable[[], bool]) -> None:
    """Wait until something is so; raises TimeoutError when it never is."""
    deadline = time.monotonic() + PATIENCE_S
    while not happened():
        if time.monotonic() > deadline:
            message = "nothing moves any more; see the logs in the folder"
            raise TimeoutError(message)
        time.sleep(0.2)


def bare(broker: Broker, topic: str, count: int) -> float:
    """Lines a second of a consumer that only reads."""
    consumer = Consumer(
        {"bootstrap.servers": broker.bootstrap, "group.id": f"bare-{time.time_ns()}", "auto.offset.reset": "earliest"}
    )
    consumer.subscribe([topic])
    seen, started = 0, 0.0
    while seen < count:
        batch = consumer.consume(10_000, 1.0)
        started = started or (time.perf_counter() if batch else 0.0)
        seen += len(batch)
    consumer.close()
    return count / (time.perf_counter() - started)


def naive(broker: Broker, topic: str, count: int) -> float:
    """Lines a second of the per-message agent."""
    command = [sys.executable, "-m", "tests.bench.naive", broker.bootstrap, topic, str(count)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=PATIENCE_S)
    return float(done.stdout.split()[-1])


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=300_000)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--keys", type=int, default=1_000_000, help="lines, each of a session of its own")
    chosen = parser.parse_args()
    few = min(20_000, chosen.lines)
    runs, agents, consumers = [], [], []
    with tempfile.TemporaryDirectory() as scratch:
        server = KafkaServer(Path(scratch))
        server.start()
        try:
            broker = Broker(server.bootstrap)
            for turn in range(chosen.turns):
                prefix = f"bench{turn}."
                runs.append(roles(broker, prefix, chosen.lines, Path(scratch)))
                consumers.append(bare(broker, f"{prefix}logs.raw", chosen.lines))
                fill(broker, Topics(f"few{turn}."), few)
                agents.append(naive(broker, f"few{turn}.logs.raw", few))
        finally:
            server.kill()
    rates = [run.rate for run in runs]
    print(f"{os.cpu_count()} cores, Apache Kafka beside, {chosen.lines:,} simulated lines, {chosen.turns} turns")
    print(row("ingest + detect, raw lines to scored windows", rates, "lines/s"))
    print(row("per-message Faust agent, Drain3, ONNX", agents, "lines/s"))
    print(row("bare consumer", consumers, "lines/s"))
    print(f"over the per-message agent: {ratio(rates, agents)}; of the bare consumer: {ratio(rates, consumers)}")
    print(row("peak memory of ingest", [run.ingest_mb for run in runs], "MB"))
    print(row("peak memory of detect", [run.detect_mb for run in runs], "MB"))
    print(many_keys(chosen.keys, chosen.turns))
    print(all_detectors(chosen.lines, chosen.turns))
    print(storm(min(chosen.lines, STORM_LINES), chosen.turns))
    print(profile(chosen.lines))


if __name__ == "__main__":
    main()
