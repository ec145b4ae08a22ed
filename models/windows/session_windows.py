"""Windows of sessions: runs of events without a long gap, cut at a grid that is shifted per key."""

import numpy as np

from models.arrays import group_stops, splits
from models.records import BOOL, I64, KeyKind, LastSeen, WindowBatch
from models.windows.config import WindowConfig, microseconds
from models.windows.event_buffer import OpenRows
from models.windows.key_state import NEVER, KeyState
from models.windows.window_kind import ClosedWindows, KeyedRows


class SessionWindows:
    """Rules of session windows; the grid cell of a row is its stretch of ``age``."""

    kind = KeyKind.SESSION

    def __init__(self, config: WindowConfig, keys: KeyState) -> None:
        self.max_rows = config.session_events
        self._gap = microseconds(config.gap)
        self._age = microseconds(config.age)
        self._keys = keys

    def cells(self, slots: I64, time: I64) -> I64:
        """Grid cell of each key (n,) at ``time`` (n,)."""
        cells: I64 = (time + self._keys.shift[slots]) // self._age
        return cells

    def next_end(self, rows: KeyedRows, before: I64) -> I64:
        """The end (n,) of each row's grid cell, or of the gap before it, which ends what was there."""
        cell_end = self._cell_end(rows.slot, rows.time)
        is_after_gap = (before > NEVER) & (rows.time > before + self._gap)
        return np.where(is_after_gap, np.minimum(before + self._gap, cell_end), cell_end)

    def end_of_all(self, rows: OpenRows) -> I64:
        """The end (k,) of the cell of each key's last row, or the first moment too late to join that row."""
        last = np.full(len(rows.slots), NEVER, np.int64)
        np.maximum.at(last, rows.owner, rows.time)
        return np.where(last > NEVER, np.minimum(last + self._gap + 1, self._cell_end(rows.slots, last)), NEVER)

    def close(self, rows: OpenRows, limit: I64) -> ClosedWindows:
        """Find the runs that end by the ``limit`` (k,) of their key."""
        return close_sessions(rows, self._keys.shift[rows.slots], limit, self._gap, self._age)

    def fold(self, rows: OpenRows) -> BOOL:
        """Nothing: a session is a sequence."""
        return np.ones(len(rows), np.bool_)

    def corrected(self, windows: WindowBatch) -> WindowBatch:
        """The windows as they are."""
        return windows

    def last_seen(self, rows: OpenRows, closed: ClosedWindows, is_old: BOOL) -> LastSeen:  # noqa: ARG002 - as others
        """Nothing: a session is not of several sources."""
        return LastSeen.nothing(closed.start)

    def _cell_end(self, slots: I64, time: I64) -> I64:
        """End (n,) of the grid cell that holds ``time`` (n,)."""
        shift = self._keys.shift[slots]
        cell_end: I64 = ((time + shift) // self._age + 1) * self._age - shift
        return cell_end


def close_sessions(rows: OpenRows, shift: I64, limit: I64, gap: int, age: int) -> ClosedWindows:
    """Find session windows: runs without a gap above ``gap`` within one cell of the age grid (microseconds).

    A run closes when the ``limit`` (k,) of its key has reached the end of its cell or its last event plus ``gap``,
    whichever is first; that moment is the window's ``end``.  ``shift`` (k,) moves the grid of each key.
    """
    owner, time = rows.owner, rows.time
    cell = (time + shift[owner]) // age
    is_first = np.ones(len(time), np.bool_)
    is_first[1:] = (owner[1:] != owner[:-1]) | (cell[1:] != cell[:-1]) | (time[1:] - time[:-1] > gap)
    first = np.flatnonzero(is_first)
    stop = group_stops(first, len(time))
    run_owner, last = owner[first], time[stop - 1]
    end = np.minimum(last + gap, (cell[first] + 1) * age - shift[run_owner])
    closes = end <= limit[run_owner]
    keep = ~np.repeat(closes, stop - first)
    is_event = rows.is_event
    events = np.flatnonzero(is_event)
    events_before = splits(is_event.astype(np.int64))
    low, high = events_before[first], events_before[stop]
    chosen = np.flatnonzero(closes & (high > low))
    low, high = low[chosen], high[chosen]
    return ClosedWindows(
        owner=run_owner[chosen],
        start=time[events[low]],
        end=end[chosen],
        low=low,
        high=high,
        new_rows=high - low,
        context=np.zeros(len(chosen), np.int64),
        continuations=(stop[chosen] - first[chosen]) - (high - low),
        is_settled=np.ones(len(chosen), np.bool_),
        events=events,
        keep=keep,
    )
