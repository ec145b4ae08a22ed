"""Services over time: how important windows were (a matrix), incidents, changes, and blind times."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from models.records import F32, I64
from models.rfc3339 import DAY, SECOND, time_text
from stream.topics.changes import Announcement
from stream.ui.memory.blind_times import BlindTime
from stream.ui.memory.incident_log import IncidentHead
from stream.ui.memory.window_columns import WindowColumns
from stream.ui.pages.query import ListQuery
from stream.ui.pages.text import cut

BUCKETS: Final = 240
"""Stretches of time that a lane is cut into: a judgement, four pixels each on a wide screen."""

MOST_LANES: Final = 40
"""Services that are shown, the worst: a judgement, one screen; the others are counted."""

MOST_BARS: Final = 1_000
"""Incidents, and as many changes, that are shown: a judgement; the answer stays below 300 kB."""

HOUR: Final = 3_600 * SECOND
"""Microseconds."""

SHORTEST: Final = 600 * SECOND
"""Microseconds that are shown at least: a judgement."""

NOTHING: Final = "."
"""Stands for a stretch without a window in the rows of the matrix; 1 to 9 stand for importance, see ``_cells``."""


@dataclass(frozen=True, slots=True)
class TimeRange:
    """A range of event time in microseconds."""

    begin: int
    end: int

    def touches(self, begin: int, end: int) -> bool:
        """Return whether another range has a moment in common with it."""
        return begin < self.end and end >= self.begin


def range_of(query: ListQuery, heads: Sequence[IncidentHead], windows: I64, now: int, *, live: bool) -> TimeRange:
    """Return the range that an address asks for: without one the last day, up to now or to what came last.

    Args:
        query: The address.
        heads: All incidents.
        windows: Ends of all windows, shape (n,), in microseconds.
        now: The wall clock, in microseconds.
        live: Whether more may come.
    """
    since, until = query.span()
    newest = max([head.end for head in heads] + ([int(windows.max())] if len(windows) else []), default=now)
    oldest = min([head.started for head in heads] + ([int(windows.min())] if len(windows) else []), default=now)
    # Of a recorded clock, such as that of the demo, nothing is now.
    recent = live and abs(now - newest) < DAY
    end = until if until is not None else now if recent else newest + SHORTEST // 10
    begin = since if since is not None else max(oldest - SHORTEST // 10, end - DAY)
    return TimeRange(min(begin, end - SHORTEST) if since is None else min(begin, end - SECOND), end)


def lanes(  # noqa: PLR0913 - what lanes are made of
    shown: TimeRange,
    windows: WindowColumns,
    heads: Iterable[IncidentHead],
    changes: Iterable[Announcement],
    blind: Iterable[BlindTime],
    *,
    buckets: int = BUCKETS,
) -> dict[str, Any]:
    """Return what the canvas draws, as JSON carries it."""
    near = [head for head in heads if shown.touches(head.started, head.end)]
    matrix = _matrix(shown, windows, near, buckets)
    order = sorted(matrix, key=lambda name: (-float((matrix[name] ** 4).sum()), name))
    kept = order[:MOST_LANES]
    kept.sort(key=lambda name: (int(np.argmax(matrix[name] > 0)), name))
    number = {name: n for n, name in enumerate(kept)}
    near.sort(key=lambda head: (-head.severity, -head.end))
    times = [change for change in changes if shown.touches(change.time, change.time)]
    return {
        "from": time_text(shown.begin),
        "to": time_text(shown.end),
        "lanes": [{"name": name, "cells": _cells(matrix[name])} for name in kept],
        "hidden": len(order) - len(kept),
        "incidents": [_bars(head, number) for head in near[:MOST_BARS]],
        "changes": [
            {"time": time_text(change.time), "text": cut(f"{change.service or 'everything'}: {change.text}", 120)}
            for change in times[-MOST_BARS:]
        ],
        "blind": [{"from": time_text(b.begin), "to": time_text(b.end), "why": b.why} for b in blind],
    }


def _matrix(shown: TimeRange, windows: WindowColumns, heads: Sequence[IncidentHead], buckets: int) -> dict[str, F32]:
    """Return for each service the highest importance in each of the stretches, shape (buckets,); 0 for nothing."""
    scale = buckets / (shown.end - shown.begin)
    rows: dict[str, F32] = defaultdict(lambda: np.zeros(buckets, np.float32))
    ends, numbers, importance = windows.columns()
    inside = (ends >= shown.begin) & (ends < shown.end)
    places = ((ends[inside] - shown.begin) * scale).astype(np.int64)
    flat = np.zeros((len(windows.services), buckets), np.float32)
    np.maximum.at(flat, (numbers[inside], np.minimum(places, buckets - 1)), importance[inside])
    for name, n in windows.services.items():
        if flat[n].any():
            rows[name] = flat[n]
    for head in heads:
        for span in head.spans:
            if span.service and shown.touches(span.begin, span.end):
                first = max(0, int((span.begin - shown.begin) * scale))
                last = min(buckets, int((span.end - shown.begin) * scale) + 1)
                np.maximum(rows[span.service][first:last], span.importance, out=rows[span.service][first:last])
    return dict(rows)


def _cells(row: F32) -> str:
    """Return importances as digits, one more for each half of a power of ten towards 1: 0.5 is 1, 0.9999 is 9."""
    left = np.clip(1.0 - row, 10.0**-4, 1.0)
    levels = 1 + np.floor(-2.0 * np.log10(left) + 1e-3).astype(np.int64)
    return "".join(str(level) if value > 0 else NOTHING for level, value in zip(levels.tolist(), row, strict=True))


def _bars(head: IncidentHead, number: dict[str, int]) -> dict[str, Any]:
    """Return an incident with its bars: for each lane from when to when it was there."""
    spans: dict[int, tuple[int, int]] = {}
    for span in head.spans:
        if (lane := number.get(span.service)) is not None:
            first, last = spans.get(lane, (span.begin, span.end))
            spans[lane] = (min(first, span.begin), max(last, span.end))
    return {
        "id": head.id,
        "title": cut(head.title, 120),
        "severity": head.severity.label,
        "open": head.is_open,
        "bars": [[lane, first // 1000, last // 1000] for lane, (first, last) in sorted(spans.items())],
    }
