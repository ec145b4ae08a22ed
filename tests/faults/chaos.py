"""Kill ingest and detect at random moments while lines flow, and compare what comes out with an undisturbed run.

    python -m tests.faults.chaos --lines 1000000 --kills 20

starts Apache Kafka, simulates clouds (a tenant each), scores their lines through files, and then streams the same lines
while workers are killed with SIGKILL, started again, joined and left.  Every window must be on ``anomalies`` with the
score, the parts and the reasons that it has without Kafka; none may be missing, and none may differ.
With ``--kills 0`` nobody is killed, joined or left: the undisturbed run on Kafka.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import orjson

from stream.kafka.clients import Broker
from stream.kafka.reader import read_range
from stream.kafka.topic_specs import Topics
from tests.compared import by_id, said
from tests.kafka_server import KafkaServer
from training.simulate import Scenario, stream_records

START: Final = datetime(2026, 3, 3, 8, 0, tzinfo=UTC)
IDLE_S: Final = 15
"""Quiet time after which windows close: longer than the sender may ever rest, as the broker's clock tells it."""

PATIENCE_S: Final = 180.0
"""Without a new window for so long, the stream is taken to be at rest."""

STOP_S: Final = 240.0
"""How long a worker may take to deliver, commit and go, on a machine that has other things to do."""


@dataclass(slots=True)
class Outcome:
    """What came of a run: windows expected and found, by id with all that is said of them."""

    expected: dict[str, bytes]
    found: dict[str, bytes] = field(default_factory=dict)
    records: int = 0
    kills: int = 0
    conflicts: int = 0

    @property
    def missing(self) -> set[str]:
        """Windows that no record tells of."""
        return set(self.expected) - set(self.found)

    @property
    def foreign(self) -> set[str]:
        """Windows that the undisturbed run does not have."""
        return set(self.found) - set(self.expected)

    @property
    def different(self) -> set[str]:
        """Windows with another score, or another word."""
        return {i for i in set(self.found) & set(self.expected) if self.found[i] != self.expected[i]}

    @property
    def exact(self) -> bool:
        """Whether both runs say the same."""
        return not (self.missing or self.foreign or self.different or self.conflicts)

    def __str__(self) -> str:
        """One line for people."""
        return (
            f"{len(self.expected)} windows expected, {len(self.found)} found in {self.records} records "
            f"({self.records - len(self.found)} sent again), {self.kills} kills: {len(self.missing)} missing, "
            f"{len(self.foreign)} foreign, {len(self.different)} different, {self.conflicts} in conflict"
        )


