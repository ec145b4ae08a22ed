"""Windows over keyed events: fixed grids for sources, inactivity for sessions, closed by the time in the lines.

All of it is a function of the frames in their order (the order of record), and, but for the two rules that mention the
clock, independent of how lines were cut into frames:

- A key's time is the largest event time that it has shown.  A row is *late*, and only counted, when it lies more than
  ``lateness`` below that.
- A *source window* is ``length`` long and ends with a grid step of ``step`` that holds an event; one more ends just
  behind the first error of each step (``at_errors``), so that nobody waits for the step's end.  It closes when the
  key's time passes its end by ``lateness``.
- A *session window* is a run of events with no gap above ``gap``, cut at the grid of ``age`` (shifted per key); it
  closes when the key's time passes the moment at which no further event could join, by ``lateness``.
- The recorded clock closes what is idle: when every raw partition has been read ``idle`` beyond the moment of a key's
  last event, its windows close, and events that would have joined them are late.  One frame moves the clock by ``jump``
  at most, so that what an outage has held up may still arrive.
- After ``forget`` on the recorded clock without an event a key is forgotten altogether; a key's time counts the events
  of the current and the previous stretch of ``forget`` only.  So state never depends on old frames, and reading again
  from ``restart_offset`` rebuilds it exactly.

Rows come from Kafka at least once: a row whose raw offset was covered by an earlier frame is dropped and counted.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from models.arrays import group_starts, running_max_before
from models.errors import InvalidError
from models.records import BOOL, F32, I64, NO_TIME, U8, EventFrame, KeyKind, Level, RowFlag, WindowBatch
from models.rfc3339 import SECOND
from models.windows.closing import close_sessions, close_source_windows, concat, error_end, window_batch
from models.windows.event_buffer import NONE, EventBuffer, Rows
from models.windows.key_state import FOREVER, NEVER, KeyState
from models.windows.last_seen import last_seen_of, rows_kept_for_last_seen

LAST_SEEN_FACTOR: Final = 1.5
"""For how many ``forget`` the source of everything remembers when each source last wrote: as far back as a restart
surely tells."""


@dataclass(frozen=True, slots=True)
class WindowConfig:
    """Lengths of windows; ``shared_lateness`` is that of a tenant's source of everything, to which every shipper adds.

    All in seconds except ``session_events`` and ``step_events`` (rows).  ``at_errors``: sources also have a window that
    ends just behind the first error of each step.

    ``step_events`` caps the rows that one step of a source may keep, ``session_events`` those of a session within one
    ``age``; what is above is counted as overflow.
    """

    length: float = 60.0
    step: float = 15.0
    lateness: float = 2.0
    shared_lateness: float = 5.0
    gap: float = 60.0
    age: float = 600.0
    idle: float = 60.0
    forget: float = 120.0
    jump: float = 15.0
    session_events: int = 512
    step_events: int = 50_000
    at_errors: bool = True

    def __post_init__(self) -> None:
        """Refuse lengths that contradict each other."""
        if self.step <= 0 or self.length % self.step:
            raise InvalidError(f"length ({self.length} s) must be a multiple of step ({self.step} s)")
        if self.forget < self.idle:
            raise InvalidError(f"forget ({self.forget} s) must not be below idle ({self.idle} s)")
        for name, lateness in (("lateness", self.lateness), ("shared_lateness", self.shared_lateness)):
            if lateness > min(self.step, self.gap):
                raise InvalidError(f"{name} ({lateness} s) must not exceed step ({self.step} s) or gap ({self.gap} s)")

    def on_grid(self, windows: WindowBatch) -> BOOL:
        """Whether each window (n,) is a session or ends with a step, not with an error: of those each event has one."""
        grid: BOOL = (windows.kinds == KeyKind.SESSION) | (windows.end % _micro(self.step) == 0)
        return grid


@dataclass(slots=True)
class WindowCounts:
    """What happened to rows since the store was made."""

    rows: int = 0
    late: int = 0
    overflow: int = 0
    duplicates: int = 0


@dataclass(frozen=True, slots=True)
class RestartMark:
    """A place from which to read again: everything that a store needs besides the frames from ``offset`` on.

    ``raw`` is, per raw partition, the last offset and the clock before that frame; ``clock`` the store's own.
    """

    offset: int
    clock: int
    raw: Mapping[int, tuple[int, int]]


def _micro(seconds: float) -> int:
    return round(seconds * SECOND)


class WindowStore:
    """Open windows of one partition of ``logs.events``; not thread-safe."""

    def __init__(self, config: WindowConfig, mark: RestartMark | None = None) -> None:
        self.config = config
        self.counts = WindowCounts()
        self.clock = mark.clock if mark else NO_TIME
        self._step = _micro(config.step)
        self._steps = _micro(config.length) // self._step
        self._gap = _micro(config.gap)
        self._age = _micro(config.age)
        self._idle = _micro(config.idle)
        self._forget = _micro(config.forget)
        self._jump = _micro(config.jump)
        self._pool = EventBuffer()
        self._settled = 2 * _micro(config.length) - self._step
        self._last_seen = max(_micro(LAST_SEEN_FACTOR * config.forget), _micro(config.length))
        self._keys = KeyState(self._age, _micro(config.lateness), _micro(config.shared_lateness))
        self._raw: dict[int, tuple[int, int]] = dict(mark.raw) if mark else {}
        self._dropped: list[tuple[I64, I64, I64]] = []  # by the newest frame: slot, time, key's limit at that moment
        self._marks: dict[int, RestartMark] = {}  # era → state before its first frame

    def __len__(self) -> int:
        """Number of keys known."""
        return len(self._keys)

    @property
    def open_rows(self) -> int:
        """Number of rows held."""
        return len(self._pool)

    def add(self, frame: EventFrame, offset: int = 0) -> WindowBatch:
        """Take the next frame (``offset``: its place on ``logs.events``) and return the windows that it closes."""
        if self.clock == NO_TIME:
            self.clock = min((span.clock for span in frame.raw.values()), default=NO_TIME)
        era = self._era_now()
        if era not in self._marks:
            self._marks[era] = RestartMark(offset, self.clock, dict(self._raw))
        touched = self._append(frame, offset, era)
        top = self._keys.time(touched)
        batches = [self._close(touched[top >= self._keys.next_close[touched]], forced=False)]
        clock = min((clock for _, clock in self._raw.values()), default=NO_TIME)
        if clock > self.clock:
            self.clock = min(clock, self.clock + self._jump)
            batches += self._fire_timers()
        self._settle_drops()
        return concat(batches)

    def flush(self) -> WindowBatch:
        """Close every window, as at the end of a file."""
        return self._close(self._keys.all(), forced=True)

    def remember(self, batch: WindowBatch, surprise: F32) -> None:
        """Keep what a sequence scorer said of the batch's rows, for the windows that will hold them again.

        Must be called before the next ``add``; shapes: (rows,) as in the batch.
        """
        self._pool.surprise[batch.row_ids] = surprise

    def restart_mark(self) -> RestartMark | None:
        """From where to read again so that all that is open now is rebuilt; None before the first frame.

        The state depends on the rows still held, and for what is late on two stretches of ``forget`` before the frames
        that these came with; one more covers windows that the clock closed.
        """
        if not self._marks:
            return None
        oldest = self._pool.oldest_frame()
        eras = sorted(self._marks)
        era = self._era_now() - 1
        if oldest is not None:
            era = min(era, max((e for e in eras if self._marks[e].offset <= oldest), default=eras[0]))
        chosen = max((e for e in eras if e <= era - 2), default=eras[0])
        for passed in eras:
            if passed < chosen:
                del self._marks[passed]
        return self._marks[chosen]

    def _era_now(self) -> int:
        return self.clock // self._forget

    def _append(self, frame: EventFrame, offset: int, era: int) -> I64:
        """Chain the frame's rows to their keys; returns the slots that got any."""
        rows, seen = self._accept(frame, offset)
        if not len(rows):
            return np.zeros(0, np.int64)
        first = group_starts(rows.slot)
        slots = rows.slot[first]
        self._keys.enter_era(slots, era)
        before = running_max_before(rows.time, first, self._keys.time(slots))
        self._keys.max_time[slots] = np.maximum(self._keys.max_time[slots], np.maximum.reduceat(rows.time, first))
        self._keys.seen[slots] = np.maximum(self._keys.seen[slots], np.maximum.reduceat(seen, first))
        self._keys.set_timers(slots)
        born = self._keys.start(slots, first, rows.time, rows.time > before + self._forget)
        rows.flags[rows.time - born >= self._settled] |= np.uint8(RowFlag.WARMED_UP)
        rows.flags[rows.time - born >= self._last_seen] |= np.uint8(RowFlag.HISTORY_KNOWN)
        on_time = rows.time >= before - self._keys.allowed_lateness[rows.slot]
        if not on_time.all():
            self.counts.late += int(len(rows) - on_time.sum())
            self._drop(rows, before, ~on_time)
            kept = np.flatnonzero(on_time)
            rows, before = rows.take(kept), before[kept]
        cell = self._cells(rows.slot, rows.time)
        is_source = self._keys.kind[rows.slot] == KeyKind.SOURCE
        cap = np.where(is_source, self.config.step_events, self.config.session_events)
        fits = self._keys.within_cap(rows.slot, cell, cap)
        if not fits.all():
            self.counts.overflow += int(len(rows) - fits.sum())
            self._drop(rows, before, ~fits)
            kept = np.flatnonzero(fits)
            rows, before, cell = rows.take(kept), before[kept], cell[kept]
        self.counts.rows += len(rows)
        self._set_due(rows, before, cell)
        self._pool.append(rows, self._keys.head)
        np.add.at(self._keys.open_rows, rows.slot, 1)
        return slots

    def _drop(self, rows: Rows, before: I64, dropped: BOOL) -> None:
        """Note rows of this frame that no window will have."""
        slot = rows.slot[dropped]
        self._dropped.append((slot, rows.time[dropped], before[dropped] - self._keys.allowed_lateness[slot]))

    def _is_complete(self, slots: I64, start: I64, end: I64) -> BOOL:
        """Whether each window (n,) has lost no row by the moment at which it could close.

        A frame may drop rows after that moment, so those of the newest frame are looked at one by one.
        """
        untorn: BOOL = self._keys.last_dropped[slots] < start
        for slot, time, limit in self._dropped:
            for i in np.flatnonzero(np.isin(slots, slot)).tolist():
                untorn[i] &= not ((slot == slots[i]) & (time >= start[i]) & (limit < end[i])).any()
        return untorn

    def _settle_drops(self) -> None:
        for slot, time, _ in self._dropped:
            np.maximum.at(self._keys.last_dropped, slot, time)
        self._dropped.clear()

    def _accept(self, frame: EventFrame, offset: int) -> tuple[Rows, I64]:
        """The frame's rows that no earlier frame covered, sorted by slot, and the clock at each."""
        partition = frame.rows["partition"].to_numpy()
        raw_offset = frame.rows["offset"].to_numpy()
        fresh = np.ones(len(partition), np.bool_)
        seen = np.full(len(partition), NO_TIME, np.int64)
        for number, span in frame.raw.items():
            last, clock = self._raw.get(number, (-1, NO_TIME))
            if len(partition):
                mine = partition == number
                seen[mine] = max(span.clock, clock)
                if last >= span.first:
                    fresh &= ~(mine & (raw_offset <= last))
            self._raw[number] = (max(last, span.last), max(clock, span.clock))
        code = frame.rows["key"].to_numpy().astype(np.int64)
        if not fresh.all():
            self.counts.duplicates += int(len(fresh) - fresh.sum())
        at = np.flatnonzero(fresh)
        slots = self._keys.slots(frame.keys, code[at])
        order = np.argsort(slots, kind="stable")
        at = at[order]
        return Rows.of(frame, at, slots[order], offset), seen[at]

    def _cells(self, slots: I64, time: I64) -> I64:
        """Grid cell of each row: its step (sources) or its stretch of ``age`` (sessions)."""
        size = np.where(self._keys.kind[slots] == KeyKind.SOURCE, self._step, self._age)
        return (time + self._keys.shift[slots]) // size

    def _set_due(self, rows: Rows, before: I64, cell: I64) -> None:
        """Lower each key's ``due`` to the earliest key time at which one of its windows may close.

        A step or a session's grid cell ends; or an event comes after a gap, which ends what was before; or it is an
        error.
        """
        is_source = self._keys.kind[rows.slot] == KeyKind.SOURCE
        cell_end = (cell + 1) * self._age - self._keys.shift[rows.slot]
        after_gap = (before > NEVER) & (rows.time > before + self._gap)
        of_session = np.where(after_gap, np.minimum(before + self._gap, cell_end), cell_end)
        due = np.where(is_source, self._source_end(rows.slot, rows.time, rows.level, rows.flags), of_session)
        np.minimum.at(self._keys.next_close, rows.slot, due + self._keys.allowed_lateness[rows.slot])

    def _source_end(self, slots: I64, time: I64, level: U8, flags: U8) -> I64:
        """The first end (n,) of a source window that a row brings about and that was not given yet."""
        given, step = self._keys.emitted_until[slots], time // self._step
        end = (step + 1) * self._step
        found = np.where(end > given, end, FOREVER)
        if not self.config.at_errors:
            return found
        at_error = error_end(time)
        calls = _is_error(level, flags) & (step > self._keys.error_step[slots]) & (at_error > given)
        return np.where(calls, np.minimum(found, at_error), found)

    def _fire_timers(self) -> list[WindowBatch]:
        """Close what is idle and forget what has been idle for long."""
        keys = self._keys
        batches = [self._close(slots, forced=True) for slots in keys.idle(self.clock, self._idle)]
        for slots in keys.forgettable(self.clock, self._forget):
            self._pool.free(self._pool.find(slots, keys.head, keys.open_rows)[0])
            keys.forget(slots)
        return batches

    def _close(self, slots: I64, *, forced: bool) -> WindowBatch:
        """Close what may close of these keys: all of it when ``forced``, else what the key's time has passed."""
        batches = []
        for kind in KeyKind:
            chosen = slots[self._keys.kind[slots] == kind]
            if len(chosen):
                batches.append(self._close_kind(chosen, kind, forced=forced))
        return concat(batches)

    def _close_kind(self, slots: I64, kind: KeyKind, *, forced: bool) -> WindowBatch:
        pool = self._pool
        rows, owner = pool.find(slots, self._keys.head, self._keys.open_rows)
        order = np.lexsort((pool.offset[rows], pool.partition[rows], pool.time[rows], owner))
        rows, owner = rows[order], owner[order]
        time = pool.time[rows]
        is_event = (pool.flags[rows] & RowFlag.CONTINUATION) == 0
        slack, shared = self._keys.allowed_lateness[slots], self._keys.is_all_sources[slots] == 1
        limit = self._keys.time(slots) - slack
        if forced:
            limit = np.maximum(limit, self._closing_limit(slots, kind, owner, time))
            self._keys.max_time[slots] = np.maximum(self._keys.max_time[slots], limit + slack)
        if kind == KeyKind.SOURCE:
            is_error = _is_error(pool.level[rows], pool.flags[rows]) & self.config.at_errors
            given = self._keys.emitted_until[slots]
            closed = close_source_windows(owner, time, is_event, is_error, given, limit, self._step, self._steps)
            self._keys.emitted_until[slots] = np.maximum(given, limit)
            cut = closed.end % self._step != 0
            np.maximum.at(self._keys.error_step, slots[closed.owner[cut]], closed.end[cut] // self._step)
            begin = (limit // self._step - self._steps) * self._step
            oldest = np.where(shared, limit - self._last_seen, FOREVER)
            closed.keep[rows_kept_for_last_seen(pool, rows, owner, begin, oldest)] = True
        else:
            closed = close_sessions(owner, time, is_event, self._keys.shift[slots], limit, self._gap, self._age)
        whole = self._is_complete(slots[closed.owner], closed.start, closed.end)
        if kind == KeyKind.SOURCE:
            whole &= (pool.flags[rows[closed.events[closed.high - 1]]] & RowFlag.WARMED_UP) != 0
        heard = last_seen_of(pool, rows, owner, closed, shared, self._last_seen)
        batch = window_batch(pool, rows, closed, kind, self._keys.idents(slots), whole, heard)
        pool.free(rows[~closed.keep])
        self._relink(slots, rows[closed.keep], owner[closed.keep], kind)
        return batch

    def _closing_limit(self, slots: I64, kind: KeyKind, owner: I64, time: I64) -> I64:
        """The limit that closes all rows of each key: no event that would have joined them may come after it."""
        last = np.full(len(slots), NEVER, np.int64)
        np.maximum.at(last, owner, time)
        if kind == KeyKind.SOURCE:
            return np.where(last > NEVER, (last // self._step + 1) * self._step, NEVER)
        cell_end = ((last + self._keys.shift[slots]) // self._age + 1) * self._age - self._keys.shift[slots]
        return np.where(last > NEVER, np.minimum(last + self._gap + 1, cell_end), NEVER)

    def _relink(self, slots: I64, rows: I64, owner: I64, kind: KeyKind) -> None:
        """Chain what stays open and set when to look at it again."""
        self._keys.head[slots] = NONE
        self._keys.open_rows[slots] = np.bincount(owner, minlength=len(slots))
        self._keys.next_close[slots] = FOREVER
        if not len(rows):
            return
        self._pool.link(rows, slots[owner], self._keys.head)
        time = self._pool.time[rows]
        if kind == KeyKind.SOURCE:
            due = self._source_end(slots[owner], time, self._pool.level[rows], self._pool.flags[rows])
        else:
            shift = self._keys.shift[slots[owner]]
            due = ((time + shift) // self._age + 1) * self._age - shift
            gap_end = np.where(
                (owner[1:] == owner[:-1]) & (time[1:] - time[:-1] > self._gap), time[:-1] + self._gap, FOREVER
            )
            due[:-1] = np.minimum(due[:-1], gap_end)
        np.minimum.at(self._keys.next_close, slots[owner], due + self._keys.allowed_lateness[slots[owner]])


def _is_error(level: U8, flags: U8) -> BOOL:
    found: BOOL = (level >= Level.ERROR) & ((flags & RowFlag.CONTINUATION) == 0)
    return found
