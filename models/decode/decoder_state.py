"""What a decoder remembers of one raw partition: exactly its present and its previous generation of records.

All that is kept are facts of single records, never decisions that older records had a part in.  So the memory at any
offset can be rebuilt by reading again from the start of the generation before it.
"""

from enum import IntEnum
from typing import Final

import numpy as np
import polars as pl

from models.records import BOOL, U64


class Slot(IntEnum):
    """What is remembered, each under a 64-bit key: the last row of that kind."""

    HEAD = 0
    """Last header of a source."""
    TIMED = 1
    """Last header of a source that has a time."""
    PLAIN = 2
    """Last line without header of a source."""
    RECORD = 3
    """Last header with context of a source and process."""
    BARE = 4
    """Last header without context of a source and process."""


class _Rows:
    """Rows of one slot by key; the last one of a key counts."""

    __slots__ = ("_frames", "_height", "index")

    def __init__(self) -> None:
        self.index: dict[int, int] = {}
        self._frames: list[pl.DataFrame] = []
        self._height = 0

    def add(self, keys: U64, rows: pl.DataFrame) -> None:
        self.index.update(zip(keys.tolist(), range(self._height, self._height + rows.height), strict=True))
        self._frames.append(rows)
        self._height += rows.height
        if len(self._frames) > _FRAMES:
            self._frames = [pl.concat(self._frames, rechunk=True)]

    def take(self, places: list[int]) -> pl.DataFrame:
        if len(self._frames) > 1:
            self._frames = [pl.concat(self._frames, rechunk=True)]
        return self._frames[0][places]


_FRAMES: Final = 32
"""Frames of kept rows before they are joined into one: a judgement between copying and lookups."""


class Generation:
    """One generation's share."""

    __slots__ = ("_hashes", "partial", "rows")

    def __init__(self) -> None:
        self.rows = tuple(_Rows() for _ in Slot)
        self.partial: set[int] = set()
        self._hashes: U64 = np.zeros(0, np.uint64)

    def holds(self, keys: U64) -> BOOL:
        """Which keys have been seen."""
        if not self._hashes.size:
            return np.zeros(keys.size, np.bool_)
        places = np.searchsorted(self._hashes, keys)
        places[places == self._hashes.size] = 0
        return np.asarray(self._hashes[places] == keys)

    def see(self, keys: U64) -> None:
        """Remembers keys."""
        self._hashes = np.sort(np.concatenate([self._hashes, keys]), kind="stable")


class PartitionState:
    """The memory of one partition."""

    __slots__ = ("before", "number", "offset", "present")

    def __init__(self) -> None:
        self.number = -1
        self.offset = -1
        self.present = Generation()
        self.before = Generation()

    def enter(self, number: int) -> None:
        """Goes on to a generation; what is older than the one before it is forgotten."""
        if number == self.number:
            return
        self.before = self.present if number == self.number + 1 else Generation()
        self.present = Generation()
        self.number = number

    def duplicates(self, keys: U64) -> BOOL:
        """Which keys came before, in this array or in memory; remembers all of them."""
        again = self.present.holds(keys) | self.before.holds(keys)
        _, first = np.unique(keys, return_index=True)
        if first.size < keys.size:
            repeated = np.ones(keys.size, np.bool_)
            repeated[first] = False
            again |= repeated
        self.present.see(keys)
        return again


class Finder:
    """Looks rows up in the memories of several partitions, and collects them as one frame behind a batch's own rows.

    A found row is named by its place: ``base`` (the batch's rows) + its row in ``frame()``.
    """

    def __init__(self, base: int) -> None:
        self._base = base
        self._frames: list[pl.DataFrame] = []

    def find(self, slot: Slot, keys: U64, memories: list[PartitionState]) -> tuple[np.ndarray, BOOL]:
        """Per key (with the memory of its partition) the place of its row, -1 where none; whether it is of the present
        generation."""  # noqa: D205, D209
        unique, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
        places = np.full(unique.size, -1, np.int64)
        present = np.zeros(unique.size, np.bool_)
        wanted: dict[int, tuple[_Rows, list[int], list[int]]] = {}
        for place, (key, row) in enumerate(zip(unique.tolist(), first.tolist(), strict=True)):
            memory = memories[row]
            for generation in (memory.present, memory.before):
                rows = generation.rows[slot]
                stored = rows.index.get(key)
                if stored is not None:
                    _, origins, targets = wanted.setdefault(id(rows), (rows, [], []))
                    origins.append(stored)
                    targets.append(place)
                    present[place] = generation is memory.present
                    break
        for rows, origins, targets in wanted.values():
            places[targets] = np.arange(self._base, self._base + len(origins))
            self._base += len(origins)
            self._frames.append(rows.take(origins))
        return places[inverse], present[inverse]

    def behind(self, own: pl.DataFrame, columns: list[str] | None = None) -> pl.DataFrame:
        """The batch's own rows with the found ones below; of these only some columns, where ``own`` has no others."""
        if not self._frames:
            return own
        return pl.concat([own, *(frame.select(columns) if columns else frame for frame in self._frames)])
