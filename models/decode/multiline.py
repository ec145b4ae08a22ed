"""Which lines belong to the record before them: tracebacks, wrapped messages, pieces of cut lines.

The rules use facts of single lines and their order within a partition only, so batch boundaries do not matter.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np
import polars as pl

from models.arrays import unique
from models.decode.decoder_state import Finder, PartitionState, Slot
from models.records import BOOL, I32, I64, NO_TIME, U8, U64
from models.rfc3339 import SECOND


class LineKind(IntEnum):
    """What a line is, seen alone."""

    HEAD = 0
    """Has a header."""
    BARE = 1
    """Has a header, but without the context of its record: perhaps a line of a traceback."""
    PLAIN = 2
    """Has none."""
    SHAPED = 3
    """Has none, and looks like a part of a traceback or is the rest of a cut line."""
    EMPTY = 4


HEAD_AGE_S: Final = 5.0
"""Seconds between the reading of a head and of a line without header that may still belong to it.

A judgement: a record is written at once, shippers read a file every second or less, and services are silent for longer.
"""

SHAPED: Final = (
    r"^(?:\s+(?:File \"|at \S|[~^]+\s*$|\.\.\. \d+ more)|Traceback \(most recent call last\):|Caused by: |"
    r"During handling of the above exception|The above exception was the direct cause)"
)
"""Lines that continue another one even in a source without headers."""

CARRIED: Final = {
    "at": pl.Int64(),
    "base": pl.Int64(),
    "seen": pl.Int64(),
    "level": pl.UInt8(),
    "logger": pl.String(),
    "request": pl.String(),
    "global_request": pl.String(),
    "instance": pl.String(),
    "trace": pl.String(),
}
"""What a continuation takes over from its head: ``base`` is its time in UTC, ``at`` as written.

``seen`` is when the line was read (microseconds, null where nobody says): by it a head is too old for a line.
"""


class RecordRuns:
    """Rows grouped by key, in order: finds the last marked row of each row's group."""

    def __init__(self, keys: U64) -> None:
        size = keys.size
        self.order = np.argsort(keys, kind="stable")
        ordered = keys[self.order]
        begins = np.ones(size, np.bool_)
        begins[1:] = ordered[1:] != ordered[:-1]
        self._start = np.maximum.accumulate(np.where(begins, np.arange(size), 0))
        ends = np.ones(size, np.bool_)
        ends[:-1] = begins[1:]
        self._ends = np.flatnonzero(ends)

    def _accumulate(self, mask: BOOL) -> I64:
        places = np.arange(mask.size)
        return np.maximum.accumulate(np.where(mask[self.order], places, -1))

    def _rows(self, last: I64, start: I64) -> I64:
        return np.where(last >= start, self.order[np.maximum(last, 0)], -1)

    def last(self, mask: BOOL) -> I64:
        """Per row the last marked row of its group up to itself, -1 where there is none."""
        out = np.empty(mask.size, np.int64)
        out[self.order] = self._rows(self._accumulate(mask), self._start)
        return out

    def before(self, mask: BOOL) -> I64:
        """Per row the last marked row of its group before itself, -1 where there is none."""
        last = np.empty(mask.size, np.int64)
        last[0] = -1
        last[1:] = self._accumulate(mask)[:-1]
        out = np.empty(mask.size, np.int64)
        out[self.order] = self._rows(last, self._start)
        return out

    def finals(self, mask: BOOL) -> I64:
        """The last marked row of every group that has one."""
        last = self._accumulate(mask)[self._ends]
        rows = self._rows(last, self._start[self._ends])
        return rows[rows >= 0]


@dataclass(frozen=True, slots=True)
class Lines:
    """A stretch of records, of one generation per partition.  Arrays of shape (n,), ``carried`` has CARRIED columns."""

    partition: I32
    kind: U8
    group: U64  # partition, tenant, host, source, stream
    process: U64  # the same without stream, and pid; 0 where no pid
    cut: BOOL  # the rest of a line that the runtime cut: belongs to the piece before it however old that is
    carried: pl.DataFrame


@dataclass(frozen=True, slots=True)
class Joined:
    """``head[i]`` is the row in ``carried`` whose facts line ``i`` takes over (its own where it is an event)."""

    head: I64
    continuation: BOOL
    empty: BOOL  # an empty line that nothing precedes
    time: I64  # NO_TIME where nothing says
    carried: pl.DataFrame


def join(lines: Lines, memories: Mapping[int, PartitionState]) -> Joined:
    """Finds every line's head, and remembers what later lines may need."""
    stretch = _Segment(lines, memories)
    is_head = lines.kind == LineKind.HEAD
    if (lines.kind == LineKind.BARE).any():
        is_head |= stretch.join_bare()
    if (lines.kind >= LineKind.PLAIN).any():
        stretch.join_loose(is_head)
    empty = (lines.kind == LineKind.EMPTY) & ~stretch.continuation
    timed = (lines.kind <= LineKind.BARE) & lines.carried["base"].is_not_null().to_numpy()
    carried, time = stretch.times(timed)
    stretch.remember(is_head, timed)
    return Joined(stretch.head, stretch.continuation, empty, time, carried)


