"""From sorted open rows to closed windows: which rows may close, and the batch that they become.

Pure functions over flat arrays.  Rows come sorted by owner (position of their key in the list of keys examined), time,
raw partition and offset; continuation lines are among them and only counted.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.ragged import group_starts, group_stops, ranges, splits
from models.records import BOOL, I64, U8, Heard, WindowBatch
from models.rowpool import RowPool


@dataclass(frozen=True, slots=True)
class Closed:
    """Windows found in the sorted rows, and what is left.

    Window i owns event rows ``low[i]:high[i]``; ``keep`` (one per row, continuations included) says which rows stay.
    """

    owner: I64
    start: I64
    end: I64
    low: I64
    high: I64
    fresh: I64
    context: I64
    continuations: I64
    events: I64  # positions of the event rows among all rows; low and high index into this
    keep: BOOL


def closable_steps(  # noqa: PLR0913 - one array a property of the rows
    owner: I64, time: I64, is_event: BOOL, done: I64, limit: I64, step: int, steps: int
) -> Closed:
    """Source windows: one per step with an event that ends at or before the key's ``limit`` and after ``done``.

    Shapes: rows (n,), keys (k,): ``done`` is the last closed step number, ``limit`` the time (microseconds) up to which
    steps are closed.  ``steps`` is the number of steps in a window.  Rows stay as long as a later window, or the
    context of one of its steps, may need them.
    """
    pane = time // step
    keep = pane >= (limit // step - steps)[owner]
    events = np.flatnonzero(is_event)
    event_owner, event_pane = owner[events], pane[events]
    base = int(pane.min()) - steps if len(pane) else 0
    width = int(pane.max()) - base + steps + 2 if len(pane) else 1
    place = event_owner * width + (event_pane - base)
    first = group_starts(place)
    stop = group_stops(first, len(place))
    groups = place[first] if len(first) else np.zeros(0, np.int64)
    group_owner, group_pane = event_owner[first], event_pane[first]
    wanted = (group_pane > done[group_owner]) & ((group_pane + 1) * step <= limit[group_owner])
    chosen = np.flatnonzero(wanted)
    end_pane, end_owner = group_pane[chosen], group_owner[chosen]
    begin = np.searchsorted(groups, groups[chosen] - (steps - 1))
    before = np.searchsorted(groups, groups[chosen] - 1)
    has_before = (before < chosen) & (groups[np.minimum(before, len(groups) - 1)] == groups[chosen] - 1)
    context = np.where(has_before, stop[before] - first[before], 0) if len(chosen) else np.zeros(0, np.int64)
    rest = np.flatnonzero(~is_event)
    rest_place = owner[rest] * width + (pane[rest] - base)
    continuations = np.searchsorted(rest_place, groups[chosen], "right") - np.searchsorted(
        rest_place, groups[chosen] - (steps - 1), "left"
    )
    end = (end_pane + 1) * step
    return Closed(
        owner=end_owner,
        start=end - steps * step,
        end=end,
        low=first[begin],
        high=stop[chosen],
        fresh=stop[chosen] - first[chosen],
        context=context,
        continuations=continuations,
        events=events,
        keep=keep,
    )


def closable_sessions(  # noqa: PLR0913 - one array a property of the rows
    owner: I64, time: I64, is_event: BOOL, shift: I64, limit: I64, gap: int, age: int
) -> Closed:
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
    return Closed(
        owner=run_owner[chosen],
        start=time[events[low]] if len(low) else np.zeros(0, np.int64),
        end=end[chosen],
        low=low,
        high=high,
        fresh=high - low,
        context=np.zeros(len(chosen), np.int64),
        continuations=(stop[chosen] - first[chosen]) - (high - low),
        events=events,
        keep=keep,
    )


def window_batch(  # noqa: PLR0913 - one array a property of the windows
    pool: RowPool, rows: I64, closed: Closed, kind: int, idents: list[str], whole: BOOL, heard: Heard
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
        fresh=closed.fresh,
        context=closed.context,
        continuations=closed.continuations,
        whole=whole,
        time=pool.time[at],
        template=pool.template[at],
        origin=pool.origin[at],
        level=pool.level[at],
        partition=pool.partition[at],
        offset=pool.offset[at],
        values=pool.values[at],
        surprise=pool.surprise[at],
        row_ids=at,
        heard=heard,
    )


def concat(batches: list[WindowBatch]) -> WindowBatch:
    """One batch of several, in order; an empty one of none."""
    if len(batches) == 1:
        return batches[0]
    if not batches:
        return window_batch(RowPool(), _NONE, _NOTHING, 0, [], _NOTHING.keep, Heard.nothing(_NONE))

    def join(name: str) -> npt.NDArray[Any]:
        return np.concatenate([getattr(batch, name) for batch in batches])

    lengths = np.concatenate([np.diff(batch.splits) for batch in batches])
    arrays = ("kinds", "start", "end", "fresh", "context", "continuations", "whole", "time", "template")
    return WindowBatch(
        tenants=[tenant for batch in batches for tenant in batch.tenants],
        keys=[key for batch in batches for key in batch.keys],
        splits=splits(lengths),
        heard=Heard(
            np.concatenate([batch.heard.floor for batch in batches]),
            splits(np.concatenate([np.diff(batch.heard.splits) for batch in batches])),
            np.concatenate([batch.heard.origin for batch in batches]),
            np.concatenate([batch.heard.time for batch in batches]),
        ),
        **{
            name: join(name)
            for name in (*arrays, "origin", "level", "partition", "offset", "values", "surprise", "row_ids")
        },
    )


_NONE: Final = np.zeros(0, np.int64)
_NOTHING: Final = Closed(_NONE, _NONE, _NONE, _NONE, _NONE, _NONE, _NONE, _NONE, _NONE, np.zeros(0, np.bool_))
