"""Open rows of all window keys in flat arrays, chained per key: memory and time do not depend on the number of keys.

A slot is the number of a key; a row is a place in the arrays and keeps its number as long as it is open.  The rows of
one slot form a chain (``head`` of the slot, ``prev`` of each row), so appending and walking are array operations over
all keys at once.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from models.records import BOOL, F32, I32, I64, U8, U32, U64, VALUES, EventFrame

NONE: Final = -1
_FIRST_CAPACITY: Final = 4096
_LONG_CHAIN: Final = 32
_COLUMNS: Final = (
    "slot",
    "time",
    "template",
    "origin",
    "level",
    "flags",
    "partition",
    "offset",
    "surprise",
    "frame",
    "prev",
    "_open",
)


@dataclass(frozen=True, slots=True)
class Rows:
    """Columns of rows to be appended; all of length n, ``values`` of shape (n, VALUES)."""

    slot: I64
    time: I64
    template: U64
    origin: U32
    level: U8
    flags: U8
    partition: I32
    offset: I64
    values: F32
    frame: I64

    @classmethod
    def of(cls, frame: EventFrame, at: I64, slot: I64, offset: int) -> "Rows":
        """Rows ``at`` (n,) of a frame that stands at ``offset``; ``slot`` (n,) is that of their keys."""
        columns = frame.rows
        return cls(
            slot=slot,
            time=columns["time"].to_numpy()[at],
            template=columns["template"].to_numpy()[at],
            origin=columns["origin"].to_numpy()[at],
            level=columns["level"].to_numpy()[at],
            flags=columns["flags"].to_numpy()[at],
            partition=columns["partition"].to_numpy()[at],
            offset=columns["offset"].to_numpy()[at],
            values=columns["values"].to_numpy()[at] if len(at) else np.zeros((0, VALUES), np.float32),
            frame=np.full(len(at), offset, np.int64),
        )

    def take(self, at: I64) -> "Rows":
        """The rows at these positions."""
        return Rows(
            self.slot[at],
            self.time[at],
            self.template[at],
            self.origin[at],
            self.level[at],
            self.flags[at],
            self.partition[at],
            self.offset[at],
            self.values[at],
            self.frame[at],
        )

    def __len__(self) -> int:
        return len(self.slot)


class EventBuffer:
    """Growing arrays of open rows with a free list."""

    def __init__(self) -> None:
        self._capacity = 0
        self.slot: I64 = np.zeros(0, np.int64)
        self.time: I64 = np.zeros(0, np.int64)
        self.template: U64 = np.zeros(0, np.uint64)
        self.origin: U32 = np.zeros(0, np.uint32)
        self.level: U8 = np.zeros(0, np.uint8)
        self.flags: U8 = np.zeros(0, np.uint8)
        self.partition: I32 = np.zeros(0, np.int32)
        self.offset: I64 = np.zeros(0, np.int64)
        self.values: F32 = np.zeros((0, VALUES), np.float32)
        self.surprise: F32 = np.zeros(0, np.float32)
        self.frame: I64 = np.zeros(0, np.int64)
        self.prev: I64 = np.zeros(0, np.int64)
        self._free: I64 = np.zeros(0, np.int64)
        self._free_count = 0
        self._open: BOOL = np.zeros(0, np.bool_)

    def __len__(self) -> int:
        """Number of open rows."""
        return self._capacity - self._free_count

    def append(self, rows: Rows, head: I64) -> None:
        """Chain the rows, which lie slot after slot, to the heads of their slots (``head`` is changed in place)."""
        n = len(rows)
        if not n:
            return
        at = self._take(n)
        self.slot[at] = rows.slot
        self.time[at] = rows.time
        self.template[at] = rows.template
        self.origin[at] = rows.origin
        self.level[at] = rows.level
        self.flags[at] = rows.flags
        self.partition[at] = rows.partition
        self.offset[at] = rows.offset
        self.values[at] = rows.values
        self.surprise[at] = np.nan
        self.frame[at] = rows.frame
        self.link(at, rows.slot, head)

    def link(self, at: I64, slots: I64, head: I64) -> None:
        """Chain rows ``at``, which lie slot after slot, behind what ``head`` holds of their slots."""
        first = np.ones(len(slots), np.bool_)
        first[1:] = slots[1:] != slots[:-1]
        last = np.ones(len(slots), np.bool_)
        last[:-1] = first[1:]
        self.prev[at[1:]] = at[:-1]
        self.prev[at[first]] = head[slots[first]]
        head[slots[last]] = at[last]

    def find(self, slots: I64, head: I64, held: I64) -> tuple[I64, I64]:
        """All rows of these slots: (row numbers, position of their slot in ``slots``), in no particular order.

        Short chains are walked, all at once; where a slot holds many rows (``held``), a scan of the pool is cheaper.
        """
        is_long = held[slots] > _LONG_CHAIN
        index = np.arange(len(slots), dtype=np.int64)
        rows, owners = self._walk(head[slots[~is_long]], index[~is_long])
        if is_long.any():
            position = np.full(len(head), NONE, np.int64)
            position[slots[is_long]] = index[is_long]
            at = np.flatnonzero(self._open)
            where = position[self.slot[at]]
            wanted = where != NONE
            rows.append(at[wanted])
            owners.append(where[wanted])
        if not rows:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        return np.concatenate(rows), np.concatenate(owners)

    def _walk(self, current: I64, index: I64) -> tuple[list[I64], list[I64]]:
        rows: list[I64] = []
        owners: list[I64] = []
        while True:
            alive = current != NONE
            if not alive.all():
                current, index = current[alive], index[alive]
            if not len(current):
                return rows, owners
            rows.append(current)
            owners.append(index)
            current = self.prev[current]

    def free(self, at: I64) -> None:
        """Give rows back; their contents stay readable until the next append."""
        self._open[at] = False
        end = self._free_count + len(at)
        self._free[self._free_count : end] = at
        self._free_count = end

    def oldest_frame(self) -> int | None:
        """Smallest frame offset among the open rows; None if there is none."""
        frames = self.frame[self._open]
        return int(frames.min()) if len(frames) else None

    def _take(self, n: int) -> I64:
        if self._free_count < n:
            self._grow(n)
        start = self._free_count - n
        at = self._free[start : self._free_count][::-1].copy()
        self._free_count = start
        self._open[at] = True
        return at

    def _grow(self, n: int) -> None:
        old = self._capacity
        new = max(2 * old, old + n, _FIRST_CAPACITY)
        for name in _COLUMNS:
            array = getattr(self, name)
            grown = np.zeros(new, array.dtype)
            grown[:old] = array
            setattr(self, name, grown)
        values = np.zeros((new, VALUES), np.float32)
        values[:old] = self.values
        self.values = values
        free = np.zeros(new, np.int64)
        free[: self._free_count] = self._free[: self._free_count]
        free[self._free_count : self._free_count + new - old] = np.arange(new - 1, old - 1, -1)
        self._free = free
        self._free_count += new - old
        self._capacity = new
