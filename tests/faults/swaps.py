"""Promote versions while lines flow and workers are killed, and compare with a replay and with the topic of promotions.

    python -m tests.faults.swaps --seconds 300 --swaps 20 --kills 10

starts Apache Kafka, registers versions in a store, and streams simulated lines in real time through one ``ingest`` and
three ``detect``.  Every window must be on ``anomalies`` as a replay decides it, and be judged by the version that was
due when it ended; none may be missing or told twice in different words.
"""

import argparse
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Final

import numpy as np
import orjson

from models.bundle import Bundle
from models.schedule import OneScorer
from models.templates.matcher import TemplateTable
from stream.kafka.clients import Broker
from stream.kafka.reader import read_range
from stream.kafka.topic_specs import Topics
from stream.promotion.timeline import PromotionTimeline
from stream.replay import decided_frames
from stream.settings import Settings
from stream.topics.promotions import read_promotions
from stream.wiring.core import DEMO_BUNDLE, make_components
from tests.bench.measure import peak_mb
from tests.compared import said
from tests.faults.chaos import Worker
from tests.kafka_server import KafkaServer
from training.simulate import Scenario, stream_records

LEAD_S: Final = 20
IDLE_S: Final = 15
"""Quiet time after which windows close, by the broker's clock."""


WARM_S: Final = 75
"""Seconds from the first window on after which windows close all the time."""


@dataclass(slots=True)
class SwapOutcome:
    """What came of a run: windows by id, as told on the topic (in words, and by which bundle) and as replayed."""

    told: dict[str, bytes] = field(default_factory=dict)
    bundles: dict[str, str] = field(default_factory=dict)
    replayed: dict[str, bytes] = field(default_factory=dict)
    due: dict[str, str] = field(default_factory=dict)
    conflicts: int = 0
    kills: int = 0
    ended: float = 0.0
    """When the last line was sent, in seconds since 1970."""
    swaps: int = 0
    peak_mb: float = 0.0
    pause_s: float = 0.0
    """Longest time without a window on the topic while lines flowed: without kills, what promotions cost."""
    ready_s: list[float] = field(default_factory=list)
    """From each promotion until a worker had the version in memory; long of those that were killed meanwhile."""

    @property
    def missing(self) -> int:
        """Windows of the replay that were not told."""
        return len(set(self.replayed) - set(self.told))

    @property
    def foreign(self) -> int:
        """Windows that were told and are not in the replay."""
        return len(set(self.told) - set(self.replayed))

    @property
    def different(self) -> int:
        """Windows with another score, or another word."""
        return sum(self.told[i] != self.replayed[i] for i in set(self.told) & set(self.replayed))

    @property
    def undue(self) -> int:
        """Windows that another version judged than the one that was due."""
        return sum(self.bundles[i] != self.due[i] for i in self.due)

    @property
    def is_exact(self) -> bool:
        """Whether stream, replay and promotions say the same."""
        return bool(self.told) and not (self.missing or self.foreign or self.different or self.undue or self.conflicts)

    def __str__(self) -> str:
        """One line for people."""
        by_bundle = sorted(map(list(self.bundles.values()).count, set(self.bundles.values())), reverse=True)
        ready = f"{median(self.ready_s):.1f} s" if self.ready_s else "not measured"
        return (
            f"{len(self.told)} windows by {len(by_bundle)} bundles ({by_bundle}), {self.swaps} promotions, "
            f"{self.kills} kills: {self.missing} missing, {self.foreign} foreign, {self.different} different, "
            f"{self.undue} by a version that was not due, {self.conflicts} in conflict; largest worker "
            f"{self.peak_mb:.0f} MB, longest pause {self.pause_s:.1f} s, "
            f"a worker had a version in memory {ready} after its promotion (median)"
        )


