"""What ingest and detect use while little happens: 20 lines a second over 8 partitions of ``logs.raw``.

``python -m tests.bench.bench_idle [--seconds 60]`` starts Apache Kafka and both roles, and prints the share of a core
that each used and its memory, after the first seconds of starting.
"""

import argparse
import sys
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from confluent_kafka import Producer

from stream.kafka.clients import Broker
from stream.kafka.topic_specs import Topics
from tests.bench.bench_stream import metric, until, worker_of
from tests.bench.measure import cpu_s, peak_mb
from tests.faults.chaos import Worker
from tests.kafka_server import KafkaServer
from training.simulate import Scenario, SimRecord, stream_records

PARTITIONS: Final = 8
LINES_PER_SECOND: Final = 20
STARTING_S: Final = 15.0


def feed(producer: Producer, topic: str, records: list[SimRecord], seconds: float) -> None:
    """Send so many lines a second, keyed by file as a shipper does."""
    stop = time.monotonic() + seconds
    while time.monotonic() < stop:
        record = records.pop()
        producer.produce(topic, record.value, record.key.encode())
        producer.poll(0)
        time.sleep(1 / LINES_PER_SECOND)


def _is_up(port: int) -> bool:
    return metric(port, "tocsin_role_up") == 1


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    seconds = parser.parse_args().seconds
    needed = round((seconds + STARTING_S) * LINES_PER_SECOND) + LINES_PER_SECOND
    records = [
        record for record, _ in zip(stream_records(Scenario(5, datetime.now(UTC), 1e7)), range(needed), strict=False)
    ]
    records.reverse()
    with tempfile.TemporaryDirectory() as scratch:
        server = KafkaServer(Path(scratch))
        server.start()
        try:
            print(measured(Broker(server.bootstrap), Path(scratch), records, seconds))
        finally:
            server.kill()


def measured(broker: Broker, scratch: Path, records: list[SimRecord], seconds: float) -> str:
    """Serve both roles for a while; what they used, as text."""
    topics = Topics("idle.")
    both = {topics.logs_raw, topics.logs_events}
    specs = topics.specs(PARTITIONS)
    broker.ensure_topics([replace(spec, partitions=PARTITIONS) if spec.name in both else spec for spec in specs])
    workers: dict[str, tuple[Worker, int]] = {}
    for role in ("detect", "ingest"):
        workers[role] = worker_of(broker, topics.prefix, role, scratch)
        workers[role][0].start()
        until(partial(_is_up, workers[role][1]))
    producer = broker.producer()
    feed(producer, topics.logs_raw, records, STARTING_S)
    pids = {role: worker.process.pid for role, (worker, _) in workers.items() if worker.process is not None}
    before, started = {role: cpu_s(pid) for role, pid in pids.items()}, time.monotonic()
    feed(producer, topics.logs_raw, records, seconds)
    took = time.monotonic() - started
    out = [f"{LINES_PER_SECOND} lines/s over {PARTITIONS} partitions, {took:.0f} s, Python {sys.version.split()[0]}"]
    for role, pid in pids.items():
        out.append(f"{role}: {(cpu_s(pid) - before[role]) / took:.1%} of a core, {peak_mb(pid):.0f} MB")
    for worker, _ in workers.values():
        worker.stop()
    return "\n".join(out)


if __name__ == "__main__":
    main()
