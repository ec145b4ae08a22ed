"""What a window store knows of each key, in arrays: a slot per key, reused when the key is forgotten.

A key's *time* is the largest event time that it has shown in the current and the previous era; an era is a stretch of
the recorded clock.  Timers fire for keys that were not seen since they were set.
"""

from typing import Final

import numpy as np
import polars as pl

from models.arrays import group_starts, group_stops
from models.records import ALL_SOURCES, BOOL, I64, NO_TIME, KeyKind
from models.rfc3339 import SECOND
from models.windows.event_buffer import NONE

NEVER: Final = np.iinfo(np.int64).min // 2
FOREVER: Final = np.iinfo(np.int64).max // 2
SEPARATOR: Final = "\x1f"

_FRESH: Final = {
    "head": NONE,
    "open_rows": 0,
    "kind": 0,
    "shift": 0,
    "era": NEVER,
    "max_time": NEVER,
    "max_time_before": NEVER,
    "seen": NO_TIME,
    "next_close": FOREVER,
    "emitted_until": NEVER,
    "error_step": NEVER,
    "cell": NEVER,
    "filled": 0,
    "first_seen": FOREVER,
    "last_dropped": NEVER,
    "allowed_lateness": 0,
    "is_all_sources": 0,
}
"""The arrays of the table and what a new key starts with."""