def versions(folder: Path) -> list[Path]:
    """Write bundles that decide differently: as it ships, without one detector each, and with a template less."""
    demo = Bundle.load(DEMO_BUNDLE)
    bundles = [demo]
    for name in ("novelty", "lstm"):
        parts = {part: tail for part, tail in demo.calibration.parts.items() if part != name}
        bundles.append(replace(demo, calibration=replace(demo.calibration, parts=parts)))
    fewer = TemplateTable.from_bytes(b"\n".join(demo.table.to_bytes().split(b"\n")[:-1]))
    bundles.append(replace(demo, table=fewer))
    paths = []
    for number, bundle in enumerate(bundles):
        bundle.write(folder / f"bundle-{number}")
        paths.append(folder / f"bundle-{number}")
    return paths


def tocsin(environment: dict[str, str], *args: str) -> str:
    """Run a command to its end, and return what it says."""
    command = [str(Path(sys.executable).parent / "tocsin"), *args]
    return subprocess.run(command, check=True, env=environment, capture_output=True, text=True).stdout


def swaps(bootstrap: str, folder: Path, seconds: float, count: int, kills: int, tenants: int, seed: int) -> SwapOutcome:
    """Run it on the broker at ``bootstrap``."""
    rng = random.Random(seed)
    store = f"file://{folder}/store"
    prefix = f"swaps-{seed}-{os.getpid()}."
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")} | {
        "TOCSIN_KAFKA_BOOTSTRAP_SERVERS": bootstrap,
        "TOCSIN_TOPIC_PREFIX": prefix,
        "TOCSIN_MODELS": store,
        "TOCSIN_BUNDLE": f"{store}/demo@champion",
        "TOCSIN_CACHE_PATH": str(folder / "cache"),
        "TOCSIN_METRICS_PORT": "0",
        "TOCSIN_RAW_PARTITIONS": "2",
        "TOCSIN_EVENTS_PARTITIONS": "4",
        "TOCSIN_IDLE_S": str(IDLE_S),
        "POLARS_MAX_THREADS": "1",
    }
    for path in versions(folder):
        tocsin(environment, "models", "check-in", str(path), "--name", "demo")
    tocsin(environment, "models", "promote", "demo@v1", "--alias-only")
    workers = [Worker("ingest", environment, folder / "ingest.log")]
    workers += [Worker("detect", environment, folder / f"detect-{number}.log") for number in range(3)]
    outcome = SwapOutcome()
    for worker in workers:
        worker.start()
    try:
        _stream(Broker(bootstrap), prefix, environment, workers, rng, seconds, count, kills, tenants, outcome)
        _collect(Broker(bootstrap), prefix, outcome)
        outcome.peak_mb = max(_peak_mb(worker) for worker in workers)
    finally:
        statuses = [worker.stop() for worker in workers]
    if any(statuses):
        raise RuntimeError(f"workers ended with {statuses}; see their logs in {folder}")
    out = folder / "replay.jsonl"
    tocsin(environment, "replay", "--from", "0", "--out", str(out))
    outcome.replayed = {window["id"]: said(window) for window in map(orjson.loads, out.read_bytes().splitlines())}
    _judge_due(Broker(bootstrap), prefix, outcome, folder / "bundle-0")
    outcome.ready_s = list(_ready(folder))
    return outcome


def _stream(
    broker: Broker,
    prefix: str,
    environment: dict[str, str],
    workers: Sequence[Worker],
    rng: random.Random,
    seconds: float,
    count: int,
    kills: int,
    tenants: int,
    outcome: SwapOutcome,
) -> None:
    """Send lines as they happen; promote and kill between."""
    topic = Topics(prefix).logs_raw
    while topic not in broker.topics():
        time.sleep(0.2)
    producer = broker.producer()
    began = time.time()
    streams = [
        stream_records(Scenario(seed=n, start=datetime.fromtimestamp(began, UTC), duration_s=1e6, tenant=f"cloud-{n}"))
        for n in range(tenants)
    ]
    waiting = [next(stream) for stream in streams]
    promotions = sorted(began + rng.uniform(0, max(seconds - LEAD_S, 1)) for _ in range(count))
    deaths = sorted(began + rng.uniform(5, seconds) for _ in range(kills))
    orders: list[subprocess.Popen[bytes]] = []
    while (now := time.time()) < began + seconds:
        for n, stream in enumerate(streams):
            while waiting[n].time <= now * 1e6:
                producer.produce(topic, waiting[n].value, f"cloud-{n}".encode())
                waiting[n] = next(stream)
        producer.poll(0.05)
        if promotions and promotions[0] <= now:
            promotions.pop(0)
            version = f"demo@v{rng.randrange(1, 5)}"
            command = [str(Path(sys.executable).parent / "tocsin"), "models", "promote", version, "--in", str(LEAD_S)]
            orders.append(subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL))
            outcome.swaps += 1
        if deaths and deaths[0] <= now:
            deaths.pop(0)
            victim = rng.choice(workers)
            outcome.peak_mb = max(outcome.peak_mb, _peak_mb(victim))
            victim.kill()
            victim.start()
            outcome.kills += 1
    outcome.ended = time.time()
    producer.flush()
    for order in orders:
        if order.wait():
            raise RuntimeError(f"a promotion ended with {order.returncode}")


