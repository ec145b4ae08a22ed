"""The low watermark of a key that many sources write to: the earliest time among its last rows.

While nobody knows how late a row may come - in files, and while a shipper works off a backlog, file after file - the
newest time says nothing about what is still to come: another host's clock may be an hour behind, another file may begin
hours earlier.  The earliest time among the last rows does: a source that still writes holds it back, one that has
stopped drops out by itself, and one whose clock is ahead has no say.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from models.arrays import group_starts
from models.records import I64
from models.windows.key_state import FOREVER, NEVER

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
        stops = np.append(first[1:], len(time))
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
