"""What windows over everything keep of their lines: few rows that stand for many, and who wrote when.

Nobody reads such windows as a sequence: detectors count, and look at first moments and at large values.  So of the
lines of one *class* - a template, a level, marks - in one *cell* of time the first ``PLAIN`` stay as they are, and of
all others each source keeps the first of each magnitude of its values, which says how many lines it stands for
(``WindowBatch.count``).  Counts by template and source, errors and their first moment are exact; when a source last
wrote is known to the cell, values that were folded to a factor of two.  Every row is a line that stands on
``logs.raw``.  Rows grow with sources times templates, and no longer with lines.

Folding is a function of the set of lines: in whatever portions they come, and however often they are folded between,
the rows and their counts are the same.  Whether a line stays depends on earlier lines only.

Windows also know for some minutes back when each source last wrote, which tells a silence; rows before coming windows
are kept for that alone.
"""

from dataclasses import replace
from typing import Final

import numpy as np

from models.arrays import group_starts, mix, ranges, splits
from models.records import BOOL, I64, MARKS, U32, U64, LastSeen, RowFlag, WindowBatch
from models.windows.batches import without
from models.windows.event_buffer import OpenRows
from models.windows.key_state import FOREVER

PLAIN: Final = 50
"""Lines of a class and cell that stay as they are: a judgement.  Ten lines a second of one template are seldom written
by a small cloud, whose windows folding then leaves alone; and it is more than the lines that a verdict shows
(``models.scorer.LINES``), so that folding does not change which ones it shows."""

CELLS: Final = 3
"""Cells of a step: a judgement.  At a step of 15 s a source's last line is known to 5 s."""

_NO_VALUE: Final = -(2.0**100)
"""Stands for no value: of a magnitude that none has."""

_CLASS_FLAGS: Final = np.uint8(MARKS | RowFlag.CONTINUATION)
"""Bits that tell classes apart."""

_ORIGIN_BITS: Final = 32
"""Width of the number of a source, so that owner and source fit into one int64."""


