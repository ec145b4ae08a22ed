"""Real logs, scored through files and through Apache Kafka: the same windows, to the last digit.

    python -m tests.integration.real_logs [--data ../shared] [--out FOLDER]

trains a bundle on nova_train, scores nova_dev with ``tocsin score``, streams the same lines through ``tocsin run`` on a
Kafka of its own, and replays both ``logs.events`` and ``logs.raw``.  All four must tell the same windows.  With
``--out`` the bundle, the records and the windows stay there, and a bundle that is there is used.  Without real logs,
simulated ones of two hours take their place; ``test_roles.py`` plays a short form of that.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import orjson

from stream.kafka.clients import Broker
from stream.kafka.reader import follow, read_range
from tests.compared import by_id, said
from tests.integration.streamed import Deployment, scraped
from tests.kafka_server import KafkaServer
from tests.own_logs import cloud_lines
from tests.ports import held_port
from training.simulate import Scenario, plan_faults

SHARED: Final = Path(__file__).parents[3] / "shared"
START: Final = datetime(2026, 3, 3, 8, 0, tzinfo=UTC)
SIMULATED_S: Final = 3600.0
"""Length of each of the simulated logs, in seconds."""

QUIET_S: Final = 600.0
"""Without a new window for so long, the stream is taken to be at rest."""


@dataclass(frozen=True, slots=True)
class Difference:
    """How windows that were found differ from those of the files."""

    found: int
    missing: int
    foreign: int
    different: int

    @property
    def none(self) -> bool:
        """Whether both are the same."""
        return not (self.missing or self.foreign or self.different)

    def __str__(self) -> str:
        """One line for people."""
        return (
            f"{self.found} windows, {self.missing} missing, {self.foreign} foreign, {self.different} different"
            f"{': the same' if self.none else ''}"
        )


def difference(expected: dict[str, bytes], actual: dict[str, bytes]) -> Difference:
    """Compare windows by id and by all that is said of them."""
    both = expected.keys() & actual.keys()
    different = sum(expected[i] != actual[i] for i in both)
    return Difference(len(actual), len(expected) - len(both), len(actual) - len(both), different)


def keyed(path: Path) -> Iterator[tuple[str, bytes]]:
    """Records of a file, keyed by tenant: one partition, one order."""
    with path.open("rb") as file:
        for line in file:
            yield orjson.loads(line)["tenant"], line.rstrip(b"\n")


def published(deployment: Deployment, count: int) -> dict[str, bytes]:
    """Read ``anomalies`` until it tells of so many windows or of nothing new; twice is allowed if it is alike."""
    windows: dict[str, bytes] = {}
    moved = time.monotonic()
    following = follow(deployment.broker, deployment.topics.anomalies)
    while len(windows) < count and time.monotonic() - moved < QUIET_S:
        record = next(following)
        if record is not None:
            window = orjson.loads(record.value or b"")
            now = said(window)
            assert windows.setdefault(window["id"], now) == now, f"window {window['id']} is told in two ways"
            moved = time.monotonic()
    following.close()
    return windows


def streamed(deployment: Deployment, records: Path, count: int) -> tuple[dict[str, bytes], dict[str, float]]:
    """Stream the records through all roles in one process; returns windows and metrics."""
    deployment.send(keyed(records))
    port = held_port()
    worker = deployment.worker(port)
    worker.start()
    try:
        windows = published(deployment, count)
        metrics = scraped(port, "tocsin_windows_total", min(count, len(windows)), QUIET_S)
    finally:
        status = worker.stop()
    assert status == 0, deployment.log()
    copies = sum(1 for _ in read_range(deployment.broker, deployment.topics.anomalies))
    assert copies == len(windows), f"{copies} records tell of {len(windows)} windows, without a restart"
    return windows, metrics


def compare(deployment: Deployment, records: Path, windows: Path) -> bool:
    """Score the records in four ways, and print what is alike."""
    tocsin = str(Path(sys.executable).parent / "tocsin")

    def command(*arguments: str) -> dict[str, bytes]:
        done = [tocsin, *arguments]
        subprocess.run(done, env=deployment.environment(), check=True, stderr=subprocess.DEVNULL)
        with Path(arguments[-1]).open("rb") as file:
            return by_id(file)

    expected = command("score", str(records), "--out", str(windows))
    print(f"files: {len(expected)} windows", flush=True)
    streaming, metrics = streamed(deployment, records, len(expected))
    again = str(deployment.folder / "replayed.jsonl")
    ways = {
        "Apache Kafka": streaming,
        "replay of logs.events": command("replay", "--out", again),
        "replay of logs.raw": command("replay", "--raw", "--out", again),
    }
    differences = {name: difference(expected, windows) for name, windows in ways.items()}
    for name, result in differences.items():
        print(f"{name}: {result}", flush=True)
    names = ("lines", "events", "continuations", "dead_letters", "dropped_lines", "unaccounted_lines", "late_rows")
    print(", ".join(f"{name} {metrics.get(f'tocsin_{name}_total', 0):.0f}" for name in names))
    return all(result.none for result in differences.values())


def write_records(data: Path, folder: Path) -> None:
    """Write ``nova_train.jsonl`` and ``nova_dev.jsonl`` from labelled logs below ``data``, else from simulated ones."""
    runs = data / "data" / "fi_openstack"
    if runs.is_dir():
        for name in ("nova_train", "nova_dev"):
            make = [sys.executable, str(data / "eval" / "to_records.py"), "runs"]
            subprocess.run(
                [*make, str(runs / f"{name}.log.xz"), str(runs / f"{name}.runs.csv"), str(folder / f"{name}.jsonl")],
                check=True,
            )
        return
    print(f"{runs} is not there (name the folder with --data): simulated logs instead", flush=True)
    faults = plan_faults(START, SIMULATED_S, 2)
    for name, scenario in (
        ("nova_train", Scenario(1, START, SIMULATED_S)),
        ("nova_dev", Scenario(2, START, SIMULATED_S, faults=faults)),
    ):
        (folder / f"{name}.jsonl").write_bytes(b"".join(line + b"\n" for _, line in cloud_lines(scenario, "cloud")))


def main() -> None:
    """Run from the command line; exit 1 where the windows differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=SHARED, help="folder with data/fi_openstack and eval")
    parser.add_argument("--out", type=Path, help="folder that keeps bundle, records and windows")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tocsin-real-") as scratch:
        folder = chosen.out or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        write_records(chosen.data, folder)
        bundle = folder / "bundle"
        if not bundle.is_dir():
            train = [Path(sys.executable).parent / "tocsin", "train", folder / "nova_train.jsonl", "--out", bundle]
            subprocess.run(train, check=True)
        server = KafkaServer(Path(scratch) / "kafka")
        server.start()
        try:
            deployment = Deployment(Broker(server.bootstrap), "real.", Path(scratch), bundle, batch_lines=20_000)
            same = compare(deployment, folder / "nova_dev.jsonl", folder / "windows.jsonl")
        finally:
            server.kill()
    sys.exit(not same)


if __name__ == "__main__":
    main()
