"""Windows of sources: of a fixed length, one at the end of each step with an event and one at a step's first error.

All windows of all keys are found at once.  Rows come sorted by owner (position of their key) and time, so a row's
*code*, ``owner * width + step``, never falls from one row to the next; ``width`` is larger than the number of steps
that the rows span, so that codes of different owners never meet.  The window that ends with a step of code c holds the
rows with codes c - (steps in a window - 1) to c, and a search in the sorted codes finds where these begin and stop.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from models.arrays import group_starts, group_stops
from models.records import ALL_SOURCES, BOOL, I64, KeyKind, LastSeen, RowFlag, WindowBatch
from models.windows.all_sources import CELLS, as_of_error, fold, last_seen_entries, rows_kept_for_last_seen
from models.windows.config import WindowConfig, microseconds
from models.windows.event_buffer import OpenRows
from models.windows.key_state import FOREVER, NEVER, KeyState
from models.windows.window_kind import ClosedWindows, KeyedRows

_MILLISECOND: Final = 1000
"""Microseconds."""

LAST_SEEN_FACTOR: Final = 1.5
"""The source of everything remembers when each source last wrote for so many ``forget``: as far back as a restart
surely tells, because a restart mark lies two eras of ``forget`` back."""


class SourceWindows:
    """Rules of source windows; the grid cell of a row is its step."""

    kind = KeyKind.SOURCE

    def __init__(self, config: WindowConfig, keys: KeyState) -> None:
        self.max_rows = config.step_events
        self.memory = max(microseconds(LAST_SEEN_FACTOR * config.forget), microseconds(config.length))
        self._step = microseconds(config.step)
        self._steps = microseconds(config.length) // self._step
        self._at_errors = config.at_errors
        self._keys = keys

    def cells(self, slots: I64, time: I64) -> I64:  # noqa: ARG002 - as the other kind has it
        """Step of each ``time`` (n,)."""
        return time // self._step

    def next_end(self, rows: KeyedRows, before: I64) -> I64:  # noqa: ARG002 - as the other kind has it
        """The end (n,) of each row's step, or just behind it where it is the first error of its step."""
        keys, slot, step = self._keys, rows.slot, rows.time // self._step
        emitted_until, step_end = keys.emitted_until[slot], (step + 1) * self._step
        end = np.where(step_end > emitted_until, step_end, FOREVER)
        if not self._at_errors:
            return end
        error_end = end_at_error(rows.time)
        ends_now = rows.is_error & (step > keys.error_step[slot]) & (error_end > emitted_until)
        return np.where(ends_now, np.minimum(end, error_end), end)

    def end_of_all(self, rows: OpenRows) -> I64:
        """The end (k,) of the step of each key's last row."""
        last = np.full(len(rows.slots), NEVER, np.int64)
        np.maximum.at(last, rows.owner, rows.time)
        return np.where(last > NEVER, (last // self._step + 1) * self._step, NEVER)

    def close(self, rows: OpenRows, limit: I64) -> ClosedWindows:
        """Find the windows that end by the ``limit`` (k,) of their key and have not been emitted yet."""
        keys, slots = self._keys, rows.slots
        emitted_until = keys.emitted_until[slots]
        is_error = rows.is_error & self._at_errors
        grid = _Grid(self._step, self._steps, np.where(self._is_all_sources(rows), self._step // CELLS, 1))
        closed = close_source_windows(rows, is_error, emitted_until, limit, grid)
        keys.emitted_until[slots] = np.maximum(emitted_until, limit)
        at_error = closed.end % self._step != 0
        np.maximum.at(keys.error_step, slots[closed.owner[at_error]], closed.end[at_error] // self._step)
        next_start = (limit // self._step - self._steps) * self._step
        oldest = np.where(self._is_all_sources(rows), limit - self.memory, FOREVER)
        closed.keep[rows_kept_for_last_seen(rows, next_start, oldest, self._step)] = True
        return closed

    def fold(self, rows: OpenRows) -> BOOL:
        """Fold the rows of sources of everything that came since their newest window."""
        since = np.where(self._is_all_sources(rows), self._keys.emitted_until[rows.slots], FOREVER)
        return fold(rows, since, self._step // CELLS)

    def corrected(self, windows: WindowBatch) -> WindowBatch:
        """Windows over everything that end with an error know nothing of lines that were folded behind it."""
        is_cut = windows.end % self._step != 0
        for number in np.flatnonzero(is_cut).tolist():
            is_cut[number] = windows.keys[number] == ALL_SOURCES
        return as_of_error(windows, is_cut, self._step // CELLS)

    def last_seen(self, rows: OpenRows, closed: ClosedWindows, is_old: BOOL) -> LastSeen:
        """When each source last wrote, for windows over everything; as far back as their key has been there for."""
        is_shared = self._is_all_sources(rows)[closed.owner]
        had_history = (rows.flags[closed.events[closed.high - 1]] & RowFlag.HISTORY_KNOWN) != 0
        is_known = is_shared & (is_old | had_history)
        floor = np.where(is_known, closed.end - self.memory, closed.start)
        if not is_shared.any():
            return LastSeen.nothing(floor)
        owner, origin, time = rows.owner[closed.events], rows.origin[closed.events], rows.time[closed.events]
        return last_seen_entries(owner, origin, time, closed.owner, closed.high, floor, is_shared, self._step)

    def _is_all_sources(self, rows: OpenRows) -> BOOL:
        """Whether each key (k,) is a tenant's source of everything."""
        is_all_sources: BOOL = self._keys.is_all_sources[rows.slots] == 1
        return is_all_sources


def end_at_error(time: I64) -> I64:
    """End of the window that an error at each time (n,) brings about: of its millisecond, as precise as ends are."""
    return (time // _MILLISECOND + 1) * _MILLISECOND


@dataclass(frozen=True, slots=True)
class _Steps:
    """Steps that hold an event, one entry (g,) per owner and step, in the order of their ``code``.

    ``first:stop`` are the step's event rows, ``end`` its end (microseconds).
    """

    code: I64
    owner: I64
    first: I64
    stop: I64
    end: I64


@dataclass(frozen=True, slots=True)
class _Spans:
    """Windows (m,) in the making: the entry of their newest step, their end, their event rows ``low:high``."""

    step: I64
    end: I64
    low: I64
    high: I64
    continuations: I64


@dataclass(frozen=True, slots=True)
class _Due:
    """Which windows close: those that end after ``emitted_until`` (k,) and at or before ``limit`` (k,) of their key."""

    emitted_until: I64
    limit: I64

    def __call__(self, owner: I64, end: I64) -> BOOL:
        """Whether a window of each owner (m,) that ends at ``end`` (m,) is due."""
        is_due: BOOL = (end > self.emitted_until[owner]) & (end <= self.limit[owner])
        return is_due


@dataclass(frozen=True, slots=True)
class _Grid:
    """Length of a step (microseconds), steps of a window, and to what the begin of a window (k,) is rounded down."""

    step: int
    steps: int
    cell: I64


def close_source_windows(rows: OpenRows, is_error: BOOL, emitted_until: I64, limit: I64, grid: _Grid) -> ClosedWindows:
    """Find source windows that end after ``emitted_until`` (k,) and at or before ``limit`` (k,).

    ``is_error`` (n,) marks rows at which windows may end.  Rows stay open as long as a later window, or the context of
    one of its steps, may need them.
    """
    step, steps = grid.step, grid.steps
    step_of_row = rows.time // step
    is_event = rows.is_event
    events, others = np.flatnonzero(is_event), np.flatnonzero(~is_event)
    base = int(step_of_row.min()) - steps if len(rows) else 0
    width = int(step_of_row.max()) - base + steps + 2 if len(rows) else 1
    code = rows.owner * width + (step_of_row - base)
    first = group_starts(code[events])
    steps_with_event = _Steps(
        code=code[events[first]],
        owner=rows.owner[events[first]],
        first=first,
        stop=group_stops(first, len(events)),
        end=(step_of_row[events[first]] + 1) * step,
    )
    is_due = _Due(emitted_until, limit)
    windows = _joined(
        steps_with_event,
        _windows_at_step_ends(steps_with_event, is_due, code[others], steps),
        _windows_at_errors(steps_with_event, is_due, rows, (events, others), is_error, grid),
    )
    new_rows = windows.high - steps_with_event.first[windows.step]
    return ClosedWindows(
        owner=steps_with_event.owner[windows.step],
        start=windows.end - steps * step,
        end=windows.end,
        low=windows.low,
        high=windows.high,
        new_rows=new_rows,
        context=np.minimum(_rows_of_step_before(steps_with_event, windows.step), windows.high - windows.low - new_rows),
        continuations=windows.continuations,
        is_settled=(rows.flags[events[windows.high - 1]] & RowFlag.WARMED_UP) != 0,
        events=events,
        keep=step_of_row >= (limit // step - steps)[rows.owner],
    )


def _windows_at_step_ends(steps: _Steps, is_due: _Due, continuation_code: I64, steps_per_window: int) -> _Spans:
    """Windows that end with a step: the rows of the step and of those before it, as far as a window reaches."""
    step = np.flatnonzero(is_due(steps.owner, steps.end))
    newest = steps.code[step]
    oldest = newest - (steps_per_window - 1)
    return _Spans(
        step=step,
        end=steps.end[step],
        low=steps.first[np.searchsorted(steps.code, oldest)],
        high=steps.stop[step],
        continuations=np.searchsorted(continuation_code, newest, "right")
        - np.searchsorted(continuation_code, oldest, "left"),
    )


def _windows_at_errors(  # noqa: PLR0913 - steps, rows, and what of these counts
    steps: _Steps, is_due: _Due, rows: OpenRows, parts: tuple[I64, I64], is_error: BOOL, grid: _Grid
) -> _Spans:
    """Windows that end just behind the first error of a step, if that is before the end of the step.

    ``parts`` are the positions of events and of continuation lines.
    """
    events, others = parts
    errors = np.flatnonzero(is_error[events])
    step, first_error = np.unique(np.searchsorted(steps.first, errors, "right") - 1, return_index=True)
    end = end_at_error(rows.time[events[errors[first_error]]])
    chosen = np.flatnonzero(is_due(steps.owner[step], end) & (end < steps.end[step]))
    step, end = step[chosen], end[chosen]
    owner = steps.owner[step]
    begin = (end - grid.steps * grid.step) // grid.cell[owner] * grid.cell[owner]
    low, high = _rows_between(rows.owner[events], rows.time[events], owner, begin, end)
    others_low, others_high = _rows_between(
        rows.owner[others], rows.time[others], owner, end - grid.steps * grid.step, end
    )
    return _Spans(step, end, low, high, others_high - others_low)


def _joined(steps: _Steps, at_step_ends: _Spans, at_errors: _Spans) -> _Spans:
    """All windows by owner and end: a step's own window comes after the one that its error cut short.

    It knows better how its events came about.
    """
    step = np.concatenate([at_step_ends.step, at_errors.step])
    end = np.concatenate([at_step_ends.end, at_errors.end])
    order = np.lexsort((end, steps.owner[step]))
    return _Spans(
        step[order],
        end[order],
        np.concatenate([at_step_ends.low, at_errors.low])[order],
        np.concatenate([at_step_ends.high, at_errors.high])[order],
        np.concatenate([at_step_ends.continuations, at_errors.continuations])[order],
    )


def _rows_of_step_before(steps: _Steps, chosen: I64) -> I64:
    """How many events the step before each of the chosen steps (m,) holds, of the same owner."""
    before = np.searchsorted(steps.code, steps.code[chosen] - 1)
    has_events = steps.code[before] == steps.code[chosen] - 1
    return np.where(has_events, (steps.stop - steps.first)[before], 0)


def _rows_between(owner: I64, time: I64, chosen: I64, begin: I64, end: I64) -> tuple[I64, I64]:
    """Bounds ``low:high`` of the rows of each chosen owner (m,) whose time is from ``begin`` to before ``end`` (m,).

    Rows (n,) are sorted by ``owner`` and ``time``.
    """
    low, high = np.searchsorted(owner, chosen), np.searchsorted(owner, chosen, "right")
    for i, (first, stop) in enumerate(zip(low.tolist(), high.tolist(), strict=True)):
        low[i], high[i] = first + np.searchsorted(time[first:stop], (begin[i], end[i]))
    return low, high
