"""Several files as one stream in the order of time: what a request does in one service meets what it does in the next.

Within a file the order of its lines stays; between files the largest time that a file has shown so far decides, ties by
the files' numbers.  A file is opened when the others have come to its first time, so rotated files are not held open
together, and at most one chunk of each open file is in memory.  Files that name no time at their begin come last.
"""

import logging
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
import polars as pl

from models.decode.decoder import Decoder
from models.decode.log_files import BrokenArchiveError, FileBatch, LogFile, list_files, read_file
from models.decode.timestamps import moved_years
from models.records import I64, LOG_SCHEMA, NO_TIME, LogBatch, RawSpan, Reject
from models.rfc3339 import DAY

log = logging.getLogger(__name__)

Stretch: TypeAlias = tuple[LogBatch, dict[int, RawSpan]]
"""Decoded lines of some files, and what part of each file they cover; ``row`` counts within a file's chunk."""

CHUNK: Final = 8192
"""Lines of each file that are decoded at a time: a judgement between memory and speed."""
_SMALL_CHUNK: Final = 1024
"""The same where many files are open at once."""
_HELD_LINES: Final = 16 * CHUNK
"""About so many lines of all files together are held, unless very many files overlap."""

_PEEK: Final = 1024
"""Lines at a file's begin among which its first time is looked for."""

_YEARS: Final = 30
"""Years back and forth in which a file without years is looked for: a judgement."""

_SAME_LOGS: Final = 31 * DAY
"""Microseconds between the begins of files that may be logs of one time: a judgement, a month of rotated files."""

_NEVER: Final = np.iinfo(np.int64).max


