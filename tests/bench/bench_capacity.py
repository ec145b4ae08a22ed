"""What a line costs, for ``tocsin plan``: processor time of each process, bytes on each topic, memory.

``python -m tests.bench.bench_capacity [--few 200000] [--many 600000]`` serves ingest and detect on Apache Kafka twice
and takes the difference, so that starting counts for nothing; it prints what ``stream/capacity.json`` holds, and with
``--write`` writes it there.  Processor time hardly depends on what else the machine does; time on the wall would.
"""

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from stream.kafka.clients import Broker
from stream.kafka.topic_specs import Topics
from stream.planning.slopes import SHIPPED
from tests.bench.bench_stream import fill, metric, until, worker_of
from tests.bench.measure import cpu_s, peak_mb
from tests.kafka_server import KafkaServer

ROLES: Final = ("ingest", "detect")


@dataclass(frozen=True, slots=True)
class Usage:
    """Seconds of processor time and megabytes of memory by process, bytes of logs by topic."""

    cpu_s: dict[str, float]
    memory_mb: dict[str, float]
    topic_bytes: dict[str, int]


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
    served = {role: worker_of(broker, prefix, role, server.folder) for role in ROLES}
    workers = {role: worker for role, (worker, _) in served.items()}
    ports = {role: port for role, (_, port) in served.items()}
    for worker in workers.values():
        worker.start()
    until(lambda: metric(ports["ingest"], "tocsin_lines_total") >= count)
    written = metric(ports["ingest"], "tocsin_frames_total", "out")
    until(lambda: metric(ports["detect"], "tocsin_frames_total", "in") >= written)
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
