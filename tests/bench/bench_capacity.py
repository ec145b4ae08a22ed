"""What a line costs, for ``tocsin plan``: processor time of each process, bytes on each topic, memory.

``python -m tests.bench.bench_capacity [--few 200000] [--many 600000]`` serves ingest and detect on Apache Kafka twice
and takes the difference, so that starting counts for nothing; it prints what ``stream/capacity.json`` holds, and with
``--write`` writes it there.  Processor time hardly depends on what else the machine does; time on the wall would.
"""

import argparse
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from stream.kafka.clients import Broker
from stream.kafka.topic_specs import Topics
from stream.planning.slopes import SHIPPED
from stream.wiring.core import DEMO_BUNDLE
from tests.bench.bench_stream import PATIENCE_S, fill, metric
from tests.bench.measure import peak_mb
from tests.faults.chaos import Worker
from tests.kafka_server import KafkaServer
from tests.ports import held_port
from tests.waiting import until

ROLES: Final = ("ingest", "detect")


@dataclass(frozen=True, slots=True)
class Usage:
    """Seconds of processor time and megabytes of memory by process, bytes of logs by topic."""

    cpu_s: dict[str, float]
    memory_mb: dict[str, float]
    topic_bytes: dict[str, int]


def cpu_s(pid: int) -> float:
    """Return the processor time of a process so far, in seconds; Linux only."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def topic_bytes(folder: Path, prefix: str) -> dict[str, int]:
    """Return the size of each topic's segments, as the broker keeps them, by its name without the prefix."""
    sizes: dict[str, int] = {}
    for segment in folder.rglob("*.log"):
        topic, _, partition = segment.parent.name.rpartition("-")
        if topic.startswith(prefix) and partition.isdigit():
            name = topic.removeprefix(prefix)
            sizes[name] = sizes.get(name, 0) + segment.stat().st_size
    return sizes


def measured(server: KafkaServer, prefix: str, count: int) -> Usage:
    """Serve so many lines from the beginning to the end, and return what it took."""
    broker = Broker(server.bootstrap)
    before = cpu_s(server.pid)
    fill(broker, Topics(prefix), count)
    ports = {role: held_port() for role in ROLES}
    workers = {}
    for role, port in ports.items():
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")} | {
            "TOCSIN_KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap,
            "TOCSIN_TOPIC_PREFIX": prefix,
            "TOCSIN_BUNDLE": str(DEMO_BUNDLE),
            "TOCSIN_METRICS_PORT": str(port),
            "TOCSIN_METRICS_HOST": "127.0.0.1",
            "POLARS_MAX_THREADS": "1",
        }
        workers[role] = Worker(role, environment, server.folder / f"{prefix}{role}.log", publish_all=False)
        workers[role].start()
    until(lambda: metric(ports["ingest"], "tocsin_lines_total") >= count, PATIENCE_S)
    written = metric(ports["ingest"], "tocsin_frames_total", "out")
    until(lambda: metric(ports["detect"], "tocsin_frames_total", "in") >= written, PATIENCE_S)
    pids = {role: worker.process.pid for role, worker in workers.items() if worker.process is not None}
    spent = {role: cpu_s(pid) for role, pid in pids.items()} | {"broker": cpu_s(server.pid) - before}
    memory = {role: peak_mb(pid) for role, pid in pids.items()}
    for worker in workers.values():
        worker.stop()
    return Usage(spent, memory, topic_bytes(server.folder, prefix))


def slopes(few: Usage, many: Usage, lines: int) -> dict[str, Any]:
    """Return what ``lines`` more lines cost, each, as the file holds it."""
    per_line = {f"{name}_cpu_s": (many.cpu_s[name] - few.cpu_s[name]) / lines for name in many.cpu_s}
    sizes = {name: (size - few.topic_bytes.get(name, 0)) / lines for name, size in many.topic_bytes.items()}
    return {
        "measured_by": "python -m tests.bench.bench_capacity --write",
        "per_line": {
            **{name: round(value, 9) for name, value in per_line.items()},
            "bytes": {name: round(size, 2) for name, size in sorted(sizes.items()) if size > 0},
        },
        "memory_mb": {name: round(value) for name, value in many.memory_mb.items()},
    }


def main() -> None:
    """Measure and print, or write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--few", type=int, default=200_000)
    parser.add_argument("--many", type=int, default=600_000)
    parser.add_argument("--write", action="store_true", help="write stream/capacity.json")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        server = KafkaServer(Path(scratch))
        server.start()
        try:
            few = measured(server, "few.", chosen.few)
            many = measured(server, "many.", chosen.many)
        finally:
            server.kill()
    text = orjson.dumps(slopes(few, many, chosen.many - chosen.few), option=orjson.OPT_INDENT_2)
    print(text.decode())
    if chosen.write:
        SHIPPED.write_bytes(text + b"\n")


if __name__ == "__main__":
    main()
