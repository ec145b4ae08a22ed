"""What a window store knows of each key, in arrays with one entry per slot; a slot is reused when its key is forgotten.

All arrays are int64 and of shape (slots,) unless said otherwise; times are event times in microseconds since 1970.

=================== ========== ============= =======================================================================
array               shape      unit          meaning
=================== ========== ============= =======================================================================
``head``                       row           newest open row of the key, NONE where it has none
``open_rows``                  rows          number of its open rows
``kind``                       ``KeyKind``   source or session
``shift``                      microseconds  of the key's age grid; 0 for sources
``era``                        era           in which the key was last seen
``max_time``                   time          largest event time in that era
``max_time_before``            time          largest event time in the era before
``reached``                    time          how far the key's clock came in that era
``reached_before``             time          how far it came in the era before
``behind_at``                  clock         recorded clock at its last row of a backlog, NEVER where there was none
``seen``                       clock         recorded clock at the key's last event, NO_TIME where there was none
``next_close``                 time          the key's time at which one of its windows may close
``emitted_until``              time          sources: windows that end up to here have been emitted
``error_step``                 step          sources: newest grid step whose first error has had its window
``cell``            (slots, 2) cell          the key's two newest grid cells, newest first
``filled``          (slots, 2) rows          how many rows each of these got
``first_seen``      (slots, 3) time          first event in this era and in the two before
``last_dropped``               time          newest event that was dropped (late or overflow)
``allowed_lateness``           microseconds  how far an event may lie behind the key's time
``fold_from``                  rows          how many open rows are folded before a window closes
``is_all_sources``             0 or 1        whether the key is a tenant's source of everything
``is_shared``                  0 or 1        whether several sources write to the key: all but sources of one service
=================== ========== ============= =======================================================================

A key's *time* is how far its clock came in the current and the previous *era*; an era is a stretch of ``forget`` on the
recorded clock.  *Timers* fire for keys that were not seen since they were set.
"""

from collections.abc import Mapping
from itertools import repeat
from typing import Final

import numpy as np
import polars as pl

from models.arrays import group_starts, group_stops, ranges, unique
from models.records import ALL_SOURCES, BOOL, I64, NO_TIME, KeyKind
from models.rfc3339 import SECOND
from models.windows.event_buffer import NONE

NEVER: Final = np.iinfo(np.int64).min // 2
"""Time (microseconds) before all others; far enough from the smallest int64 for lengths to be added and taken away."""

FOREVER: Final = np.iinfo(np.int64).max // 2
"""Time (microseconds) after all others."""

SEPARATOR: Final = "\x1f"
"""Stands between tenant, kind and key in the identity of a key: the control character for it."""

_FIRST_CAPACITY: Final = 1024
"""Slots; a judgement: enough for a small cloud, and the arrays double from there."""

_MANY_CELLS: Final = 4096
"""Counts of older cells from which on those of closed windows are looked for; a judgement: some 400 kB."""

FOLDED_FROM: Final = 65_536
"""Open rows of a key from which on they are folded before a window closes: a judgement, some 8 MB."""

_FRESH: Final = {
    "head": NONE,
    "open_rows": 0,
    "kind": 0,
    "shift": 0,
    "era": NEVER,
    "max_time": NEVER,
    "max_time_before": NEVER,
    "reached": NEVER,
    "reached_before": NEVER,
    "behind_at": NEVER,
    "seen": NO_TIME,
    "next_close": FOREVER,
    "emitted_until": NEVER,
    "error_step": NEVER,
    "cell": NEVER,
    "filled": 0,
    "first_seen": FOREVER,
    "last_dropped": NEVER,
    "allowed_lateness": 0,
    "fold_from": FOLDED_FROM,
    "is_all_sources": 0,
    "is_shared": 0,
}
"""The arrays of the table above, and what a new key starts with."""


