"""Windows over keyed events: fixed grids for sources, inactivity for sessions, closed by the time in the lines.

All of it is a function of the frames in their order (the order of record), and, where no clock is recorded (files), it
is independent of how lines were cut into frames:

- A key's *time* (``models/windows/key_clocks.py``) says how far its events are known.  For the source of one service it
  is the largest event time so far.  Keys that several hosts write to wait for what may still come: for what is unread,
  for the rest of a backlog, for the slowest host.  A row is *late*, and only counted, when it lies more than
  ``lateness`` below its key's time.
- A *source window* is ``length`` long and ends with a grid step of ``step`` that holds an event; one more ends just
  behind the first error of each step (``at_errors``), so that nobody waits for the step's end.  It closes when the
  key's time passes its end by ``lateness``.
- A tenant's source of everything has no limit in lines: where a template floods, few rows stand for its lines
  (``models/windows/all_sources.py``).
- A *session window* is a run of events with no gap above ``gap``, cut at the grid of ``age`` (shifted per key); it
  closes when the key's time passes the moment at which no further event could join, by ``lateness``.
- The recorded clock closes what is idle: when every raw partition has been read ``idle`` beyond the moment of a key's
  last event, its windows close, and events that would have joined them are late.  One frame moves the clock by ``jump``
  at most, so that what an outage has held up may still arrive.
- After ``forget`` on the recorded clock without an event a key is forgotten altogether; a key's time counts the events
  of the current and the previous stretch of ``forget`` only.  So state never depends on old frames, and reading again
  from ``restart_offset`` rebuilds it exactly.

Rows come from Kafka at least once: a row whose raw offset was covered by an earlier frame is dropped and counted.  A
frame whose first message came later than all that was read of its partition is no repetition, though: the topic was
made again, which is counted, and its offsets begin again.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from models.arrays import group_starts, running_max_before
from models.records import BOOL, F32, I64, NO_TIME, EventFrame, RowFlag, WindowBatch
from models.windows.batches import concat, window_batch
from models.windows.config import WindowConfig, microseconds
from models.windows.event_buffer import NONE, EventBuffer, NewRows, OpenRows
from models.windows.key_clocks import ROWS, KeyClocks
from models.windows.key_state import FOLDED_FROM, FOREVER, NEVER, KeyState
from models.windows.session_windows import SessionWindows
from models.windows.source_windows import SourceWindows
from models.windows.window_kind import ClosedWindows, KeyedRows, WindowKind

_FLUSHED_ROWS: Final = 16_384
"""Open rows whose windows are closed at once at the end: a judgement between the fixed cost of scoring a batch and what
grows with its size."""


@dataclass(slots=True)
class WindowCounts:
    """What happened to rows since the store was made."""

    rows: int = 0
    late: int = 0
    overflow: int = 0
    duplicates: int = 0
    restarts: int = 0
    """How often the offsets of a raw partition began again."""


@dataclass(frozen=True, slots=True)
class RestartMark:
    """A place from which to read again: everything that a store needs besides the frames from ``offset`` on.

    ``raw`` is, per raw partition, the last offset and the clock before that frame; ``clock`` the store's own.
    """

    offset: int
    clock: int
    raw: Mapping[int, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class _DroppedRows:
    """Rows (n,) of the newest frame that no window will have, and the limit of their key when they were dropped."""

    slot: I64
    time: I64
    limit: I64


class WindowStore:
    """Open windows of one partition of ``logs.events``; not thread-safe."""

    def __init__(self, config: WindowConfig, mark: RestartMark | None = None, shared_rows: int = ROWS) -> None:
        """Go on from ``mark``, or begin; of sources of everything ``shared_rows`` tell how far behind a row may be."""
        self.config = config
        self.counts = WindowCounts()
        self.clock = mark.clock if mark else NO_TIME
        self._idle = microseconds(config.idle)
        self._forget = microseconds(config.forget)
        self._jump = microseconds(config.jump)
        # Counts of a source mean something once it has been there for nearly two lengths of a window.
        self._settled = 2 * microseconds(config.length) - microseconds(config.step)
        self._buffer = EventBuffer()
        self._keys = KeyState(
            microseconds(config.age), microseconds(config.lateness), microseconds(config.shared_lateness)
        )
        self._clocks = KeyClocks(config, self._keys, shared_rows)
        sources = SourceWindows(config, self._keys)
        self._memory = sources.memory
        self._kinds: tuple[WindowKind, ...] = (sources, SessionWindows(config, self._keys))
        self._raw: dict[int, tuple[int, int]] = dict(mark.raw) if mark else {}  # raw partition → last offset, clock
        self._clocks.read(self._read_until())
        self._dropped: list[_DroppedRows] = []
        self._marks: dict[int, RestartMark] = {}  # era → state before its first frame

    def __len__(self) -> int:
        """Number of keys known."""
        return len(self._keys)

    @property
    def open_rows(self) -> int:
        """Number of rows held."""
        return len(self._buffer)

    def add(self, frame: EventFrame, offset: int = 0) -> WindowBatch:
        """Take the next frame (``offset``: its place on ``logs.events``) and return the windows that it closes."""
        if self.clock == NO_TIME:
            self.clock = min((span.clock for span in frame.raw.values() if span.clock != NO_TIME), default=NO_TIME)
        era = self._era_now()
        if era not in self._marks:
            self._marks[era] = RestartMark(offset, self.clock, dict(self._raw))
        fresh, seen = self._fresh_rows(frame)
        slots = np.full(len(frame.rows), NONE, np.int64)
        slots[fresh] = self._keys.slots(frame.keys, frame.rows["key"].to_numpy().astype(np.int64)[fresh])
        rows = NewRows.of(frame, slots, offset)
        kinds = self._keys.kind[slots[fresh]]
        touched: list[I64] = []
        for windows in self._kinds:
            of_kind = fresh[kinds == windows.kind]
            of_kind = of_kind[np.argsort(slots[of_kind], kind="stable")]
            touched.append(self._append(windows, rows.take(of_kind), seen[of_kind], era))
        # Only now: rows that a window gives back must keep their contents until its surprises are known.
        batches = []
        for windows, changed in zip(self._kinds, touched, strict=True):
            is_due = self._keys.time(changed) >= self._keys.next_close[changed]
            batches.append(self._close(windows, changed[is_due], forced=False))
            self._fold(windows, changed[~is_due])
        clock = self._read_until()
        self._clocks.read(clock)
        if clock > self.clock:
            self.clock = min(clock, self.clock + self._jump)
            batches += self._fire_timers()
        self._settle_drops()
        return concat([batch for batch in batches if len(batch)])

    def flush(self) -> Iterator[WindowBatch]:
        """Close every window, as at the end of a file, some keys after the others; take one batch before the next."""
        slots = self._keys.all()
        portion = np.cumsum(self._keys.open_rows[slots]) // _FLUSHED_ROWS
        for some in np.split(slots, np.flatnonzero(np.diff(portion)) + 1):
            yield concat([batch for batch in self._force(some) if len(batch)])

    def remember(self, batch: WindowBatch, surprise: F32) -> None:
        """Keep the surprises (rows,) of the batch's rows for the windows that will hold them again.

        Must be called before the next ``add``: ``models.windows.scoring`` does, and is what other code uses.
        """
        self._buffer.surprise[batch.row_ids] = surprise

    def restart_mark(self) -> RestartMark | None:
        """From where to read again so that all that is open now is rebuilt; None before the first frame.

        The state depends on the rows still held, and for what is late on two stretches of ``forget`` before the frames
        that these came with; one more covers windows that the clock closed.
        """
        if not self._marks:
            return None
        oldest = self._buffer.oldest_frame()
        eras = sorted(self._marks)
        needed = self._era_now() - 1
        if oldest is not None:
            needed = min(needed, max((era for era in eras if self._marks[era].offset <= oldest), default=eras[0]))
        chosen = max((era for era in eras if era <= needed - 2), default=eras[0])
        for era in eras:
            if era < chosen:
                del self._marks[era]
        return self._marks[chosen]

    def _read_until(self) -> int:
        """The recorded clock up to which all raw partitions have been read."""
        return min((clock for _, clock in self._raw.values()), default=NO_TIME)

    def _era_now(self) -> int:
        """Number of the stretch of ``forget`` that the recorded clock is in."""
        return self.clock // self._forget

    def _fresh_rows(self, frame: EventFrame) -> tuple[I64, I64]:
        """Numbers of the frame's rows that no earlier frame covered, and the recorded clock at each row (rows,)."""
        partition = frame.rows["partition"].to_numpy()
        raw_offset = frame.rows["offset"].to_numpy()
        is_fresh = np.ones(len(partition), np.bool_)
        seen = np.full(len(partition), NO_TIME, np.int64)
        for number, span in frame.raw.items():
            last, clock = self._raw.get(number, (-1, NO_TIME))
            if span.first <= last and span.last >= span.first and NO_TIME < clock < span.since:
                self.counts.restarts += 1
                last = -1
            if len(partition):
                is_of_partition = partition == number
                seen[is_of_partition] = max(span.clock, clock)
                if last >= span.first:
                    is_fresh &= ~(is_of_partition & (raw_offset <= last))
            self._raw[number] = (max(last, span.last), max(clock, span.clock))
        fresh = np.flatnonzero(is_fresh)
        self.counts.duplicates += len(is_fresh) - len(fresh)
        return fresh, seen

    def _append(self, windows: WindowKind, rows: NewRows, seen: I64, era: int) -> I64:
        """Put new rows of one kind, sorted by slot, into the buffer; returns the slots that got any."""
        if not len(rows):
            return np.zeros(0, np.int64)
        first = group_starts(rows.slot)
        slots = rows.slot[first]
        limit, latest = self._note_times(rows, slots, first, seen, era)
        is_dropped = rows.time < limit
        self.counts.late += int(is_dropped.sum())
        in_time = np.flatnonzero(~is_dropped)
        slot = rows.slot[in_time]
        fits = np.ones(len(slot), np.bool_)
        capped = np.flatnonzero(self._keys.is_all_sources[slot] == 0)
        cells = windows.cells(slot[capped], rows.time[in_time[capped]])
        fits[capped] = self._keys.within_cap(slot[capped], cells, windows.max_rows)
        self.counts.overflow += int(len(in_time) - fits.sum())
        is_dropped[in_time[~fits]] = True
        if is_dropped.any():
            self._dropped.append(_DroppedRows(rows.slot[is_dropped], rows.time[is_dropped], limit[is_dropped]))
            rows, latest = rows.take(np.flatnonzero(~is_dropped)), latest[~is_dropped]
        self.counts.rows += len(rows)
        self._note_next_close(windows, rows, latest)
        self._buffer.append(rows, self._keys.head)
        np.add.at(self._keys.open_rows, rows.slot, 1)
        return slots

    def _note_times(self, rows: NewRows, slots: I64, first: I64, seen: I64, era: int) -> tuple[I64, I64]:
        """Move the times of the keys on, and flag rows whose key has been there for long.

        Rows of ``slots`` (k,) begin at ``first`` (k,).  Returns for each row (n,) the time below which it is late, and
        the largest time of its key before it.
        """
        keys = self._keys
        keys.enter_era(slots, era)
        before = self._clocks.advance(rows, slots, seen)
        limit = before - keys.allowed_lateness[rows.slot]
        latest = running_max_before(rows.time, first, keys.latest(slots))
        keys.max_time[slots] = np.maximum(keys.max_time[slots], np.maximum.reduceat(rows.time, first))
        keys.seen[slots] = np.maximum(keys.seen[slots], np.maximum.reduceat(seen, first))
        keys.set_timers(slots)
        # In a backlog, file after file, a pause of one file says nothing: other files, with earlier rows, may fill it.
        is_shared = keys.is_shared[rows.slot] == 1
        may_be_filled = is_shared & (seen != NO_TIME) & (before < latest)
        begins_anew = (rows.time > latest + self._forget) & ~may_be_filled
        age = rows.time - keys.there_since(slots, first, rows.time, begins_anew, is_shared & (rows.time >= limit))
        rows.flags[age >= self._settled] |= np.uint8(RowFlag.WARMED_UP)
        rows.flags[age >= self._memory] |= np.uint8(RowFlag.HISTORY_KNOWN)
        return limit, latest

    def _settle_drops(self) -> None:
        """Hand the newest frame's dropped rows on to the key state, which remembers the newest of each key."""
        for dropped in self._dropped:
            np.maximum.at(self._keys.last_dropped, dropped.slot, dropped.time)
        self._dropped.clear()

    def _age(self, slots: I64, rows: OpenRows, closed: ClosedWindows) -> I64:
        """Since when the key of each closed window had been there at the window's last event (microseconds).

        Earlier rows may have come after later ones to a key that several hosts write to, as after a shipper's restart:
        what is known now counts.  NEVER for other keys, whose rows know it (``RowFlag``).
        """
        newest = rows.time[closed.events[closed.high - 1]]
        since = self._keys.first_seen[slots].min(axis=1)[closed.owner]
        return np.where(self._keys.is_shared[slots][closed.owner] == 1, newest - since, NEVER)

    def _has_all_rows(self, slots: I64, start: I64, end: I64) -> BOOL:
        """Whether each window (n,) has lost no row by the moment at which it could close.

        A frame may drop rows after that moment, so those of the newest frame are looked at one by one.
        """
        has_all: BOOL = self._keys.last_dropped[slots] < start
        for dropped in self._dropped:
            for i in np.flatnonzero(np.isin(slots, dropped.slot)).tolist():
                is_of_window = (dropped.slot == slots[i]) & (dropped.time >= start[i]) & (dropped.limit < end[i])
                has_all[i] &= not is_of_window.any()
        return has_all

    def _note_next_close(self, windows: WindowKind, rows: KeyedRows, latest: I64) -> None:
        """Lower each key's ``next_close`` to the earliest key time at which one of its windows may close."""
        end = windows.next_end(rows, latest)
        np.minimum.at(self._keys.next_close, rows.slot, end + self._keys.allowed_lateness[rows.slot])

    def _fire_timers(self) -> list[WindowBatch]:
        """Close what is idle and forget what has been idle for long."""
        keys = self._keys
        batches = [batch for slots in keys.idle(self.clock, self._idle) for batch in self._force(slots)]
        for slots in keys.forgettable(self.clock, self._forget):
            self._buffer.free(self._buffer.find(slots, keys.head, keys.open_rows)[0])
            keys.forget(slots)
            self._clocks.forget(slots)
        return batches

    def _force(self, slots: I64) -> list[WindowBatch]:
        """Close all windows of these keys."""
        kinds = self._keys.kind[slots]
        return [self._close(windows, slots[kinds == windows.kind], forced=True) for windows in self._kinds]

    def _close(self, windows: WindowKind, slots: I64, *, forced: bool) -> WindowBatch:
        """Close what may close of these keys of one kind: all when ``forced``, else what their time has passed."""
        if not len(slots):
            return concat([])
        keys = self._keys
        rows = self._folded(windows, slots)
        lateness = keys.allowed_lateness[slots]
        limit = keys.time(slots) - lateness
        if forced:
            # No event that would have joined what closes now may come after it.
            limit = np.maximum(limit, windows.end_of_all(rows))
            keys.reached[slots] = np.maximum(keys.reached[slots], limit + lateness)
        closed = windows.close(rows, limit)
        keys.drop_cells(slots, windows.cells(slots, limit))
        age = self._age(slots, rows, closed)
        is_settled = closed.is_settled | (age >= self._settled)
        complete = is_settled & self._has_all_rows(slots[closed.owner], closed.start, closed.end)
        last_seen = windows.last_seen(rows, closed, age >= self._memory)
        batch = window_batch(self._buffer, rows.row, closed, windows.kind, keys.idents(slots), complete, last_seen)
        self._buffer.free(rows.row[~closed.keep])
        self._relink(windows, rows.take(closed.keep))
        return windows.corrected(batch)

    def _fold(self, windows: WindowKind, slots: I64) -> None:
        """Fold the rows of those keys that hold many and close nothing yet."""
        keys = self._keys
        many = slots[(keys.is_all_sources[slots] == 1) & (keys.open_rows[slots] >= keys.fold_from[slots])]
        if len(many):
            self._relink(windows, self._folded(windows, many))
            keys.fold_from[many] = np.maximum(FOLDED_FROM, 2 * keys.open_rows[many])

    def _folded(self, windows: WindowKind, slots: I64) -> OpenRows:
        """The open rows of these keys, folded."""
        rows = self._buffer.open_rows(slots, self._keys.head, self._keys.open_rows)
        stays = windows.fold(rows)
        if stays.all():
            return rows
        self._buffer.free(rows.row[~stays])
        return rows.take(stays)

    def _relink(self, windows: WindowKind, rows: OpenRows) -> None:
        """Chain the rows that stay open, and note when to look at their keys again."""
        keys, slots = self._keys, rows.slots
        keys.head[slots] = NONE
        keys.open_rows[slots] = np.bincount(rows.owner, minlength=len(slots))
        keys.next_close[slots] = FOREVER
        if not len(rows):
            return
        self._buffer.link(rows.row, rows.slot, keys.head)
        before = np.full(len(rows), NEVER, np.int64)
        before[1:] = np.where(rows.owner[1:] == rows.owner[:-1], rows.time[:-1], NEVER)
        self._note_next_close(windows, rows, before)