def fold(rows: OpenRows, since: I64, cell: int) -> BOOL:
    """Fold the rows of keys from the cell of a moment (k,) on, FOREVER for none; return which rows (n,) stay.

    ``cell`` and ``since`` in microseconds.  To earlier cells nothing came after they were folded.
    The counts of rows that stand for others, and the oldest frame that these came with, are changed in place.
    """
    stays = np.ones(len(rows), np.bool_)
    foldable = np.flatnonzero(rows.time >= (since // cell * cell)[rows.owner])
    if len(foldable) <= PLAIN:
        return stays
    code = _classes(rows, foldable, cell)
    order = np.argsort(code, kind="stable")
    start = group_starts(code[order])
    rank = np.arange(len(order)) - np.repeat(start, np.diff(np.append(start, len(order))))
    rest = order[rank >= PLAIN]
    if not len(rest):
        return stays
    position, buffer = foldable[rest], rows.buffer
    row = rows.row[position]
    exponents = np.frexp(np.nan_to_num(buffer.values[row], nan=_NO_VALUE))[1].astype(np.int8)
    same = mix(
        code[rest] ^ mix(exponents.view(np.uint32).ravel() | buffer.origin[row].astype(np.uint64) << np.uint64(32))
    )
    _, first, group = np.unique(same, return_index=True, return_inverse=True)
    count, frame = np.zeros(len(first), np.int64), buffer.frame[row[first]]
    np.add.at(count, group, buffer.count[row])
    np.minimum.at(frame, group, buffer.frame[row])
    buffer.count[row[first]], buffer.frame[row[first]] = count, frame
    stays[position] = False
    stays[position[first]] = True
    return stays


def _classes(rows: OpenRows, chosen: I64, cell: int) -> U64:
    """A number (m,) for the key, cell and class of the chosen rows (m,); classes share one in one case in 2^64."""
    buffer, row = rows.buffer, rows.row[chosen]
    kind = (buffer.level[row].astype(np.uint64) << np.uint64(8)) | (buffer.flags[row] & _CLASS_FLAGS)
    code = mix(rows.owner[chosen].astype(np.uint64)) ^ (rows.time[chosen] // cell).astype(np.uint64)
    return mix(mix(mix(code) ^ kind) ^ buffer.template[row])


def as_of_error(windows: WindowBatch, is_cut: BOOL, cell: int) -> WindowBatch:
    """Make windows that an error cuts short (n,) independent of what follows them in the cell in which they end.

    How many lines were folded there is not certain yet, so that rows of that cell stand for themselves only.  Such
    windows are built from the cell in which they begin on, and of the rows before their begin only those that stand
    for others count: so folded lines count over as long a time as all others.
    """
    if not is_cut.any():
        return windows
    window = np.repeat(np.arange(len(windows)), np.diff(windows.splits))
    cut = is_cut[window]
    is_last = cut & (windows.time >= (windows.end // cell * cell)[window])
    is_early = cut & (windows.time < windows.start[window]) & (windows.count == 1)
    return without(replace(windows, count=np.where(is_last, 1, windows.count)), is_early)


def rows_kept_for_last_seen(rows: OpenRows, next_start: I64, oldest: I64, step: int) -> I64:
    """Positions of the rows that only tell when a source wrote: the newest of each step before coming windows.

    ``next_start`` (k,) is where the coming windows of a key begin, ``oldest`` (k,) how far back they look
    (microseconds; FOREVER but for sources of everything); ``step`` in microseconds.
    """
    if (oldest == FOREVER).all():
        return np.zeros(0, np.int64)
    is_before = rows.is_event & (rows.time < next_start[rows.owner]) & (rows.time >= oldest[rows.owner])
    newest_first = np.flatnonzero(is_before)[::-1]
    _, source = np.unique(rows.owner[newest_first] << _ORIGIN_BITS | rows.origin[newest_first], return_inverse=True)
    cells, cell = np.unique(rows.time[newest_first] // step, return_inverse=True)
    _, newest = np.unique(source * len(cells) + cell, return_index=True)
    kept: I64 = newest_first[newest]
    return kept


def last_seen_entries(  # noqa: PLR0913 - one array a property of the rows or windows
    owner: I64, origin: U32, time: I64, window_owner: I64, high: I64, floor: I64, tells: BOOL, step: int
) -> LastSeen:
    """Find, for each window that ``tells``, the newest row of every source and step from its ``floor`` to its end.

    Rows (n,) are sorted by ``owner`` and ``time``.  Windows (m,) are of ``window_owner`` and end before row ``high``;
    ``step`` is in microseconds.  Rows are sorted by step and source once, however many windows look at them.
    """
    n = len(owner)
    telling = np.flatnonzero(tells)
    if not len(telling) or not n:
        return LastSeen.nothing(floor)
    origins, source = np.unique(origin, return_inverse=True)
    cells, cell = np.unique(time // step, return_inverse=True)
    place = owner * (len(cells) + 1) + cell
    run = np.cumsum(np.diff(place, prepend=place[0]) > 0)
    code = run * len(origins) + source
    order = np.argsort(code, kind="stable")
    first = group_starts(code[order])
    # Group after group, and in a group by row: the newest row of a group before row ``high`` is found by a search.
    by_row = np.repeat(np.arange(len(first)), np.diff(np.append(first, n))) * n + order
    # Groups from the step of a window's floor to that of its last row.
    place_of_group, last_row = place[order[first]], high[telling] - 1
    earliest = window_owner[telling] * (len(cells) + 1) + np.searchsorted(cells, floor[telling] // step)
    begin = np.searchsorted(place_of_group, earliest)
    end = np.maximum(np.searchsorted(place_of_group, place[last_row], "right"), begin)
    group, window = ranges(begin, end), np.repeat(telling, end - begin)
    newest = np.searchsorted(by_row, group * n + high[window]) - 1
    row = order[newest]
    has_written = (newest >= first[group]) & (time[row] >= floor[window]) & (owner[row] == window_owner[window])
    counts = np.bincount(window[has_written], minlength=len(window_owner))
    return LastSeen(floor, splits(counts), origin[row[has_written]], time[row[has_written]])
