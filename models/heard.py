"""Who wrote before windows over everything began, and the rows that are kept only to tell."""

import numpy as np

from models.emit import Closed
from models.keytable import FOREVER
from models.ragged import ranges, splits
from models.records import BOOL, I64, Heard, RowFlag
from models.rowpool import RowPool


def elders(pool: RowPool, rows: I64, owner: I64, begin: I64, oldest: I64) -> I64:
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


def who_wrote(  # noqa: PLR0913 - one array a property of the rows
    pool: RowPool, rows: I64, owner: I64, closed: Closed, shared: BOOL, back: int
) -> Heard:
    """What windows over everything, whose key has been there for long enough, know of the time before them.

    ``rows`` and ``owner`` (n,) are those that ``closed`` speaks of; ``shared`` (k,) says which owners are sources of
    everything; ``back`` is how far before its end a window knows (microseconds).
    """
    last = pool.flags[rows[closed.events[closed.high - 1]]]
    known = shared[closed.owner] & ((last & RowFlag.HEARD) != 0)
    first = np.searchsorted(owner[closed.events], closed.owner)
    before = np.where(known, closed.low - first, 0)
    at = rows[closed.events[ranges(closed.low - before, closed.low)]]
    floor = np.where(known, closed.end - back, closed.start)
    return Heard(floor, splits(before), pool.origin[at], pool.time[at])
