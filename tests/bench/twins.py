"""How alike incidents must be to be twins: real runs with injected faults, each set against all others.

``python -m tests.bench.twins ../shared/data/fi_openstack`` prints, for each threshold, of how many failing runs another
one is a twin, and of how many of these the twin had the same component and class broken.  What a run shows are its
lines of WARNING and above after the fault began, those left out that normal runs write too.
"""

import argparse
import csv
import lzma
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from index.tokens import words
from index.twin import likeness

_HEADER: Final = re.compile(
    r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}) \d+ (?:WARNING|ERROR|CRITICAL) \S+ (?:\[[^\]]*\])?(.*)"
)
_MOST: Final = 20
"""Lines of a run: as many as evidence would show."""


@dataclass(frozen=True, slots=True)
class Run:
    """A failing run: what was broken in it, and what it wrote."""

    name: str
    fault: tuple[str, str]
    texts: tuple[str, ...]


def runs(folder: Path, name: str) -> Iterator[Run]:
    """Read the failing runs of one file."""
    with lzma.open(folder / f"{name}.log.xz", "rt", encoding="utf-8", errors="replace") as file:
        lines = file.read().splitlines()
    with (folder / f"{name}.runs.csv").open(encoding="utf-8") as file:
        labels = list(csv.DictReader(file))
    normal = {
        frozenset(words(text))
        for label in labels
        if label["label"] in {"warm", "cold"}
        for _, text in _bad(lines, label)
    }
    for label in labels:
        if label["label"] != "fail":
            continue
        found: dict[frozenset[str], str] = {}
        for time, text in _bad(lines, label):
            key = frozenset(words(text))
            if time >= label["anomaly_start"] and key not in normal and len(found) < _MOST:
                found.setdefault(key, text)
        yield Run(label["run_id"], (label["component"], label["class"]), tuple(found.values()))


def _bad(lines: list[str], label: dict[str, str]) -> Iterator[tuple[str, str]]:
    for line in lines[int(label["first_line"]) : int(label["last_line"]) + 1]:
        if match := _HEADER.match(line.partition("\t")[2]):
            yield match[1], match[2]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    found = [run for name in ("nova_dev", "cinder_dev") for run in runs(parser.parse_args().folder, name)]
    seen = [run for run in found if run.texts]
    best = []
    for run in seen:
        alike, other = max(
            ((likeness(run.texts, other.texts), other) for other in seen if other is not run), key=lambda pair: pair[0]
        )
        best.append((alike, other.fault == run.fault, other.fault[0] == run.fault[0]))
    print(f"{len(found)} failing runs, {len(seen)} with lines of their own")
    print("threshold  twins  same component and class  same component")
    for threshold in (0.0, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.98, 1.0):
        twins = [pair for pair in best if pair[0] >= threshold]
        right, near = sum(pair[1] for pair in twins), sum(pair[2] for pair in twins)
        print(
            f"{threshold:9.2f}  {len(twins):5}  {right:5} ({right / max(1, len(twins)):.0%})  {near:18} ({near / max(1, len(twins)):.0%})"
        )


if __name__ == "__main__":
    main()
