"""Who wrote when, as the windows over everything need it to know a silence, and the rows that are kept to tell it."""

from typing import Final

import numpy as np

from models.arrays import group_starts, ranges, splits
from models.records import BOOL, I64, U32, LastSeen
from models.windows.event_buffer import OpenRows
from models.windows.key_state import FOREVER

_ORIGIN_BITS: Final = 32
"""Width of the number of a source, so that owner and source fit into one int64."""


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
