"""Closed windows as a ``WindowBatch``: rows copied out of the buffer, and batches joined."""

from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.arrays import ranges, splits
from models.records import BOOL, F32, I32, I64, MARKS, U8, U32, U64, VALUES, KeyKind, LastSeen, WindowBatch
from models.windows.event_buffer import EventBuffer
from models.windows.key_state import SEPARATOR
from models.windows.window_kind import ClosedWindows

_PER_WINDOW: Final = ("kinds", "start", "end", "new_rows", "context", "continuations", "complete")
_PER_ROW: Final = (
    "time",
    "template",
    "origin",
    "level",
    "marks",
    "count",
    "partition",
    "offset",
    "values",
    "surprise",
    "row_ids",
)


def window_batch(  # noqa: PLR0913 - one argument a property of the windows
    buffer: EventBuffer,
    rows: I64,
    closed: ClosedWindows,
    kind: KeyKind,
    idents: list[str],
    complete: BOOL,
    seen: LastSeen,
) -> WindowBatch:
    """Copy the rows of closed windows out of the buffer.

    ``rows`` (n,) are the row numbers that ``closed`` speaks of, ``idents`` (k,) the identities of the owners as
    ``KeyState`` has them, ``complete`` and ``seen`` those of the windows.
    """
    owned = rows[closed.events[ranges(closed.low, closed.high)]]
    names = [idents[owner].split(SEPARATOR, 2) for owner in closed.owner.tolist()]
    kinds: U8 = np.full(len(names), kind, np.uint8)
    return WindowBatch(
        tenants=[tenant for tenant, _, _ in names],
        kinds=kinds,
        keys=[key for _, _, key in names],
        start=closed.start,
        end=closed.end,
        splits=splits(closed.high - closed.low),
        new_rows=closed.new_rows,
        context=closed.context,
        continuations=closed.continuations,
        complete=complete,
        time=buffer.time[owned],
        template=buffer.template[owned],
        origin=buffer.origin[owned],
        level=buffer.level[owned],
        marks=buffer.flags[owned] & np.uint8(MARKS),
        count=buffer.count[owned],
        partition=buffer.partition[owned],
        offset=buffer.offset[owned],
        values=buffer.values[owned],
        surprise=buffer.surprise[owned],
        row_ids=owned,
        last_seen=seen,
    )


def concat(batches: list[WindowBatch]) -> WindowBatch:
    """Join batches in order; without any, return an empty one."""
    if len(batches) == 1:
        return batches[0]
    if not batches:
        return _empty()

    def join(name: str) -> npt.NDArray[Any]:
        return np.concatenate([getattr(batch, name) for batch in batches])

    last_seen = [batch.last_seen for batch in batches]
    return WindowBatch(
        tenants=[tenant for batch in batches for tenant in batch.tenants],
        keys=[key for batch in batches for key in batch.keys],
        splits=splits(np.concatenate([np.diff(batch.splits) for batch in batches])),
        last_seen=LastSeen(
            np.concatenate([seen.floor for seen in last_seen]),
            splits(np.concatenate([np.diff(seen.splits) for seen in last_seen])),
            np.concatenate([seen.origin for seen in last_seen]),
            np.concatenate([seen.time for seen in last_seen]),
        ),
        **{name: join(name) for name in (*_PER_WINDOW, *_PER_ROW)},
    )


def take(windows: WindowBatch, chosen: I64) -> WindowBatch:
    """Return the batch of the chosen windows (m,) alone, in that order."""
    low, high = windows.splits[chosen], windows.splits[chosen + 1]
    rows = ranges(low, high)
    seen = windows.last_seen
    first, last = seen.splits[chosen], seen.splits[chosen + 1]
    entries = ranges(first, last)
    numbers = chosen.tolist()
    return WindowBatch(
        tenants=[windows.tenants[number] for number in numbers],
        keys=[windows.keys[number] for number in numbers],
        splits=splits(high - low),
        last_seen=LastSeen(seen.floor[chosen], splits(last - first), seen.origin[entries], seen.time[entries]),
        **{name: getattr(windows, name)[chosen] for name in _PER_WINDOW},
        **{name: getattr(windows, name)[rows] for name in _PER_ROW},
    )


def without(windows: WindowBatch, dropped: BOOL) -> WindowBatch:
    """Return the windows without some rows; ``dropped`` is shaped (rows,)."""
    total = splits(dropped.astype(np.int64))
    stop = windows.splits[1:]
    fresh = stop - windows.new_rows
    kept = np.flatnonzero(~dropped)
    return replace(
        windows,
        splits=windows.splits - total[windows.splits],
        new_rows=windows.new_rows - (total[stop] - total[fresh]),
        context=windows.context - (total[fresh] - total[fresh - windows.context]),
        **{name: getattr(windows, name)[kept] for name in _PER_ROW},
    )


def _empty() -> WindowBatch:
    none = np.zeros(0, np.int64)
    level: U8 = np.zeros(0, np.uint8)
    template: U64 = np.zeros(0, np.uint64)
    origin: U32 = np.zeros(0, np.uint32)
    partition: I32 = np.zeros(0, np.int32)
    values: F32 = np.zeros((0, VALUES), np.float32)
    return WindowBatch(
        tenants=[],
        kinds=level,
        keys=[],
        start=none,
        end=none,
        splits=splits(none),
        new_rows=none,
        context=none,
        continuations=none,
        complete=none > 0,
        time=none,
        template=template,
        origin=origin,
        level=level,
        marks=level,
        count=none,
        partition=partition,
        offset=none,
        values=values,
        surprise=values[:, 0],
        row_ids=none,
        last_seen=LastSeen.nothing(none),
    )
