"""The decoder against what one would write first: ``json.loads`` and a regular expression, line by line.

``python -m tests.bench.bench_decode [--lines 100000] [--turns 3]`` decodes simulated records, as Fluent Bit ships them,
in turn on one thread; some of them belong to tracebacks.  Both must find the same events.  The loop knows one format
and no duplicates, time zones, orphans or restarts.
"""

import stream.runtime.native_threads  # noqa: F401 - before NumPy and Polars: one thread each

# isort: split
import argparse
import json
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np
import polars as pl

from models.decode.decoder import DecodeConfig, Decoder
from models.records import Level, RawBatch, RowFlag
from tests.bench.measure import ratio, row
from training.simulate import Scenario, plan_faults, stream_records

START: Final = datetime(2026, 3, 2, 9, tzinfo=UTC)
BATCH: Final = 10_000
HOUR: Final = 3600.0

HEADER: Final = re.compile(
    r"(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}) (?P<pid>\d+) (?P<level>[A-Z]+) (?P<logger>[\w.]+) "
    r"\[(?:-|(?:None|req-[0-9a-f-]{36})?(?: ?(?P<request>req-[0-9a-f-]{36}))?[^\]]*)\] "
    r"(?:\[instance: (?P<instance>[0-9a-f-]{36})\] )?(?P<message>.*)",
    re.DOTALL,
)
LEVELS: Final = {level.name: int(level) for level in Level}


@dataclass(slots=True)
class Event:
    """A line with header, and how many lines belong to it."""

    who: tuple[str, str, str]
    time: int
    level: int
    logger: str
    request: str | None
    instance: str | None
    message: str
    more: int = 0


def loop(values: Sequence[bytes]) -> list[Event]:
    """Decode line by line.

    A line without header belongs to the last event of its source, and so does an error of the same moment, process and
    logger: oslo writes its header before each line of a traceback.
    """
    events: list[Event] = []
    last: dict[str, Event] = {}
    for value in values:
        record = json.loads(value)
        source = record.get("source") or f"{record.get('host')}{record.get('path')}"
        found = HEADER.match(record["log"])
        if found is None or found["level"] not in LEVELS:
            if source in last:
                last[source].more += 1
            continue
        moment = datetime.fromisoformat(found["time"]).replace(tzinfo=UTC)
        level, who = LEVELS[found["level"]], (found["time"], found["pid"], found["logger"])
        if source in last and level == Level.ERROR == last[source].level and who == last[source].who:
            last[source].more += 1
            continue
        event = Event(
            who,
            round(moment.timestamp() * 1e6),
            level,
            found["logger"],
            found["request"],
            found["instance"],
            found["message"],
        )
        events.append(event)
        last[source] = event
    return events


def ours(values: Sequence[bytes]) -> pl.DataFrame:
    """Decode in batches."""
    decoder = Decoder(DecodeConfig())
    out: list[pl.DataFrame] = []
    for start in range(0, len(values), BATCH):
        part = list(values[start : start + BATCH])
        offsets = np.arange(start, start + len(part), dtype=np.int64)
        batch = RawBatch(part, np.zeros(len(part), np.int32), offsets, np.full(len(part), -1, np.int64))
        out.append(decoder.decode(batch).lines)
    return pl.concat(out)


def assert_agreed(lines: pl.DataFrame, events: Sequence[Event]) -> None:
    """Both found the same events, with the same facts, and as many lines that belong to them."""
    continues = (lines["flags"] & RowFlag.CONTINUATION) != 0
    mine = lines.filter(~continues).select("time", "level", "logger", "request", "instance", "message").rows()
    assert mine == [(e.time, e.level, e.logger, e.request, e.instance, e.message) for e in events]
    assert continues.sum() == sum(event.more for event in events)


def simulated(count: int) -> list[bytes]:
    """So many records of a cloud in which much goes wrong in the first half hour."""
    scenario = Scenario(5, START, 100 * HOUR, faults=plan_faults(START, HOUR / 2, 5))
    return [record.value for _, record in zip(range(count), stream_records(scenario), strict=False)]


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=100_000)
    parser.add_argument("--turns", type=int, default=3)
    chosen = parser.parse_args()
    values = simulated(chosen.lines)
    decoder, loops = [], []
    for _ in range(chosen.turns):
        started = time.perf_counter()
        found = ours(values)
        middle = time.perf_counter()
        expected = loop(values)
        decoder.append(len(values) / (middle - started))
        loops.append(len(values) / (time.perf_counter() - middle))
    assert_agreed(found, expected)
    more = sum(event.more for event in expected)
    print(f"{len(values):,} simulated records, {more:,} of them continuation lines, one thread")
    print(row("the decoder", decoder, "lines/s"))
    print(row("json.loads and a regular expression", loops, "lines/s"))
    print(f"the decoder over the loop: {ratio(decoder, loops)}")


if __name__ == "__main__":
    main()
