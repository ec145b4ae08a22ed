"""How far the time of each key has come: what it closes its windows by, and what tells a late row from others.

The source of one service goes by its own lines, because they come in order.  To all other keys - a tenant's source of
everything, sessions - several hosts write, and of these one clock may be wrong, one shipper slow, one file read after
the others.  Their time moves

- by rows that come *fresh*, within ``jump`` of their own time by the recorded clock;
- never beyond the recorded clock, which says up to when all raw partitions have been read;
- not within ``jump`` after a row of a backlog, or after the recorded clock leapt ahead: others like it follow;
- for the source of everything also by its low watermark, so that it goes on while nothing is fresh, as in files.

The low watermark of a key is the earliest time among its last rows.  While nobody knows how late a row may come - in
files, and while a shipper works off a backlog, file after file - the newest time says nothing about what is still to
come: another host's clock may be an hour behind, another file may begin hours earlier.  The earliest time among the
last rows does: a source that still writes holds it back, one that has stopped drops out by itself, and one whose clock
is ahead has no say.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from models.arrays import group_starts, group_stops, running_max_before
from models.records import BOOL, I64, NO_TIME
from models.windows.config import WindowConfig, microseconds
from models.windows.event_buffer import NewRows
from models.windows.key_state import FOREVER, NEVER, KeyState

ROWS: Final = 65_536
"""Rows of a key that are looked back on: a judgement.  The backlog of a first start of a small cloud was 13,000 lines,
and so many rows of a key take some 10 MB of memory."""

_BLOCKS: Final = 16
"""Where no clock is recorded, the watermark moves so often in ``most`` rows, wherever lines are cut: a judgement,
because a key with so many open rows is slow to look at (10 ms)."""


@dataclass(slots=True)
class LowWatermark:
    """Watermark of one key, which looks back on ``most`` rows, or on ``span`` (microseconds) of the recorded clock."""

    span: int
    most: int = ROWS
    value: int = NEVER
    """The watermark, which never falls; NEVER as long as fewer rows came, in a shorter time."""
    _rows: int = 0
    _begin: int | None = None
    _minima: deque[tuple[int, int, int]] = field(default_factory=deque)
    """Stretches of rows that may still be the earliest, times ascending: recorded clock, number of rows up to the
    stretch's end, earliest time in it."""
    _filled: int = 0
    _earliest: int = FOREVER

    def add_at(self, clock: int, time: I64) -> None:
        """Take rows (n,) that came at ``clock``."""
        if self._begin is None:
            self._begin = clock
        self._rows += len(time)
        self._push(clock, int(time.min()), is_full=clock - self._begin >= self.span or self._rows >= self.most)

    def add(self, time: I64) -> I64:
        """Take rows (n,) of which nobody knows when they came; return the watermark before each of them (n,).

        It moves after every so many rows of the key.
        """
        block = max(self.most // _BLOCKS, 1)
        number = (self._filled + np.arange(len(time))) // block
        first = group_starts(number)
        stops = group_stops(first, len(time))
        before = np.empty(len(time), np.int64)
        for start, stop, earliest in zip(
            first.tolist(), stops.tolist(), np.minimum.reduceat(time, first).tolist(), strict=True
        ):
            before[start:stop] = self.value
            self._filled += stop - start
            self._earliest = min(self._earliest, earliest)
            if self._filled == block:
                self._rows += block
                self._push(0, self._earliest, is_full=self._rows >= self.most)
                self._filled, self._earliest = 0, FOREVER
        return before

    def _push(self, clock: int, earliest: int, *, is_full: bool) -> None:
        """Put a stretch behind the others, and drop those that count no longer."""
        while self._minima and self._minima[-1][2] >= earliest:
            self._minima.pop()
        self._minima.append((clock, self._rows, earliest))
        while self._minima[0][0] <= clock - self.span or self._minima[0][1] <= self._rows - self.most:
            self._minima.popleft()
        if is_full:
            self.value = max(self.value, self._minima[0][2])


class KeyClocks:
    """Moves the times of keys on."""

    def __init__(self, config: WindowConfig, keys: KeyState, shared_rows: int) -> None:
        """``shared_rows`` is how many rows low watermarks look back on."""
        self._keys = keys
        self._shared_rows = shared_rows
        self._patience = microseconds(config.jump)
        self._span = microseconds(config.idle)
        self._watermarks: dict[int, LowWatermark] = {}  # of the slots that are sources of everything
        self._clock = NO_TIME
        self._leapt_at = NEVER

    def read(self, clock: int) -> None:
        """Take the recorded clock up to which all has been read; after a leap what an outage held up is to come."""
        if clock > self._clock + self._patience:
            self._leapt_at = clock
        self._clock = max(clock, self._clock)

    def forget(self, slots: I64) -> None:
        """Drop what is remembered of keys that are forgotten."""
        for slot in slots.tolist():
            self._watermarks.pop(slot, None)

    def advance(self, rows: NewRows, slots: I64, seen: I64) -> I64:
        """Move the keys' times on by new rows (n,), which are sorted by slot; ``slots`` (k,) are those that they have.

        ``seen`` (n,) is the recorded clock of each row's raw partition.  Returns the time (n,) of each row's key before
        it.
        """
        keys, first = self._keys, group_starts(rows.slot)
        start = keys.time(slots)
        group = np.repeat(np.arange(len(first)), np.diff(np.append(first, len(rows))))
        moves = np.where(seen == NO_TIME, rows.time, np.minimum(rows.time, seen))
        is_shared = keys.is_shared[rows.slot] == 1
        if is_shared.any():
            may_move = self._is_fresh(rows, start[group], seen, is_shared) & ~self._is_held(slots)[group]
            moves = np.where(is_shared, np.where(may_move, np.minimum(moves, self._clock), NEVER), moves)
        # What does not move the time on repeats it, so that groups in order are known to be in order.
        moves = np.maximum(moves, start[group])
        before = running_max_before(moves, first, start)
        reached = np.maximum.reduceat(moves, first)
        stops = group_stops(first, len(rows))
        for i in np.flatnonzero(keys.is_all_sources[slots]).tolist():
            low, high = int(first[i]), int(stops[i])
            watermark = self._watermarks.setdefault(int(slots[i]), LowWatermark(self._span, self._shared_rows))
            if seen[low] == NO_TIME:
                before[low:high] = np.maximum(before[low:high], watermark.add(rows.time[low:high]))
            else:
                watermark.add_at(int(seen[low:high].max()), rows.time[low:high])
            reached[i] = max(int(reached[i]), watermark.value)
        keys.reached[slots] = np.maximum(keys.reached[slots], reached)
        return before

    def _is_fresh(self, rows: NewRows, start: I64, seen: I64, is_shared: BOOL) -> BOOL:
        """Whether each row (n,) came within ``jump`` of its time; notes those of a backlog that are not too late.

        ``start`` (n,) is the time of the row's key.
        """
        keys = self._keys
        is_known = seen != NO_TIME
        is_behind = is_known & (seen - rows.time > self._patience)
        waits = is_behind & is_shared & (rows.time >= start - keys.allowed_lateness[rows.slot])
        np.maximum.at(keys.behind_at, rows.slot[waits], seen[waits])
        is_fresh: BOOL = is_known & ~is_behind
        return is_fresh

    def _is_held(self, slots: I64) -> BOOL:
        """Whether each key (k,) waits for the rest of a backlog."""
        is_held: BOOL = np.maximum(self._keys.behind_at[slots], self._leapt_at) + self._patience > self._clock
        return is_held