def _collect(broker: Broker, prefix: str, outcome: SwapOutcome) -> None:
    """Read ``anomalies`` once nothing has come for a while."""
    topic = Topics(prefix).anomalies
    rest_since, seen = time.monotonic(), -1
    while time.monotonic() - rest_since < 4 * IDLE_S:
        time.sleep(1.0)
        (_, high), *_ = broker.watermarks(topic).values()
        if high != seen:
            rest_since, seen = time.monotonic(), high
    moments: list[int] = []
    for record in read_range(broker, topic):
        moments.append(record.timestamp)
        window = orjson.loads(record.value or b"{}")
        words = said(window)
        outcome.conflicts += outcome.told.setdefault(window["id"], words) != words
        outcome.bundles[window["id"]] = window["bundle"]
    # The first minutes only fill windows, and in the last ones those that are idle close.
    flowing = [moment for moment in moments if moments[0] + WARM_S * 1000 <= moment <= outcome.ended * 1000]
    outcome.pause_s = max((later - one for one, later in pairwise(flowing)), default=0) / 1000


def _judge_due(broker: Broker, prefix: str, outcome: SwapOutcome, first: Path) -> None:
    """Say of each window by which bundle it was due: at its end, or when the frame that closed it was stored.

    ``first`` is the bundle with which the workers began.
    """
    topics = Topics(prefix)
    timeline = PromotionTimeline().with_more(read_promotions(broker, topics.models), "demo")
    parts = make_components(Settings(idle_s=IDLE_S), Bundle.load(first))
    frames = decided_frames(read_range(broker, topics.logs_events), None, OneScorer(parts.scorer), parts.windows)
    moments = {
        verdict.window_id: min(verdict.end, record.timestamp * 1000)
        for record, verdicts in frames
        for verdict in verdicts
    }
    ids = list(outcome.told)
    for manifest, numbers in timeline.due(np.array([moments[i] for i in ids], np.int64)):
        for number in numbers.tolist():
            outcome.due[ids[number]] = parts.bundle.id if manifest is None else manifest.bundle


def _ready(folder: Path) -> Iterator[float]:
    """Seconds from each promotion until a worker had its version in memory, as the workers' logs tell."""
    for path in folder.glob("detect-*.log"):
        for due_in in re.findall(r"is ready .*due_in_s=([\d.]+)", path.read_text()):
            yield LEAD_S - float(due_in)


def _peak_mb(worker: Worker) -> float:
    """The largest memory of a running worker so far."""
    return 0.0 if worker.process is None else peak_mb(worker.process.pid)


def main() -> None:
    """Run from the command line; exit 1 where something is not as it must be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=300.0, help="how long lines flow")
    parser.add_argument("--swaps", type=int, default=20)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--tenants", type=int, default=30, help="clouds; each writes some seven lines a second")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="tocsin-swaps-"))
    server = KafkaServer(folder / "kafka")
    server.start()
    try:
        outcome = swaps(
            server.bootstrap,
            folder,
            arguments.seconds,
            arguments.swaps,
            arguments.kills,
            arguments.tenants,
            arguments.seed,
        )
    finally:
        server.stop()
    sys.stdout.write(f"{outcome}\nlogs in {folder}\n")
    sys.exit(not outcome.is_exact)


if __name__ == "__main__":
    main()
