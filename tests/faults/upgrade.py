"""Upgrade workers one by one while lines flow, and roll back, and compare what comes out with an undisturbed run.

    python -m tests.faults.upgrade --old 1f4fcd1 --lines 60000

checks the old version out into a folder of its own and starts Apache Kafka.  Ingest and detect of the old version
begin; those of this version join them, the old ones leave, and at the end they come back in place of the new ones.
Every window must be on ``anomalies`` as this version tells it of the same lines in files.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Final

import orjson

from stream.kafka.clients import Broker
from tests.faults.chaos import Outcome, Worker, _collect, expected_windows, lines
from tests.integration.streamed import Deployment
from tests.kafka_server import KafkaServer

ROOT: Final = Path(__file__).parents[2]
IDLE_S: Final = 30
"""Quiet time after which windows close: longer than a change of workers takes."""

STEPS: Final = (("new joins", 0.25), ("old leaves", 0.45), ("old joins", 0.65), ("new leaves", 0.85))
"""What happens, and after which share of the lines."""


def upgrade(deployment: Deployment, old: Path, count: int, rate: float, patience_s: float) -> Outcome:
    """Stream lines at a rate (a second) through workers of both versions; ``old`` is the folder of the old one."""
    path = deployment.folder / "lines.jsonl"
    values = list(lines(count, 10))
    path.write_bytes(b"".join(value + b"\n" for _, value in values))
    environment = deployment.environment() | {"PYTHONPATH": str(ROOT)}
    outcome = Outcome(expected_windows(path, deployment.bundle, environment))
    workers = {
        version: [
            Worker(role, environment | {"PYTHONPATH": str(code)}, deployment.folder / f"{version}-{role}.log")
            for role in ("ingest", "detect")
        ]
        for version, code in (("old", old), ("new", ROOT))
    }
    deployment.broker.ensure_topics(deployment.topics.specs(deployment.partitions))
    _start(workers["old"])
    statuses: list[int] = []
    try:
        _stream(deployment, values, rate, workers, statuses)
        _collect(deployment.broker.bootstrap, deployment.prefix, outcome, patience_s)
    finally:
        statuses += [worker.stop() for version in workers.values() for worker in version]
    if any(statuses):
        raise RuntimeError(f"workers ended with {statuses}; see their logs in {deployment.folder}")
    return outcome


def _stream(
    deployment: Deployment,
    values: list[tuple[str, bytes]],
    rate: float,
    workers: dict[str, list[Worker]],
    statuses: list[int],
) -> None:
    """Send the lines, and change workers between them; while some say good-bye, lines flow on."""
    producer = deployment.broker.producer()
    steps = [(int(share * len(values)), step) for step, share in STEPS]
    began = time.monotonic()

    def take(step: str) -> None:
        sys.stderr.write(f"{time.monotonic() - began:.0f} s: {step}\n")
        if step.endswith("leaves"):
            statuses.extend(worker.stop() for worker in workers[step.partition(" ")[0]])
        else:
            _start(workers[step.partition(" ")[0]])

    with ThreadPoolExecutor(1) as aside:
        taken = []
        for number, (key, value) in enumerate(values):
            while number / rate > time.monotonic() - began:
                producer.poll(0.01)
            producer.produce(deployment.topics.logs_raw, value, key.encode())
            while steps and steps[0][0] <= number:
                taken.append(aside.submit(take, steps.pop(0)[1]))
        for done in taken:
            done.result()
    assert producer.flush(60) == 0


def _start(workers: list[Worker]) -> None:
    for worker in workers:
        worker.start()


def main() -> None:
    """Run from the command line; exit 1 where the runs differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--old", default="HEAD~1", help="the version to upgrade from, as git names it")
    parser.add_argument("--lines", type=int, default=60_000)
    parser.add_argument("--rate", type=float, default=500.0, help="lines a second")
    parser.add_argument("--patience", type=float, default=120.0, help="seconds without a new window that end the run")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="tocsin-upgrade-"))
    old = folder / "old"
    old.mkdir()
    archive = subprocess.run(["git", "archive", arguments.old], cwd=ROOT, capture_output=True, check=True)
    subprocess.run(["tar", "-x", "-C", str(old)], input=archive.stdout, check=True)
    server = KafkaServer(folder / "kafka")
    server.start()
    try:
        deployment = replace(Deployment(Broker(server.bootstrap), "upgrade.", folder), idle_s=IDLE_S)
        outcome = upgrade(deployment, old, arguments.lines, arguments.rate, arguments.patience)
    finally:
        server.stop()
    (folder / "outcome.json").write_bytes(
        orjson.dumps({name: sorted(getattr(outcome, name)) for name in ("missing", "foreign", "different")})
    )
    sys.stdout.write(f"{outcome}\nlogs in {folder}\n")
    sys.exit(not outcome.exact)


if __name__ == "__main__":
    main()
