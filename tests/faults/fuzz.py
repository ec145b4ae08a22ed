"""Throw hostile records at the line processor and settle its books.

    python -m tests.faults.fuzz --records 200000 --seed 1

Every record must come to one end: event, continuation, dead letter or counted drop.  The same records cut into other
batches, and read by a worker that is killed now and then, must give the same lines, rejects, drops, notes and rows.
"""

import argparse
import random
import sys
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import polars as pl

from models.decode.decoder import DecodeConfig, Decoder
from models.pipeline import LineProcessor, Processed
from models.records import I64, LOG_SCHEMA, KeyKind, RawBatch, RowFlag
from models.templates.masks import Masks
from models.templates.matcher import TemplateLimits, TemplateMatcher, TemplateTable
from models.windows.keys import KeyRules, named_rows
from tests.faults.hostile import HUGE, START, records

PARTITIONS: Final = 3
GENERATION: Final = 1024
"""Short, so that a run sees many changes of generation."""

LIMIT: Final = 65_536
_ARRIVED: Final = int(START.timestamp()) * 1_000_000


@dataclass(slots=True)
class Books:
    """What became of all records of a run."""

    received: int = 0
    events: int = 0
    continuations: int = 0
    dead: list[tuple[int, int, str, str]] = field(default_factory=list)
    drops: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    templates: set[tuple[int, str]] = field(default_factory=set)
    lines: list[pl.DataFrame] = field(default_factory=list)
    rows: list[pl.DataFrame] = field(default_factory=list)

    def enter(self, raw: RawBatch, done: Processed) -> None:
        """Add a batch; its sum must be right by itself."""
        logs = done.logs
        ends = done.events + done.continuations + len(logs.rejects) + sum(logs.drops.values())
        assert ends == len(raw) == done.received, f"{len(raw)} lines in, {ends} accounted for"
        self.received += len(raw)
        self.events += done.events
        self.continuations += done.continuations
        self.dead += [(int(raw.partitions[r.row]), int(raw.offsets[r.row]), r.reason, r.detail) for r in logs.rejects]
        self.drops.update(logs.drops)
        self.notes.update(logs.notes)
        self.templates.update((template.id, template.text) for template in done.new)
        self.lines.append(logs.lines.drop("row"))
        self.rows.append(named_rows(done.frame))

    def differences(self, other: "Books") -> list[str]:
        """Names of what is not equal; nothing where the runs agree."""
        names = ("received", "events", "continuations", "dead", "drops", "notes", "templates")
        different = [name for name in names if getattr(self, name) != getattr(other, name)]
        for name in ("lines", "rows"):
            ours, theirs = pl.concat(getattr(self, name)), pl.concat(getattr(other, name))
            if not ours.equals(theirs):
                different.append(name)
        return different

    def check(self) -> None:
        """Assert what must hold of a whole run."""
        lines = pl.concat(self.lines)
        assert lines.schema == {name: kind for name, kind in LOG_SCHEMA.items() if name != "row"}
        assert self.received == self.events + self.continuations + len(self.dead) + self.drops.total()
        places = lines.select("partition", "offset").rows() + [(p, o) for p, o, _, _ in self.dead]
        assert len(set(places)) == len(places), "a line came to two ends"
        flags = lines["flags"].to_numpy()
        assert int((flags & RowFlag.CONTINUATION != 0).sum()) == self.continuations
        assert lines["time"].min() is None or lines["time"].to_numpy().min() >= 0
        rows = pl.concat(self.rows)
        assert rows.filter(key="*", kind=KeyKind.SOURCE).height == lines.height, "a line is missing from its tenant"
        required = ("time", "tenant", "source", "host", "service", "level", "logger", "message", "flags")
        assert not any(lines[name].null_count() for name in required)
        assert lines["message"].str.len_bytes().fill_null(0).to_numpy().max(initial=0) <= LIMIT

    def __str__(self) -> str:
        """One line for people."""
        reasons = Counter(reason for _, _, reason, _ in self.dead)
        return (
            f"{self.received} records = {self.events} events + {self.continuations} continuations "
            f"+ {len(self.dead)} dead {dict(reasons)} + {self.drops.total()} dropped {dict(self.drops)}; "
            f"notes {dict(self.notes)}, {len(self.templates)} new templates"
        )