def merged(paths: Sequence[str | Path], decoder: Decoder, chunk: int = CHUNK) -> Iterator[Stretch]:
    """Decoded lines of files and folders, merged by time; a single file is read as it stands.

    ``chunk`` is the number of lines that are read of a file at once; smaller where there are very many files.

    Raises InvalidError as ``list_files`` and ``read_file`` do.
    """
    files = list_files(paths)
    if len(files) == 1:
        yield from _one_by_one([_Reader(files[0], decoder, chunk, is_alone=True)])
        return
    size = min(chunk, max(_HELD_LINES // len(files), _SMALL_CHUNK))
    readers = [_Reader(file, decoder, size) for file in files]
    for reader in readers:
        reader.find_start()
    _agree_on_years(readers)
    timed = [reader for reader in readers if reader.start != NO_TIME]
    yield from _by_time(deque(sorted(timed, key=lambda reader: (reader.start, reader.number))))
    latest = max((reader.top for reader in timed), default=NO_TIME)
    yield from _one_by_one([reader for reader in readers if reader.start == NO_TIME], latest)


def _agree_on_years(readers: "Sequence[_Reader]") -> None:
    """Give files whose stamps name no year the year of the others, where these speak of the same month.

    When a file was written, which says its year otherwise, is the time of its copy as often as not.
    """
    dated = [reader.start for reader in readers if not reader.is_yearless and reader.start != NO_TIME]
    for reader in readers:
        if not (reader.is_yearless and reader.start != NO_TIME and dated):
            continue
        years = [int(moved) for moved in moved_years(reader.start, _YEARS)]
        nearest = min(years, key=lambda start: min(abs(start - other) for other in dated))
        if min(abs(nearest - other) for other in dated) <= _SAME_LOGS:
            reader.start_at(nearest)


def _by_time(waiting: "deque[_Reader]") -> Iterator[Stretch]:
    """Merge files that stand in the order of their first times."""
    active: list[_Reader] = []
    while waiting or active:
        # No file that may still bring lines has shown a later time.
        frontier = min((reader.top for reader in active if not reader.ended), default=_NEVER)
        if waiting and waiting[0].start <= frontier:
            active.append(waiting.popleft())
            active[-1].fill()
            active.sort(key=lambda reader: reader.number)
            continue
        yield from _gather([reader.take(frontier) for reader in active])
        for reader in active:
            reader.fill()
        active = [reader for reader in active if not reader.is_done]


def _one_by_one(readers: "Sequence[_Reader]", latest: int = NO_TIME) -> Iterator[Stretch]:
    for reader in readers:
        reader.fill(latest)
        while not reader.is_done:
            yield from _gather([reader.take(_NEVER)])
            reader.fill(latest)


def _with_times(logs: LogBatch, latest: int) -> LogBatch:
    """Lines of a file whose time nobody knows, put to the first time behind them, else to ``latest``."""
    times = logs.lines["time"].to_numpy()
    if not times.size or times.min() > 0:
        return logs
    places = np.where(times > 0, np.arange(times.size), times.size)
    following = np.minimum.accumulate(places[::-1])[::-1]
    known = np.append(times, max(latest, 0))[following]
    return replace(logs, lines=logs.lines.with_columns(pl.Series("time", known, pl.Int64)))


@dataclass(frozen=True, slots=True)
class _Taken:
    """Lines of one file with the times to merge them by, and what else became of what was read meanwhile."""

    lines: pl.DataFrame
    order: I64
    rejects: tuple[Reject, ...]
    drops: Mapping[str, int]
    notes: Mapping[str, int]
    unread: Mapping[tuple[str, str], int]


def _gather(parts: Sequence[_Taken]) -> Iterator[Stretch]:
    """One stretch of what the files gave, none where they gave nothing."""
    rejects = tuple(reject for part in parts for reject in part.rejects)
    drops, notes, unread = Counter[str](), Counter[str](), Counter[tuple[str, str]]()
    for part in parts:
        drops.update(part.drops)
        notes.update(part.notes)
        unread.update(part.unread)
    full = [part for part in parts if len(part.lines)]
    if not full:
        if rejects or drops:
            yield LogBatch(pl.DataFrame(schema=LOG_SCHEMA), rejects, dict(drops), dict(notes), dict(unread)), {}
        return
    lines = full[0].lines
    if len(full) > 1:
        order = np.argsort(np.concatenate([part.order for part in full]), kind="stable")
        lines = pl.concat([part.lines for part in full])[order]
    spans = {}
    for part in full:
        offset = part.lines["offset"]
        spans[int(part.lines["partition"][0])] = RawSpan(int(offset[0]), int(offset[-1]), NO_TIME)
    yield LogBatch(lines, rejects, dict(drops), dict(notes), dict(unread)), spans


class _Reader:
    """One file, a chunk at a time."""

    def __init__(self, file: LogFile, decoder: Decoder, size: int, *, is_alone: bool = False) -> None:
        """``is_alone``: there is no other file, so that what is wrong with this one is an error and no warning."""
        self.number = file.number
        self.start = NO_TIME
        """The first time in the file, once it has been looked for."""
        self.top = NO_TIME
        """The largest time read so far."""
        self.is_yearless = False
        """Whether stamps at its begin name no year."""
        self.ended = False
        self._is_alone = is_alone
        self._is_begun = False
        self._written: Mapping[int, int] | None = None
        self._file = file
        self._decoder = decoder
        self._size = size
        self._batches: Iterator[FileBatch] = read_file(file, size)
        self._held: LogBatch | None = None
        self._order: I64 = np.zeros(0, np.int64)

    @property
    def is_done(self) -> bool:
        """Whether all that there was has been taken."""
        return self.ended and self._held is None

    def find_start(self) -> None:
        """Look for the first time at the file's begin, and close the file again if it can be opened twice."""
        batches = read_file(self._file, _PEEK if self._file.is_regular else self._size)
        try:
            batch = next(batches, None)
        except BrokenArchiveError:
            # Nothing can be read of it: told when its turn comes.
            return
        if batch is not None:
            logs = self._decoder.fresh_copy().decode(batch.raw, batch.sources, batch.written)
            times = logs.lines["time"].to_numpy()
            known = times[times > 0]
            self.start = int(known[0]) if known.size else NO_TIME
            self.is_yearless = bool(logs.notes.get("yearless"))
        if self._file.is_regular:
            batches.close()
        else:
            self._batches = chain([batch] if batch is not None else [], batches)

    def start_at(self, start: int) -> None:
        """Say in which year the file begins: ``start`` is the time of its first stamp (microseconds)."""
        self.start = start
        self._written = {self.number: start}

    def fill(self, latest: int = NO_TIME) -> None:
        """Read a chunk, if nothing is held; lines whose time nobody knows are put to ``latest``, if it is known."""
        if self._held is not None or self.ended:
            return
        try:
            batch = next(self._batches, None)
        except BrokenArchiveError as error:
            if self._is_alone or (self._file.is_named and not self._is_begun):
                raise
            log.warning("%s; read as far as it goes", error)
            batch = None
        if batch is None:
            self.ended = True
            return
        self._is_begun = True
        decoded = self._decoder.decode(batch.raw, batch.sources, self._written or batch.written)
        self._held = decoded = _with_times(decoded, max(self.top, latest, self.start))
        times = decoded.lines["time"].to_numpy()
        self._order = np.maximum.accumulate(np.maximum(times, self.top))
        if self._order.size:
            self.top = int(self._order[-1])

    def take(self, until: int) -> _Taken:
        """Give out the lines up to a time, and with the first of a chunk what else became of it."""
        decoded = self._held
        if decoded is None:
            return _Taken(pl.DataFrame(schema=LOG_SCHEMA), self._order[:0], (), {}, {}, {})
        cut = int(np.searchsorted(self._order, until, "right"))
        taken = _Taken(
            decoded.lines[:cut], self._order[:cut], decoded.rejects, decoded.drops, decoded.notes, decoded.unread
        )
        rest = decoded.lines[cut:]
        self._order = self._order[cut:]
        self._held = LogBatch(rest, (), {}, {}) if len(rest) else None
        return taken
