"""Who wrote when, as the windows over everything need it to know a silence, and the rows that are kept to tell it."""

from typing import Final

import numpy as np

from models.arrays import group_starts, ranges, splits
from models.records import BOOL, I64, U32, LastSeen
from models.windows.event_buffer import OpenRows
from models.windows.key_state import FOREVER

_ORIGIN_BITS: Final = 32
"""Width of the number of a source, so that owner and source fit into one int64."""


def rows_kept_for_last_seen(rows: OpenRows, next_start: I64, oldest: I64) -> I64:
    """Positions of the rows that only tell when a source last wrote: the newest of each before coming windows.

    ``next_start`` (k,) is where the coming windows of a key begin, ``oldest`` (k,) how far back they look
    (microseconds; FOREVER but for sources of everything).
    """
    if (oldest == FOREVER).all():
        return np.zeros(0, np.int64)
    is_before = rows.is_event & (rows.time < next_start[rows.owner]) & (rows.time >= oldest[rows.owner])
    newest_first = np.flatnonzero(is_before)[::-1]
    source = rows.owner[newest_first] << _ORIGIN_BITS | rows.origin[newest_first]
    _, newest = np.unique(source, return_index=True)
    kept: I64 = newest_first[newest]
    return kept


def last_seen_entries(  # noqa: PLR0913 - one array a property of the rows or windows
    owner: I64, origin: U32, time: I64, window_owner: I64, high: I64, floor: I64, tells: BOOL
) -> LastSeen:
    """Find, for each window that ``tells``, the newest row of every source from the window's ``floor`` to its end.

    Rows (n,) are sorted by ``owner`` and ``time``.  Windows (m,) are of ``window_owner`` and end before row ``high``.
    Rows are sorted by source once, however many windows look at them.
    """
    n = len(owner)
    telling = np.flatnonzero(tells)
    if not len(telling) or not n:
        return LastSeen.nothing(floor)
    source = owner << _ORIGIN_BITS | origin
    order = np.argsort(source, kind="stable")
    source = source[order]
    first = group_starts(source)
    # Group after group, and in a group by row: the newest row of a group before row ``high`` is found by a search.
    code = np.repeat(np.arange(len(first)), np.diff(np.append(first, n))) * n + order
    group_owner = source[first] >> _ORIGIN_BITS
    begin = np.searchsorted(group_owner, window_owner[telling])
    end = np.searchsorted(group_owner, window_owner[telling], "right")
    group, window = ranges(begin, end), np.repeat(telling, end - begin)
    newest = np.searchsorted(code, group * n + high[window]) - 1
    row = order[newest]
    has_written = (newest >= first[group]) & (time[row] >= floor[window])
    counts = np.bincount(window[has_written], minlength=len(window_owner))
    return LastSeen(floor, splits(counts), origin[row[has_written]], time[row[has_written]])