class KeyState:
    """Arrays over slots, as in the table above, and the timers of the keys."""

    def __init__(self, age: int, lateness: int, shared_lateness: int) -> None:
        """All in microseconds; ``shared_lateness`` is that of keys to which several sources write."""
        self._age = age
        self._lateness = lateness
        self._shared_lateness = shared_lateness
        self._slot_of: dict[str, int] = {}
        self._ident: list[str] = []
        self._free: list[int] = []
        self._timers: dict[int, list[I64]] = {}  # second of the recorded clock → slots to look at when it is idle
        self._forgets: dict[int, list[I64]] = {}  # the same for slots to forget
        none = np.zeros(0, np.int64)
        self.head: I64 = none
        self.open_rows: I64 = none
        self.kind: I64 = none
        self.shift: I64 = none
        self.era: I64 = none
        self.max_time: I64 = none
        self.max_time_before: I64 = none
        self.reached: I64 = none
        self.reached_before: I64 = none
        self.behind_at: I64 = none
        self.seen: I64 = none
        self.next_close: I64 = none
        self.emitted_until: I64 = none
        self.error_step: I64 = none
        self.cell: I64 = np.zeros((0, 2), np.int64)
        self.filled: I64 = np.zeros((0, 2), np.int64)
        self.first_seen: I64 = np.zeros((0, 3), np.int64)
        self.last_dropped: I64 = none
        self.allowed_lateness: I64 = none
        self.fold_from: I64 = none
        self.is_all_sources: I64 = none
        self.is_shared: I64 = none
        self._many_cells = _MANY_CELLS
        self._older_cells: dict[
            tuple[int, int], int
        ] = {}  # slot and cell → rows in it; the key's two newest stand above

    def __len__(self) -> int:
        """Number of keys known."""
        return len(self._slot_of)

    def all(self) -> I64:
        """Slots of all keys."""
        return np.fromiter(self._slot_of.values(), np.int64, len(self._slot_of))

    def idents(self, slots: I64) -> list[str]:
        """Identity of each slot: tenant, kind and key, joined by ``SEPARATOR``."""
        return [self._ident[slot] for slot in slots.tolist()]

    def time(self, slots: I64) -> I64:
        """The keys' times (k,)."""
        time: I64 = np.maximum(self.reached[slots], self.reached_before[slots])
        return time

    def latest(self, slots: I64) -> I64:
        """The largest event time of each key (k,) in this era and the one before."""
        latest: I64 = np.maximum(self.max_time[slots], self.max_time_before[slots])
        return latest

    def there_since(self, slots: I64, first: I64, time: I64, begins_anew: BOOL, fills: BOOL) -> I64:
        """Since when the key of each row (n,) has been there, as far as three eras tell; notes it for rows to come.

        Rows of ``slots`` (k,) follow each other and begin at ``first`` (k,).  ``begins_anew`` (n,) marks rows that come
        after a long pause, with which a key begins anew; ``fills`` (n,) those that, later than others, tell that a key
        was there before them.
        """
        is_new = self.first_seen[slots, 0] == FOREVER
        self.first_seen[slots[is_new], 0] = time[first[is_new]]
        known_since = self.first_seen[slots].min(axis=1, initial=FOREVER)
        last_begin = np.maximum.accumulate(np.where(begins_anew, np.arange(len(time)), -1))
        group = np.repeat(np.arange(len(first)), np.diff(np.append(first, len(time))))
        since: I64 = np.where(last_begin >= first[group], time[last_begin], known_since[group])
        begin = last_begin[group_stops(first, len(time)) - 1]
        began = begin >= first
        self.first_seen[slots[began]] = FOREVER
        self.first_seen[slots[began], 0] = time[begin[began]]
        filling = np.flatnonzero(fills & (np.arange(len(time)) >= begin[group]))
        np.minimum.at(self.first_seen[:, 0], slots[group[filling]], time[filling])
        # It holds for the rows that follow, in this frame as in the next; few are earlier than all before them.
        stop = np.append(np.flatnonzero(np.diff(group) | np.diff(last_begin)) + 1, len(time))
        for row in np.flatnonzero(fills & (time < since)).tolist():
            until = stop[np.searchsorted(stop, row, "right")]
            np.minimum(since[row:until], time[row], out=since[row:until])
        return since

    def slots(self, keys: pl.DataFrame, codes: I64) -> I64:
        """Slot of each row (n,), where ``codes`` (n,) are rows of the key table; keys not known yet get one."""
        is_used = np.zeros(len(keys), np.bool_)
        is_used[codes] = True
        used = np.flatnonzero(is_used)
        table = keys if len(used) == len(keys) else keys[used]
        names = (
            table.select(pl.concat_str("tenant", pl.col("kind").cast(pl.String), "key", separator=SEPARATOR))
            .to_series()
            .to_list()
        )
        slots = np.fromiter(map(self._slot_of.get, names, repeat(NONE)), np.int64, len(names))
        missing = np.flatnonzero(slots == NONE)
        if len(missing):
            new = table if len(missing) == len(table) else table[missing]
            slots[missing] = self._new([names[i] for i in missing.tolist()], new)
        by_code = np.full(len(keys), NONE, np.int64)
        by_code[used] = slots
        return by_code[codes]

    def enter_era(self, slots: I64, era: int) -> None:
        """Make the keys' times speak of this era and the one before."""
        last = self.era[slots]
        for now, before in ((self.max_time, self.max_time_before), (self.reached, self.reached_before)):
            newest = now[slots]
            before[slots] = np.where(last == era, before[slots], np.where(last == era - 1, newest, NEVER))
            now[slots] = np.where(last == era, newest, NEVER)
        eras = self.first_seen.shape[1]
        passed = np.minimum(era - last, eras)
        for shift in unique(passed[passed > 0]).tolist():
            moved = slots[passed == shift]
            self.first_seen[moved, shift:] = self.first_seen[moved, : eras - shift]
            self.first_seen[moved, :shift] = FOREVER
        self.era[slots] = era

    def set_timers(self, slots: I64) -> None:
        """Have the keys looked at when the clock has moved on from what ``seen`` says."""
        seconds = self.seen[slots] // SECOND
        for second in unique(seconds[self.seen[slots] != NO_TIME]).tolist():
            self._timers.setdefault(second, []).append(slots[seconds == second])

    def idle(self, clock: int, after: int) -> list[I64]:
        """Keys not seen for ``after`` (microseconds), each once; they come up again in ``forgettable``."""
        out = []
        for second, slots in self._expired(self._timers, clock - after):
            self._forgets.setdefault(second, []).append(slots)
            out.append(slots)
        return out

    def forgettable(self, clock: int, after: int) -> list[I64]:
        """Keys that were idle and have not been seen for ``after`` (microseconds)."""
        return [slots for _, slots in self._expired(self._forgets, clock - after)]

    def forget(self, slots: I64) -> None:
        """Give the slots back."""
        if self._older_cells:
            self._keep_cells(dict.fromkeys(slots.tolist(), FOREVER))
        for slot in slots.tolist():
            del self._slot_of[self._ident[slot]]
            self._ident[slot] = ""
            self._free.append(slot)

    def within_cap(self, slots: I64, cells: I64, cap: int) -> BOOL:
        """Whether each row (n,) is among the first ``cap`` of its key and grid cell, in the order of record.

        The counts of a key's two newest cells stand in arrays; rows of a backlog may come for older ones.
        """
        order = _by_slot_and_cell(slots, cells)
        sorted_slots, sorted_cells = slots[order], cells[order]
        is_first = np.ones(len(order), np.bool_)
        is_first[1:] = (sorted_slots[1:] != sorted_slots[:-1]) | (sorted_cells[1:] != sorted_cells[:-1])
        first = np.flatnonzero(is_first)
        size = np.diff(np.append(first, len(order)))
        slot, cell = sorted_slots[first], sorted_cells[first]
        is_newest, is_second = cell == self.cell[slot, 0], cell == self.cell[slot, 1]
        filled = np.where(is_newest, self.filled[slot, 0], np.where(is_second, self.filled[slot, 1], 0))
        if self._older_cells:
            for i in np.flatnonzero(cell < self.cell[slot, 0]).tolist():
                filled[i] = max(int(filled[i]), self._older_cells.get((int(slot[i]), int(cell[i])), 0))
        self._count_cells(slot, cell, filled + size)
        if (filled + size <= cap).all():
            return np.ones(len(order), np.bool_)
        rank = np.arange(len(order)) - np.repeat(first, size) + np.repeat(filled, size)
        fits = np.empty(len(order), np.bool_)
        fits[order] = rank < cap
        return fits

    def _count_cells(self, slots: I64, cells: I64, filled: I64) -> None:
        """Keep the two newest cells of each key, and all of shared ones; entries (g,) come sorted by slot and cell."""
        first = group_starts(slots)
        last = group_stops(first, len(slots)) - 1
        is_onward = cells[first] >= self.cell[slots[first], 0]
        for start, end in zip(first[~is_onward].tolist(), last[~is_onward].tolist(), strict=True):
            for entry in range(start, end + 1):
                self._count_cell(int(slots[entry]), int(cells[entry]), int(filled[entry]))
        # Nearly always time goes on: then the last two cells that came are the newest, or the last one and the newest
        # so far.
        first, last = first[is_onward], last[is_onward]
        slot, has_several = slots[first], last > first
        is_other = cells[first] > self.cell[slot, 0]
        self._set_aside(slot[is_other | has_several], 1)
        self._set_aside(slot[is_other & has_several], 0)
        between = ranges(first, np.maximum(last - 1, first))
        self._keep(slots[between], cells[between], filled[between])
        for array, new in ((self.cell, cells), (self.filled, filled)):
            followed = slot[is_other & ~has_several]
            array[followed, 1] = array[followed, 0]
            array[slot[has_several], 1] = new[last[has_several] - 1]
            array[slot, 0] = new[last]

    def _count_cell(self, slot: int, cell: int, count: int) -> None:
        """Do the same for one cell of a key, whichever it is."""
        newest, second = self.cell[slot].tolist()
        if cell > newest:
            self._set_aside(np.array([slot]), 1)
            self.cell[slot], self.filled[slot] = (cell, newest), (count, self.filled[slot, 0])
        elif cell == newest:
            self.filled[slot, 0] = count
        elif cell >= second:
            if cell > second:
                self._set_aside(np.array([slot]), 1)
            self.cell[slot, 1], self.filled[slot, 1] = cell, count
        else:
            self._older_cells[slot, cell] = count

    def _set_aside(self, slots: I64, rank: int) -> None:
        """Put the newest cells (``rank`` 0), or the second newest (1), of keys (k,) with the older ones, if filled."""
        slots = slots[self.filled[slots, rank] > 0]
        self._keep(slots, self.cell[slots, rank], self.filled[slots, rank])

    def _keep(self, slots: I64, cells: I64, filled: I64) -> None:
        """Remember older cells (g,) of keys that are shared."""
        shared = self.is_shared[slots] == 1
        places = zip(slots[shared].tolist(), cells[shared].tolist(), strict=True)
        self._older_cells.update(zip(places, filled[shared].tolist(), strict=True))

    def drop_cells(self, slots: I64, cells: I64) -> None:
        """Forget, now and then, the counts of each key's (k,) cells before ``cells`` (k,): nothing comes for them."""
        if len(self._older_cells) >= self._many_cells:
            self._keep_cells(dict(zip(slots.tolist(), cells.tolist(), strict=True)))
            self._many_cells = max(_MANY_CELLS, 2 * len(self._older_cells))

    def _keep_cells(self, since: Mapping[int, int]) -> None:
        """Forget counts of cells before ``since`` (slot → cell)."""
        self._older_cells = {
            place: count for place, count in self._older_cells.items() if place[1] >= since.get(place[0], NEVER)
        }

    def _new(self, names: list[str], keys: pl.DataFrame) -> I64:
        """Give slots to keys that are not known yet, which are rows (k,) of a key table."""
        while len(self._free) < len(names):
            self._grow()
        taken = self._free[-len(names) :]
        del self._free[-len(names) :]
        self._slot_of.update(zip(names, taken, strict=True))
        for slot, name in zip(taken, names, strict=True):
            self._ident[slot] = name
        slots = np.array(taken, np.int64)
        low, high = int(slots.min()), int(slots.max()) + 1
        # Slots that were never used follow each other: those of a first start, when most keys are new.
        places = slice(low, high) if high - low == len(slots) else slots
        for field, value in _FRESH.items():
            getattr(self, field)[places] = value
        kind = keys["kind"].to_numpy()
        is_session, is_all_sources = kind == KeyKind.SESSION, (keys["key"] == ALL_SOURCES).to_numpy()
        is_shared = is_all_sources | is_session
        # Keys are cut at different moments, so that not all of a cloud's sessions close at once.
        shift = keys["hash"].to_numpy().astype(np.int64) * SECOND % self._age
        self.kind[slots] = kind
        self.shift[slots] = np.where(is_session, shift, 0)
        self.is_all_sources[slots] = is_all_sources
        self.is_shared[slots] = is_shared
        self.allowed_lateness[slots] = np.where(is_shared, self._shared_lateness, self._lateness)
        return slots

    def _grow(self) -> None:
        """Double the arrays."""
        old = len(self._ident)
        new = max(_FIRST_CAPACITY, 2 * old)
        for field in _FRESH:
            array = getattr(self, field)
            grown = np.zeros((new, *array.shape[1:]), np.int64)
            grown[:old] = array
            setattr(self, field, grown)
        self._ident.extend([""] * (new - old))
        self._free.extend(range(new - 1, old - 1, -1))

    def _expired(self, timers: dict[int, list[I64]], until: int) -> list[tuple[int, I64]]:
        """Take out the timers of seconds that ended by ``until``, with the keys not seen since they were set."""
        out = []
        for second in sorted(second for second in timers if (second + 1) * SECOND <= until):
            slots = unique(np.concatenate(timers.pop(second)))
            slots = slots[self.seen[slots] // SECOND == second]
            if len(slots):
                out.append((second, slots))
        return out


def _by_slot_and_cell(slots: I64, cells: I64) -> I64:
    """Return the order of rows (n,) by slot and cell; rows come sorted by slot, and mostly by cell as well."""
    if ((slots[1:] > slots[:-1]) | ((slots[1:] == slots[:-1]) & (cells[1:] >= cells[:-1]))).all():
        return np.arange(len(slots))
    return np.lexsort((cells, slots))
