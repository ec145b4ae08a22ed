"""How alike incidents must be to be twins: real runs with injected faults, each set against all others.

``python -m tests.bench.twins ../shared/data/fi_openstack`` prints, for each threshold, how many failing runs have
another one that is so alike, and of how many of these it had the same component and class broken: once for the nearest
run, once where two or more are as alike and all agree.  What a run shows are its lines of WARNING and above after the
fault began, those left out that normal runs write too.
"""

import argparse
import csv
import lzma
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from index.explain.similar_incident import likeness_of, word_sets
from index.text.words import words

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
    print(f"{len(found)} failing runs, {len(seen)} with lines of their own")
    sets = [word_sets(run.texts) for run in seen]
    ranked = [
        sorted(
            (
                (likeness_of(mine, theirs), run.fault)
                for theirs, run in zip(sets, seen, strict=True)
                if theirs is not mine
            ),
            reverse=True,
        )
        for mine in sets
    ]
    print("alike   nearest right    two or more that all agree, right")
    for threshold in (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95):
        shares = []
        for least, agreeing in ((1, False), (2, True)):
            twins = [
                alike[0] == run.fault
                for run, others in zip(seen, ranked, strict=True)
                if len(alike := [fault for score, fault in others if score >= threshold]) >= least
                and not (agreeing and len(set(alike)) > 1)
            ]
            shares.append(f"{sum(twins)} of {len(twins)}")
        print(f"{threshold:.2f}    {shares[0]:16} {shares[1]}")


if __name__ == "__main__":
    main()
