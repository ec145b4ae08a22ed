"""From sorted open rows to closed windows: which rows may close, and the batch that they become.

Pure functions over flat arrays.  Rows come sorted by owner (position of their key in the list of keys examined), time,
raw partition and offset; continuation lines are among them and only counted.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.arrays import group_starts, group_stops, ranges, splits
from models.records import BOOL, I64, U8, LastSeen, WindowBatch
from models.windows.event_buffer import EventBuffer

_MILLISECOND: Final = 1000


@dataclass(frozen=True, slots=True)
class ClosedWindows:
    """Windows found in the sorted rows, and what is left.

    Window i owns event rows ``low[i]:high[i]``; ``keep`` (one per row, continuations included) says which rows stay.
    """

    owner: I64
    start: I64
    end: I64
    low: I64
    high: I64
    new_rows: I64
    context: I64
    continuations: I64
    events: I64  # positions of the event rows among all rows; low and high index into this
    keep: BOOL


def error_end(time: I64) -> I64:
    """End of the window that an error at each time (n,) brings about: the millisecond, so far as ends are written."""
    return (time // _MILLISECOND + 1) * _MILLISECOND


def close_source_windows(  # noqa: PLR0913 - one array a property of the rows
    owner: I64, time: I64, is_event: BOOL, is_error: BOOL, given: I64, limit: I64, step: int, steps: int
) -> ClosedWindows:
    """Source windows that end after ``given`` and at or before ``limit`` (microseconds).

    One per step with an event ends with the step, and one per step with an error just behind the first of these.
    Shapes: rows (n,), keys (k,): ``given`` is the limit up to which windows were closed before.  ``steps`` is the
    number of steps in a window.  Rows stay as long as a later window, or the context of one of its steps, may need
    them.
    """
    pane = time // step
    keep = pane >= (limit // step - steps)[owner]
    events = np.flatnonzero(is_event)
    event_owner, event_pane, event_time = owner[events], pane[events], time[events]
    base = int(pane.min()) - steps if len(pane) else 0
    width = int(pane.max()) - base + steps + 2 if len(pane) else 1
    place = event_owner * width + (event_pane - base)
    first = group_starts(place)
    stop = group_stops(first, len(place))
    groups, group_owner = place[first], event_owner[first]
    group_end = (event_pane[first] + 1) * step

    def due(group: I64, end: I64) -> BOOL:
        return (end > given[group_owner[group]]) & (end <= limit[group_owner[group]])

    every = np.arange(len(groups))
    whole = every[due(every, group_end)]
    begin = np.searchsorted(groups, groups[whole] - (steps - 1))
    rest = np.flatnonzero(~is_event)
    rest_place = owner[rest] * width + (pane[rest] - base)
    continuations = np.searchsorted(rest_place, groups[whole], "right") - np.searchsorted(
        rest_place, groups[whole] - (steps - 1), "left"
    )
    errors = np.flatnonzero(is_error[events])
    cut, which = np.unique(np.searchsorted(first, errors, "right") - 1, return_index=True)
    error_ends = error_end(event_time[errors[which]])
    chosen = np.flatnonzero(due(cut, error_ends) & (error_ends < group_end[cut]))
    cut, error_ends = cut[chosen], error_ends[chosen]
    low, high = _between(event_owner, event_time, group_owner[cut], error_ends - steps * step, error_ends)
    rest_low, rest_high = _between(owner[rest], time[rest], group_owner[cut], error_ends - steps * step, error_ends)
    group = np.concatenate([whole, cut])
    end = np.concatenate([group_end[whole], error_ends])
    low, high = np.concatenate([first[begin], low]), np.concatenate([stop[whole], high])
    continuations = np.concatenate([continuations, rest_high - rest_low])
    # A step's own window after the one that its error cut short: it knows better how its events came about.
    order = np.lexsort((end, group_owner[group]))
    group, end, low, high = group[order], end[order], low[order], high[order]
    before = np.searchsorted(groups, groups[group] - 1)
    has_before = groups[before] == groups[group] - 1
    fresh = high - first[group]
    return ClosedWindows(
        owner=group_owner[group],
        start=end - steps * step,
        end=end,
        low=low,
        high=high,
        new_rows=fresh,
        context=np.where(has_before, np.minimum((stop - first)[before], high - low - fresh), 0),
        continuations=continuations[order],
        events=events,
        keep=keep,
    )


def _between(owner: I64, time: I64, of: I64, begin: I64, end: I64) -> tuple[I64, I64]:
    """First and last but one position of the rows of each owner (n,) from ``begin`` to before ``end`` (n,).

    Rows are sorted by owner and time.
    """
    low, high = np.searchsorted(owner, of), np.searchsorted(owner, of, "right")
    for i, (first, stop) in enumerate(zip(low.tolist(), high.tolist(), strict=True)):
        low[i], high[i] = first + np.searchsorted(time[first:stop], (begin[i], end[i]))
    return low, high


def close_sessions(  # noqa: PLR0913 - one array a property of the rows
    owner: I64, time: I64, is_event: BOOL, shift: I64, limit: I64, gap: int, age: int
) -> ClosedWindows:
    """Session windows: runs without a gap above ``gap`` within one cell of the age grid, past the key's ``limit``.

    A run is closed when ``limit`` (k,) has reached the end of its cell or its last event plus ``gap``; that moment is
    the window's ``end``.
    """
    cell = (time + shift[owner]) // age
    new = np.ones(len(time), np.bool_)
    new[1:] = (owner[1:] != owner[:-1]) | (cell[1:] != cell[:-1]) | (time[1:] - time[:-1] > gap)
    first = np.flatnonzero(new)
    stop = group_stops(first, len(time))
    run_owner, last = owner[first], time[stop - 1]
    end = np.minimum(last + gap, (cell[first] + 1) * age - shift[run_owner])
    closes = end <= limit[run_owner]
    keep = ~np.repeat(closes, stop - first)
    events_before = splits(is_event.astype(np.int64))
    low, high = events_before[first], events_before[stop]
    chosen = np.flatnonzero(closes & (high > low))
    low, high = low[chosen], high[chosen]
    events = np.flatnonzero(is_event)
    return ClosedWindows(
        owner=run_owner[chosen],
        start=time[events[low]] if len(low) else np.zeros(0, np.int64),
        end=end[chosen],
        low=low,
        high=high,
        new_rows=high - low,
        context=np.zeros(len(chosen), np.int64),
        continuations=(stop[chosen] - first[chosen]) - (high - low),
        events=events,
        keep=keep,
    )


def window_batch(  # noqa: PLR0913 - one array a property of the windows
    pool: EventBuffer, rows: I64, closed: ClosedWindows, kind: int, idents: list[str], whole: BOOL, heard: LastSeen
) -> WindowBatch:
    """Copy the rows of closed windows out of the pool.

    ``rows`` are the sorted row numbers that ``closed`` speaks of; ``idents`` the identities of the owners,
    ``tenant␟kind␟key``; ``whole`` one per window, and so does ``heard`` speak of them.
    """
    at = rows[closed.events[ranges(closed.low, closed.high)]]
    names = [idents[i].split("\x1f", 2) for i in closed.owner.tolist()]
    kinds: U8 = np.full(len(names), kind, np.uint8)
    return WindowBatch(
        tenants=[name[0] for name in names],
        kinds=kinds,
        keys=[name[2] for name in names],
        start=closed.start,
        end=closed.end,
        splits=splits(closed.high - closed.low),
        new_rows=closed.new_rows,
        context=closed.context,
        continuations=closed.continuations,
        complete=whole,
        time=pool.time[at],
        template=pool.template[at],
        origin=pool.origin[at],
        level=pool.level[at],
        partition=pool.partition[at],
        offset=pool.offset[at],
        values=pool.values[at],
        surprise=pool.surprise[at],
        row_ids=at,
        last_seen=heard,
    )


def concat(batches: list[WindowBatch]) -> WindowBatch:
    """One batch of several, in order; an empty one of none."""
    if len(batches) == 1:
        return batches[0]
    if not batches:
        return window_batch(EventBuffer(), _NONE, _NOTHING, 0, [], _NOTHING.keep, LastSeen.nothing(_NONE))

    def join(name: str) -> npt.NDArray[Any]:
        return np.concatenate([getattr(batch, name) for batch in batches])

    lengths = np.concatenate([np.diff(batch.splits) for batch in batches])
    arrays = ("kinds", "start", "end", "new_rows", "context", "continuations", "complete", "time", "template")
    return WindowBatch(
        tenants=[tenant for batch in batches for tenant in batch.tenants],
        keys=[key for batch in batches for key in batch.keys],
        splits=splits(lengths),
        last_seen=LastSeen(
            np.concatenate([batch.last_seen.floor for batch in batches]),
            splits(np.concatenate([np.diff(batch.last_seen.splits) for batch in batches])),
            np.concatenate([batch.last_seen.origin for batch in batches]),
            np.concatenate([batch.last_seen.time for batch in batches]),
        ),
        **{
            name: join(name)
            for name in (*arrays, "origin", "level", "partition", "offset", "values", "surprise", "row_ids")
        },
    )


_NONE: Final = np.zeros(0, np.int64)
_NOTHING: Final = ClosedWindows(_NONE, _NONE, _NONE, _NONE, _NONE, _NONE, _NONE, _NONE, _NONE, np.zeros(0, np.bool_))
