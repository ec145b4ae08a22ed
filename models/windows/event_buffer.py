"""Open rows of all window keys in flat arrays, chained per key: memory and time do not depend on the number of keys.

A *slot* is the number of a key, a *row* a place in the arrays; a row keeps its number as long as it is open.  The rows
of one slot form a linked list, newest first: ``head[slot]`` is its newest row, ``prev[row]`` the one before.  So
appending to many keys and walking many keys are a few array operations, however many keys there are.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from models.records import BOOL, F32, I32, I64, U8, U32, U64, VALUES, EventFrame, Level, RowFlag

NONE: Final = -1
"""No row, no slot."""

_FIRST_CAPACITY: Final = 4096
"""Rows; a judgement: enough for a quiet cloud, and the arrays double from there."""

_LONG_CHAIN: Final = 32
"""Rows of a slot above which scanning all open rows is taken to be cheaper than walking its list; a judgement."""

_COLUMNS: Final = (
    "slot",
    "time",
    "template",
    "origin",
    "level",
    "flags",
    "count",
    "partition",
    "offset",
    "surprise",
    "frame",
    "prev",
    "_open",
)


@dataclass(frozen=True, slots=True)
class NewRows:
    """Columns of rows to be appended, all (n,) but ``values`` (n, VALUES).

    ``time`` in microseconds; ``frame`` is the place on ``logs.events`` of the frame that brought the row.
    """

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
    def of(cls, frame: EventFrame, slot: I64, offset: int) -> "NewRows":
        """All rows of a frame that stands at ``offset``, as views, with the slots (n,) of their keys."""
        columns = frame.rows
        return cls(
            slot=slot,
            time=columns["time"].to_numpy(),
            template=columns["template"].to_numpy(),
            origin=columns["origin"].to_numpy(),
            level=columns["level"].to_numpy(),
            flags=columns["flags"].to_numpy(),
            partition=columns["partition"].to_numpy(),
            offset=columns["offset"].to_numpy(),
            values=columns["values"].to_numpy() if len(columns) else np.zeros((0, VALUES), np.float32),
            frame=np.full(len(columns), offset, np.int64),
        )

    def take(self, positions: I64) -> "NewRows":
        """Copies of the rows at these positions."""
        return NewRows(
            self.slot[positions],
            self.time[positions],
            self.template[positions],
            self.origin[positions],
            self.level[positions],
            self.flags[positions],
            self.partition[positions],
            self.offset[positions],
            self.values[positions],
            self.frame[positions],
        )

    @property
    def is_error(self) -> BOOL:
        """Whether each row (n,) is an event of level ERROR or above."""
        return _is_error(self.level, self.flags)

    def __len__(self) -> int:
        return len(self.slot)


@dataclass(frozen=True, slots=True)
class OpenRows:
    """The open rows of some keys, sorted by key, time, raw partition and raw offset.

    ``slots`` (k,) are the keys that were looked at; the other columns are (n,): ``row`` is the number in the buffer,
    ``owner`` the position of the row's key in ``slots``, ``time`` in microseconds.
    """

    buffer: "EventBuffer"
    slots: I64
    owner: I64
    row: I64
    time: I64

    @property
    def slot(self) -> I64:
        """Slot of each row (n,)."""
        return self.slots[self.owner]

    @property
    def origin(self) -> U32:
        """Number of the source that wrote each row (n,)."""
        return self.buffer.origin[self.row]

    @property
    def flags(self) -> U8:
        """``RowFlag`` bits of each row (n,)."""
        return self.buffer.flags[self.row]

    @property
    def is_event(self) -> BOOL:
        """Whether each row (n,) is an event, not a line that continues one."""
        is_event: BOOL = (self.flags & RowFlag.CONTINUATION) == 0
        return is_event

    @property
    def is_error(self) -> BOOL:
        """Whether each row (n,) is an event of level ERROR or above."""
        return _is_error(self.buffer.level[self.row], self.flags)

    def take(self, chosen: BOOL) -> "OpenRows":
        """The chosen rows (n,) of the same keys."""
        return OpenRows(self.buffer, self.slots, self.owner[chosen], self.row[chosen], self.time[chosen])

    def __len__(self) -> int:
        return len(self.row)


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
        self.count: I64 = np.zeros(0, np.int64)
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

    def append(self, new: NewRows, head: I64) -> None:
        """Store new rows and link them to the heads of their slots (``head`` (slots,) is changed in place)."""
        if not len(new):
            return
        rows = self._take(len(new))
        self.slot[rows] = new.slot
        self.time[rows] = new.time
        self.template[rows] = new.template
        self.origin[rows] = new.origin
        self.level[rows] = new.level
        self.flags[rows] = new.flags
        self.count[rows] = 1
        self.partition[rows] = new.partition
        self.offset[rows] = new.offset
        self.values[rows] = new.values
        self.surprise[rows] = np.nan
        self.frame[rows] = new.frame
        self.link(rows, new.slot, head)

    def link(self, rows: I64, slots: I64, head: I64) -> None:
        """Put rows (n,), sorted by their ``slots`` (n,), in front of the lists of these slots."""
        is_first = np.ones(len(slots), np.bool_)
        is_first[1:] = slots[1:] != slots[:-1]
        is_last = np.ones(len(slots), np.bool_)
        is_last[:-1] = is_first[1:]
        self.prev[rows[1:]] = rows[:-1]
        self.prev[rows[is_first]] = head[slots[is_first]]
        head[slots[is_last]] = rows[is_last]

    def open_rows(self, slots: I64, head: I64, counts: I64) -> OpenRows:
        """Sorted open rows of these slots (k,); ``head`` and ``counts`` (slots,) as ``KeyState`` has them."""
        rows, owner = self.find(slots, head, counts)
        time = self.time[rows]
        order = np.lexsort((self.offset[rows], self.partition[rows], time, owner))
        return OpenRows(self, slots, owner[order], rows[order], time[order])

    def find(self, slots: I64, head: I64, counts: I64) -> tuple[I64, I64]:
        """Return all rows of these slots (k,): row numbers and positions of their slots, in no particular order.

        Short lists are walked, all at once; where a slot has many rows (``counts``), a scan of all rows is cheaper.
        """
        is_long = counts[slots] > _LONG_CHAIN
        index = np.arange(len(slots), dtype=np.int64)
        rows, owners = self._walk(head[slots[~is_long]], index[~is_long])
        if is_long.any():
            position_of_slot = np.full(len(head), NONE, np.int64)
            position_of_slot[slots[is_long]] = index[is_long]
            scanned = np.flatnonzero(self._open)
            position = position_of_slot[self.slot[scanned]]
            is_wanted = position != NONE
            rows.append(scanned[is_wanted])
            owners.append(position[is_wanted])
        if not rows:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        return np.concatenate(rows), np.concatenate(owners)

    def _walk(self, current: I64, index: I64) -> tuple[list[I64], list[I64]]:
        """Walk the lists that begin with the rows ``current`` (k,): one array of rows, and of ``index``, a turn."""
        rows: list[I64] = []
        owners: list[I64] = []
        while True:
            goes_on = current != NONE
            if not goes_on.all():
                current, index = current[goes_on], index[goes_on]
            if not len(current):
                return rows, owners
            rows.append(current)
            owners.append(index)
            current = self.prev[current]

    def free(self, rows: I64) -> None:
        """Give rows (n,) back; their contents stay readable until the next append."""
        self._open[rows] = False
        stop = self._free_count + len(rows)
        self._free[self._free_count : stop] = rows
        self._free_count = stop

    def oldest_frame(self) -> int | None:
        """Smallest frame offset among the open rows; None if there is none."""
        frames = self.frame[self._open]
        return int(frames.min()) if len(frames) else None

    def _take(self, n: int) -> I64:
        """Take ``n`` row numbers from the free list."""
        if self._free_count < n:
            self._grow(n)
        start = self._free_count - n
        rows = self._free[start : self._free_count][::-1].copy()
        self._free_count = start
        self._open[rows] = True
        return rows

    def _grow(self, n: int) -> None:
        """Make room for at least ``n`` more rows."""
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


def _is_error(level: U8, flags: U8) -> BOOL:
    is_error: BOOL = (level >= Level.ERROR) & ((flags & RowFlag.CONTINUATION) == 0)
    return is_error