def stream_of(values: list[bytes], seed: int) -> RawBatch:
    """Put records onto partitions, by host as a shipper's key would, and stamp them with the broker's time."""
    rng = random.Random(seed)
    partitions = np.fromiter((zlib.crc32(v[-40:]) % PARTITIONS for v in values), np.int32, len(values))
    offsets = np.zeros(len(values), np.int64)
    for partition in range(PARTITIONS):
        rows = np.flatnonzero(partitions == partition)
        # A broker leaves gaps: compaction, transactions, messages that were deleted.
        steps = [rng.choice([1, 1, 1, 1, 2, 40]) if rng.random() < 0.01 else 1 for _ in rows]
        offsets[rows] = np.cumsum(steps) + rng.randrange(3 * GENERATION)
    arrived = _ARRIVED + np.cumsum([rng.randrange(20_000) for _ in values])
    return RawBatch(values, partitions, offsets, arrived.astype(np.int64))


def processor() -> LineProcessor:
    """Make a processor with short generations, a short memory of texts and a table without templates.

    All new templates are told: which ones are above a limit depends on the batches, and is meant to.
    """
    matcher = TemplateMatcher(TemplateTable([]), Masks.default(), TemplateLimits(10**9, remembered=100))
    return LineProcessor(Decoder(DecodeConfig(generation=GENERATION, max_line=LIMIT)), matcher, KeyRules())


def cuts_of(size: int, seed: int) -> list[int]:
    """Ends of batches of 1 to some thousands of records."""
    rng = random.Random(seed)
    cuts = [0]
    while cuts[-1] < size:
        cuts.append(min(size, cuts[-1] + int(2 ** rng.uniform(0, 12.5))))
    return cuts[1:]


def read(raw: RawBatch, cuts: Sequence[int], kills: frozenset[int] = frozenset()) -> Books:
    """Process the stream batch by batch; before the batches numbered in ``kills`` the worker starts anew."""
    books, worker, first = Books(), processor(), 0
    for number, last in enumerate(cuts):
        if number in kills:
            worker = _restarted(raw, first)
        batch = _select(raw, np.arange(first, last))
        books.enter(batch, worker.process(batch))
        first = last
    return books


def _restarted(raw: RawBatch, row: int) -> LineProcessor:
    """Make a worker that has read again what its memory needs, as ingest does after a crash."""
    worker = processor()
    for partition in range(PARTITIONS):
        rows = np.flatnonzero(raw.partitions == partition)
        done, todo = rows[rows < row], rows[rows >= row]
        if not todo.size:
            continue
        begin = worker.decoder.replay_from(partition, int(raw.offsets[todo[0]]))
        worker.decoder.decode(_select(raw, done[raw.offsets[done] >= begin]))
    return worker


def _select(raw: RawBatch, rows: I64) -> RawBatch:
    return RawBatch([raw.values[i] for i in rows.tolist()], raw.partitions[rows], raw.offsets[rows], raw.arrived[rows])


def fuzz(count: int, seed: int, huge: int) -> Books:
    """Read the same hostile records three times and compare; returns the books of the first time."""
    raw = stream_of(list(records(count, seed, huge)), seed)
    cuts, others = cuts_of(count, seed), cuts_of(count, seed + 1_000_003)
    books = read(raw, cuts)
    books.check()
    assert books.received == count
    if different := books.differences(read(raw, others)):
        raise AssertionError(f"other batch cuts give other {', '.join(different)}")
    rng = random.Random(seed)
    kills = frozenset(rng.sample(range(1, len(cuts)), min(len(cuts) - 1, 5 + count // 20_000)))
    killed = read(raw, cuts, kills)
    # A worker that starts anew tells its new templates again; a set of them is the same.
    if different := books.differences(killed):
        raise AssertionError(f"a worker that was killed gives other {', '.join(different)}")
    unknown = replace_arrival(raw)
    if different := read(unknown, cuts).differences(read(unknown, others)):
        raise AssertionError(f"without times of arrival, other batch cuts give other {', '.join(different)}")
    return books


def replace_arrival(raw: RawBatch) -> RawBatch:
    """The same records as files give them: nobody knows when they arrived."""
    return replace(raw, arrived=np.full(len(raw), -1, np.int64))


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--huge", type=int, default=8, help=f"records of {HUGE >> 20} MB")
    arguments = parser.parse_args()
    books = fuzz(arguments.records, arguments.seed, arguments.huge)
    sys.stdout.write(f"seed {arguments.seed}: {books}\n")


if __name__ == "__main__":
    main()