class KeyState:
    """Arrays over slots; see the module's text for the words."""

    def __init__(self, age: int, lateness: int, shared_lateness: int) -> None:
        """All in microseconds; ``shared_lateness`` is that of a tenant's source of everything."""
        self._age = age
        self._lateness = lateness
        self._shared_lateness = shared_lateness
        self._slot_of: dict[str, int] = {}
        self._ident: list[str] = []
        self._free: list[int] = []
        self._timers: dict[int, list[I64]] = {}
        self._forgets: dict[int, list[I64]] = {}
        none = np.zeros(0, np.int64)
        self.head: I64 = none  # last row of the key's chain
        self.open_rows: I64 = none  # number of its open rows
        self.kind: I64 = none
        self.shift: I64 = none  # of the age grid
        self.era: I64 = none  # in which the key was last seen
        self.max_time: I64 = none  # largest event time in that era
        self.max_time_before: I64 = none  # and in the era before
        self.seen: I64 = none  # recorded clock at the key's last event
        self.next_close: I64 = none  # key's time at which something may close
        self.emitted_until: I64 = none  # sources: limit up to which windows were given
        self.error_step: I64 = none  # sources: newest grid step whose first error has its window
        self.cell: I64 = np.zeros((0, 2), np.int64)  # the key's two newest grid cells
        self.filled: I64 = np.zeros((0, 2), np.int64)  # and how many rows each got
        self.first_seen: I64 = np.zeros((0, 3), np.int64)  # first event of this era and of the two before
        self.last_dropped: I64 = none  # newest event time of a row that was dropped
        self.allowed_lateness: I64 = none  # how late an event of the key may be
        self.is_all_sources: I64 = none  # 1 for a tenant's source of everything

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
        """The keys' times."""
        out: I64 = np.maximum(self.max_time[slots], self.max_time_before[slots])
        return out

    def since(self, slots: I64) -> I64:
        """From when on the keys have been there, as far as three eras tell."""
        out: I64 = self.first_seen[slots].min(axis=1, initial=FOREVER)
        return out

    def start(self, slots: I64, first: I64, time: I64, again: BOOL) -> I64:
        """Since when the key of each row (n,) has been there; rows come by slot, groups begin at ``first`` (k,).

        ``again`` (n,) marks rows that come after a long pause, with which a key begins anew.
        """
        early = self.first_seen[slots, 0] == FOREVER
        self.first_seen[slots[early], 0] = time[first[early]]
        last = np.maximum.accumulate(np.where(again, np.arange(len(time)), -1))
        group = np.repeat(np.arange(len(first)), np.diff(np.append(first, len(time))))
        since: I64 = np.where(last >= first[group], time[last], self.since(slots)[group])
        anew = last[group_stops(first, len(time)) - 1]
        reborn = anew >= first
        self.first_seen[slots[reborn]] = FOREVER
        self.first_seen[slots[reborn], 0] = time[anew[reborn]]
        return since

    def slots(self, keys: pl.DataFrame, codes: I64) -> I64:
        """Slot of each row, ``codes`` (n,) being rows of the key table; keys not known yet get one."""
        used = np.unique(codes)
        table = keys if len(used) == len(keys) else keys[used]
        names = (
            table.select(pl.concat_str("tenant", pl.col("kind").cast(pl.String), "key", separator=SEPARATOR))
            .to_series()
            .to_list()
        )
        known = np.fromiter((self._slot_of.get(name, NONE) for name in names), np.int64, len(names))
        missing = np.flatnonzero(known == NONE)
        if len(missing):
            new = table[missing]
            known[missing] = self._new([names[i] for i in missing.tolist()], new["kind"], new["hash"])
        by_code = np.full(len(keys), NONE, np.int64)
        by_code[used] = known
        return by_code[codes]

    def enter_era(self, slots: I64, era: int) -> None:
        """Make the keys' times speak of this era and the one before."""
        last, top = self.era[slots], self.max_time[slots]
        self.max_time_before[slots] = np.where(
            last == era, self.max_time_before[slots], np.where(last == era - 1, top, NEVER)
        )
        self.max_time[slots] = np.where(last == era, top, NEVER)
        for passed in np.unique(np.minimum(era - last[last < era], self.first_seen.shape[1])).tolist():
            moved = slots[np.minimum(era - last, self.first_seen.shape[1]) == passed]
            self.first_seen[moved, passed:] = self.first_seen[moved, : self.first_seen.shape[1] - passed]
            self.first_seen[moved, :passed] = FOREVER
        self.era[slots] = era

    def set_timers(self, slots: I64) -> None:
        """Have the keys looked at when the clock has moved on from what ``seen`` holds."""
        seconds = self.seen[slots] // SECOND
        for second in np.unique(seconds[self.seen[slots] != NO_TIME]).tolist():
            self._timers.setdefault(second, []).append(slots[seconds == second])

    def idle(self, clock: int, after: int) -> list[I64]:
        """Keys not seen for ``after`` (microseconds), each once; they come up again in ``forget``."""
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
        for slot in slots.tolist():
            del self._slot_of[self._ident[slot]]
            self._ident[slot] = ""
            self._free.append(slot)

    def within_cap(self, slots: I64, cell: I64, cap: I64) -> BOOL:
        """Which rows fit under the cap (n,) of their key and grid cell, in the order of record.

        A key may still get rows in its newest cell and the one before (lateness is below a cell), so the counts of two
        cells are kept.
        """
        order = np.lexsort((cell, slots))
        sorted_slot, sorted_cell = slots[order], cell[order]
        change = np.ones(len(order), np.bool_)
        change[1:] = (sorted_slot[1:] != sorted_slot[:-1]) | (sorted_cell[1:] != sorted_cell[:-1])
        first = np.flatnonzero(change)
        size = np.diff(np.append(first, len(order)))
        slot, where = sorted_slot[first], sorted_cell[first]
        newest, second = where == self.cell[slot, 0], where == self.cell[slot, 1]
        base = np.where(newest, self.filled[slot, 0], np.where(second, self.filled[slot, 1], 0))
        rank = np.arange(len(order)) - np.repeat(first, size) + np.repeat(base, size)
        fits = np.empty(len(order), np.bool_)
        fits[order] = rank < cap[order]
        self._count_cells(slot, where, base + size)
        return fits

    def _count_cells(self, slot: I64, cell: I64, filled: I64) -> None:
        """Keep the two newest cells of each key; groups come sorted by slot and cell."""
        first = group_starts(slot)
        size = np.diff(np.append(first, len(slot)))
        for rank in range(int(size.max(initial=0))):
            at = first[size > rank] + rank
            key, where, count = slot[at], cell[at], filled[at]
            new = where > self.cell[key, 0]
            self.cell[key[new], 1] = self.cell[key[new], 0]
            self.filled[key[new], 1] = self.filled[key[new], 0]
            same = new | (where == self.cell[key, 0])
            self.cell[key[same], 0] = where[same]
            self.filled[key[same], 0] = count[same]
            older = ~same & (where >= self.cell[key, 1])
            self.cell[key[older], 1] = where[older]
            self.filled[key[older], 1] = count[older]

    def _new(self, names: list[str], kind: pl.Series, hashes: pl.Series) -> I64:
        while len(self._free) < len(names):
            self._grow()
        slots = self._free[-len(names) :]
        del self._free[-len(names) :]
        self._slot_of.update(zip(names, slots, strict=True))
        for slot, name in zip(slots, names, strict=True):
            self._ident[slot] = name
        at = np.array(slots, np.int64)
        for field, value in _FRESH.items():
            getattr(self, field)[at] = value
        self.kind[at] = kind.to_numpy()
        shift = hashes.to_numpy().astype(np.int64) * SECOND % self._age
        self.shift[at] = np.where(self.kind[at] == KeyKind.SESSION, shift, 0)
        shared = SEPARATOR + ALL_SOURCES
        self.is_all_sources[at] = [name.endswith(shared) for name in names]
        self.allowed_lateness[at] = np.where(self.is_all_sources[at], self._shared_lateness, self._lateness)
        return at

    def _grow(self) -> None:
        old = len(self._ident)
        new = max(1024, 2 * old)
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
            slots = np.unique(np.concatenate(timers.pop(second)))
            slots = slots[self.seen[slots] // SECOND == second]
            if len(slots):
                out.append((second, slots))
        return out
