"""Who wrote when, as the windows over everything need it to know a silence, and the rows that are kept to tell it."""

import numpy as np

from models.arrays import group_starts, ranges, splits
from models.records import BOOL, I64, U32, LastSeen, RowFlag
from models.windows.closing import ClosedWindows
from models.windows.event_buffer import EventBuffer
from models.windows.key_state import FOREVER


def rows_kept_for_last_seen(pool: EventBuffer, rows: I64, owner: I64, begin: I64, oldest: I64) -> I64:
    """Positions of the rows that only tell when a source last wrote: the newest of each before coming windows.

    ``rows`` (n,) are sorted by ``owner`` (n,) and time.  ``begin`` (k,) is where the coming windows of an owner begin,
    ``oldest`` (k,) how far back they look (microseconds; FOREVER but for sources of everything).
    """
    if (oldest == FOREVER).all():
        return np.zeros(0, np.int64)
    time = pool.time[rows]
    event = (pool.flags[rows] & RowFlag.CONTINUATION) == 0
    old = np.flatnonzero(event & (time < begin[owner]) & (time >= oldest[owner]))[::-1]
    _, newest = np.unique(owner[old] << 32 | pool.origin[rows[old]], return_index=True)
    kept: I64 = old[newest]
    return kept


def last_seen_of(  # noqa: PLR0913 - one array a property of the rows
    pool: EventBuffer, rows: I64, owner: I64, closed: ClosedWindows, shared: BOOL, back: int
) -> LastSeen:
    """When each source last wrote, for windows over everything; as far back as their key has been there for.

    ``rows`` and ``owner`` (n,) are those that ``closed`` speaks of; ``shared`` (k,) says which owners are sources of
    everything; ``back`` is how far before its end a window knows (microseconds).
    """
    events, tells = rows[closed.events], shared[closed.owner]
    known = tells & ((pool.flags[events[closed.high - 1]] & RowFlag.HISTORY_KNOWN) != 0)
    floor = np.where(known, closed.end - back, closed.start)
    time, origin = pool.time[events], pool.origin[events]
    return last_seen_entries(owner[closed.events], origin, time, closed.owner, closed.high, floor, tells)


def last_seen_entries(  # noqa: PLR0913 - one array a property of the rows or windows
    owner: I64, origin: U32, time: I64, of: I64, high: I64, floor: I64, tells: BOOL
) -> LastSeen:
    """Of each window that ``tells`` the newest row of every source, from its ``floor`` to its end.

    Rows (n,) are sorted by ``owner`` and ``time``.  Windows (m,) are of owner ``of`` and end before row ``high``.  Rows
    are sorted by source once, however many windows look at them.
    """
    n = len(owner)
    at = np.flatnonzero(tells)
    if not len(at) or not n:
        return LastSeen.nothing(floor)
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
    return LastSeen(floor, splits(count), origin[row[told]], time[row[told]])
