"""The recording of a real cloud in ``tests/data/cloud``: its records, and when its faults began and ended."""

import csv
import lzma
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import orjson

from models.rfc3339 import parse_time

RECORDING: Final = Path(__file__).parent / "data" / "cloud"
PARTS: Final = ("normal", "faults")
"""Its files, in the order of time."""

TRAINED_UNTIL: Final = "2026-11-30T13:10"
"""``@timestamp`` up to which its first 17 minutes are trained on."""


def recorded(wanted: Callable[[str], bool] = lambda _: True) -> Iterator[bytes]:
    """Records whose ``@timestamp`` is wanted, a line each, in the order of time."""
    for part in PARTS:
        with lzma.open(RECORDING / f"{part}.jsonl.xz", "rb") as file:
            yield from (line for line in file if wanted(orjson.loads(line)["@timestamp"]))


def fault_times() -> dict[str, tuple[int, int]]:
    """Begin and end of each fault (microseconds)."""
    with (RECORDING / "faults.csv").open(encoding="utf-8") as file:
        return {row["fault"]: (parse_time(row["begin"]), parse_time(row["end"])) for row in csv.DictReader(file)}