class _Segment:
    """The work on one stretch of lines: ``head`` and ``continuation`` are filled step by step."""

    def __init__(self, lines: Lines, memories: Mapping[int, PartitionState]) -> None:
        self._lines = lines
        self._memories = memories
        self._finder = Finder(lines.kind.size)
        self._sources = RecordRuns(lines.group)
        self._processes = RecordRuns(lines.process) if lines.process.any() else None
        self.head: I64 = np.arange(lines.kind.size)
        self.continuation: BOOL = np.zeros(lines.kind.size, np.bool_)

    def _find(self, slot: Slot, rows: I64, keys: U64) -> tuple[I64, BOOL]:
        memories = [self._memories[p] for p in self._lines.partition[rows].tolist()]
        return self._finder.find(slot, keys[rows], memories)

    def _attach(self, rows: I64, places: I64) -> None:
        self.head[rows] = places
        self.continuation[rows] = True

    def join_bare(self) -> BOOL:
        """Bare headers to the record with the same process, logger and time; returns those that found none.

        Where that record is lost, the first bare header stands for it.
        """
        lines, runs = self._lines, self._processes
        if runs is None:
            return np.asarray(lines.kind == LineKind.BARE)
        bare = np.flatnonzero((lines.kind == LineKind.BARE) & (lines.process != 0))
        with_context = (lines.kind == LineKind.HEAD) & (lines.process != 0)
        places = runs.last(with_context)[bare]
        here = places >= 0
        away = np.flatnonzero(~here)
        places[away], here[away] = self._find(Slot.RECORD, bare[away], lines.process)
        same = self._same(bare, places)
        self._attach(bare[same], places[same])
        is_head = lines.kind == LineKind.BARE
        # A record of the generation before does not count here: whoever starts there must come to the same.
        is_head[bare[same & here]] = False
        rest = bare[~same]
        places = runs.before((lines.kind == LineKind.BARE) & (lines.process != 0))[rest]
        away = np.flatnonzero(places < 0)
        places[away], _ = self._find(Slot.BARE, rest[away], lines.process)
        repeated = rest[self._same(rest, places)]
        self._attach(repeated, repeated)
        return np.asarray(is_head)

    def _same(self, rows: I64, places: I64) -> BOOL:
        """Which of ``places`` (-1: none) has the time and logger of its row."""
        facts = self._finder.behind(self._lines.carried).select("at", "logger")
        own, theirs = facts[rows], facts[np.maximum(places, 0)]
        equal = own["at"].eq_missing(theirs["at"]) & (own["logger"] == theirs["logger"])
        return equal.to_numpy() & (places >= 0)

    def join_loose(self, is_head: BOOL) -> None:
        """Lines without header to the last header of their source, else shaped ones to its last plain line."""
        lines = self._lines
        loose = np.flatnonzero(lines.kind >= LineKind.PLAIN)
        places = self._recent(loose, self._last(Slot.HEAD, loose, is_head))
        self._attach(loose[places >= 0], places[places >= 0])
        orphans = loose[(places < 0) & (lines.kind[loose] == LineKind.SHAPED)]
        if orphans.size:
            places = self._recent(orphans, self._last(Slot.PLAIN, orphans, lines.kind == LineKind.PLAIN))
            self._attach(orphans[places >= 0], places[places >= 0])

    def _recent(self, rows: I64, places: I64) -> I64:
        """``places``, -1 where that line was read more than HEAD_AGE_S before or after its row."""
        seen = self._finder.behind(self._lines.carried.select("seen"), ["seen"])["seen"]
        if seen.null_count() == len(seen):
            return places
        times = seen.fill_null(NO_TIME).to_numpy()
        own, theirs = times[rows], times[np.maximum(places, 0)]
        far = (own >= 0) & (theirs >= 0) & (np.abs(own - theirs) > HEAD_AGE_S * SECOND) & ~self._lines.cut[rows]
        return np.where(far, -1, places)

    def _last(self, slot: Slot, rows: I64, marked: BOOL) -> I64:
        """Per row the place of the last marked line of its source, here or in memory; -1 where there is none."""
        places = self._sources.last(marked)[rows]
        away = np.flatnonzero(places < 0)
        if away.size:
            places[away], _ = self._find(slot, rows[away], self._lines.group)
        return places

    def times(self, timed: BOOL) -> tuple[pl.DataFrame, I64]:
        """All carried facts, and per line the time of its head, else of the last timed header of its source."""
        known = self._lines.carried["base"].is_not_null().to_numpy()
        needy = np.flatnonzero(~known | self.continuation)
        places = np.zeros(0, np.int64) if known.all() else self._last(Slot.TIMED, needy, timed)
        carried = self._finder.behind(self._lines.carried)
        times = carried["base"].fill_null(NO_TIME).to_numpy()
        time = times[self.head]
        if places.size:
            other = np.where(places >= 0, times[np.maximum(places, 0)], NO_TIME)
            time[needy] = np.where(time[needy] == NO_TIME, other, time[needy])
        return carried, time

    def remember(self, is_head: BOOL, timed: BOOL) -> None:
        """Puts the last row of every kind into the memory of its partition."""
        lines = self._lines
        self._keep(Slot.HEAD, self._sources.finals(is_head), lines.group)
        self._keep(Slot.TIMED, self._sources.finals(timed), lines.group)
        self._keep(Slot.PLAIN, self._sources.finals(lines.kind == LineKind.PLAIN), lines.group)
        if self._processes is not None:
            of_process = lines.process != 0
            self._keep(Slot.RECORD, self._processes.finals((lines.kind == LineKind.HEAD) & of_process), lines.process)
            self._keep(Slot.BARE, self._processes.finals((lines.kind == LineKind.BARE) & of_process), lines.process)

    def _keep(self, slot: Slot, rows: I64, keys: U64) -> None:
        if not rows.size:
            return
        partition = self._lines.partition[rows]
        for number in unique(partition).tolist():
            own = rows[partition == number]
            self._memories[number].present.rows[slot].add(keys[own], self._lines.carried[own])
