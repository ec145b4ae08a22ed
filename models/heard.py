"""Who wrote when, as the windows over everything of a tenant need it to know a silence."""

import numpy as np

from models.ragged import group_starts, ranges, splits
from models.records import BOOL, I64, U32, Heard


def heard(  # noqa: PLR0913 - one array a property of the rows or windows
    owner: I64, origin: U32, time: I64, of: I64, high: I64, floor: I64, tells: BOOL
) -> Heard:
    """Of each window that ``tells`` the newest row of every source, from its ``floor`` to its end.

    Rows (n,) are sorted by ``owner`` and ``time``.  Windows (m,) are of owner ``of`` and end before row ``high``.  Rows
    are sorted by source once, however many windows look at them.
    """
    n = len(owner)
    at = np.flatnonzero(tells)
    if not len(at) or not n:
        return Heard.nothing(floor)
    code = owner << 32 | origin
    order = np.argsort(code, kind="stable")
    code = code[order]
    first = group_starts(code)
    place = np.repeat(np.arange(len(first)), np.diff(np.append(first, n))) * n + order
    group_owner = code[first] >> 32
    begin, end = np.searchsorted(group_owner, of[at]), np.searchsorted(group_owner, of[at], "right")
    group, window = ranges(begin, end), np.repeat(at, end - begin)
    newest = np.searchsorted(place, group * n + high[window]) - 1
    row = order[newest]
    told = (newest >= first[group]) & (time[row] >= floor[window])
    count = np.bincount(window[told], minlength=len(of))
    return Heard(floor, splits(count), origin[row[told]], time[row[told]])