@dataclass(slots=True)
class Worker:
    """One process of Tocsin; ``publish_all`` sends every window to ``anomalies``, to compare runs by.

    ``shadow`` is the bundle that judges beside the one in use.
    """

    roles: str
    environment: dict[str, str]
    log: Path
    publish_all: bool = True
    shadow: Path | None = None
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, or start it again."""
        command = [str(Path(sys.executable).parent / "tocsin"), "run", "--roles", self.roles]
        command += ["--publish-all"] if self.publish_all else []
        command += ["--shadow", str(self.shadow)] if self.shadow else []
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)

    def kill(self) -> None:
        """Kill it, without a chance to finish anything."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """Let it finish; returns its exit status."""
        return self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> int:
        if self.process is None:
            return 0
        self.process.send_signal(number)
        status = self.process.wait(STOP_S)
        self.process = None
        return status


def lines(count: int, tenants: int, load: float = 1.0) -> Iterator[tuple[str, bytes]]:
    """Tenant and record of simulated lines, the tenants in turn, until there are ``count``."""
    streams = [
        stream_records(Scenario(seed=n, start=START, duration_s=1e6, rate=load, tenant=f"cloud-{n}"))
        for n in range(tenants)
    ]
    for n in range(count):
        tenant = n % tenants
        yield f"cloud-{tenant}", next(streams[tenant]).value


def expected_windows(path: Path, bundle: Path, environment: dict[str, str]) -> dict[str, bytes]:
    """Score the file without Kafka: window id → what is said of it."""
    out = path.with_suffix(".windows")
    command = [
        str(Path(sys.executable).parent / "tocsin"),
        "score",
        str(path),
        "--bundle",
        str(bundle),
        "--out",
        str(out),
    ]
    subprocess.run(command, check=True, env=environment, stderr=subprocess.DEVNULL)
    with out.open("rb") as file:
        return by_id(file)


def chaos(
    bootstrap: str,
    folder: Path,
    bundle: Path,
    count: int,
    kills: int,
    tenants: int,
    rate: float,
    seed: int,
    patience_s: float = PATIENCE_S,
    idle_s: int = IDLE_S,
    load: float = 1.0,
) -> Outcome:
    """Run it on the broker at ``bootstrap``; ``rate`` is in lines a second."""
    rng = random.Random(seed)
    prefix = f"chaos-{seed}-{os.getpid()}."
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")} | {
        "TOCSIN_KAFKA_BOOTSTRAP_SERVERS": bootstrap,
        "TOCSIN_TOPIC_PREFIX": prefix,
        "TOCSIN_BUNDLE": str(bundle),
        "TOCSIN_METRICS_PORT": "0",
        "TOCSIN_RAW_PARTITIONS": "4",
        "TOCSIN_EVENTS_PARTITIONS": "4",
        "TOCSIN_IDLE_S": str(idle_s),
        "POLARS_MAX_THREADS": "1",
    }
    path = folder / "lines.jsonl"
    with path.open("wb") as file:
        file.writelines(value + b"\n" for _, value in lines(count, tenants, load))
    outcome = Outcome(expected_windows(path, bundle, environment))
    workers = [
        Worker("ingest", environment, folder / "ingest.log"),
        Worker("detect", environment, folder / "detect-1.log"),
        Worker("detect", environment, folder / "detect-2.log"),
    ]
    for worker in workers[:2]:
        worker.start()
    try:
        _stream(bootstrap, prefix, path, workers, rng, kills, rate, outcome)
        _collect(bootstrap, prefix, outcome, patience_s)
    finally:
        statuses = [worker.stop() for worker in workers]
    if any(statuses):
        raise RuntimeError(f"workers ended with {statuses}; see their logs in {folder}")
    return outcome


def _stream(
    bootstrap: str,
    prefix: str,
    path: Path,
    workers: list[Worker],
    rng: random.Random,
    kills: int,
    rate: float,
    outcome: Outcome,
) -> None:
    """Send the lines at the rate, and kill workers at random moments between."""
    broker = Broker(bootstrap)
    topic = Topics(prefix).logs_raw
    while topic not in broker.topics():
        time.sleep(0.2)
    producer = broker.producer()
    values = path.read_bytes().splitlines()
    moments = sorted(rng.randrange(len(values) // 20, len(values)) for _ in range(kills))
    joins = sorted(rng.randrange(len(values)) for _ in range(max(2, kills // 4) if kills else 0))
    began = time.monotonic()
    guest, leaving = workers[2], Future[int]()
    leaving.set_result(0)
    with ThreadPoolExecutor(1) as aside:
        for n, value in enumerate(values):
            while n / rate > time.monotonic() - began:
                producer.poll(0.01)
            producer.produce(topic, value, json.loads(value)["tenant"].encode())
            producer.poll(0)
            while moments and moments[0] <= n:
                moments.pop(0)
                here = [w for w in workers if w.process is not None and (w is not guest or leaving.done())]
                victim = rng.choice(here)
                victim.kill()
                outcome.kills += 1
                victim.start()
            while joins and joins[0] <= n:
                joins.pop(0)
                # While it starts it has no manners yet, and the signal ends it at once: no harm, it holds nothing.
                if leaving.result() not in {0, -signal.SIGTERM}:
                    message = f"a worker that was told to leave ended with {leaving.result()}"
                    raise RuntimeError(message)
                if guest.process is None:
                    guest.start()
                else:
                    # Aside: while it says good-bye, lines flow on.
                    leaving = aside.submit(guest.stop)
    producer.flush()


def _collect(bootstrap: str, prefix: str, outcome: Outcome, patience_s: float) -> None:
    """Read ``anomalies`` until all windows are there, or nothing has come for long."""
    broker, topic = Broker(bootstrap), Topics(prefix).anomalies
    rest_since, seen = time.monotonic(), -1
    while time.monotonic() - rest_since < patience_s:
        time.sleep(1.0)
        (_, high), *_ = broker.watermarks(topic).values()
        if high != seen:
            rest_since, seen = time.monotonic(), high
            continue
        if high and _read(broker, topic, outcome) and not outcome.missing:
            return
    _read(broker, topic, outcome)


def _read(broker: Broker, topic: str, outcome: Outcome) -> bool:
    outcome.found, outcome.records, outcome.conflicts = {}, 0, 0
    for record in read_range(broker, topic):
        window = orjson.loads(record.value or b"{}")
        outcome.records += 1
        now = said(window)
        outcome.conflicts += outcome.found.setdefault(window["id"], now) != now
    return bool(outcome.found)


def main() -> None:
    """Run from the command line; exit 1 where the runs differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--tenants", type=int, default=40)
    parser.add_argument("--load", type=float, default=1.0, help="each tenant's work; at 60 windows over all are folded")
    parser.add_argument("--rate", type=float, default=5000.0, help="lines a second")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--patience", type=float, default=300.0, help="seconds without a new window that end the run")
    parser.add_argument("--idle", type=int, default=60, help="seconds of quiet after which windows close")
    parser.add_argument("--bundle", type=Path, default=Path(__file__).parents[2] / "stream" / "demo_bundle")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="tocsin-chaos-"))
    server = KafkaServer(folder / "kafka")
    server.start()
    try:
        outcome = chaos(
            server.bootstrap,
            folder,
            arguments.bundle,
            arguments.lines,
            arguments.kills,
            arguments.tenants,
            arguments.rate,
            arguments.seed,
            arguments.patience,
            arguments.idle,
            arguments.load,
        )
    finally:
        server.stop()
    sys.stdout.write(f"{outcome}\nlogs in {folder}\n")
    sys.exit(not outcome.exact)


if __name__ == "__main__":
    main()
