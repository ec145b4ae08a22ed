"""Windows: what closes, when, and that neither batch cuts nor restarts change it."""

import zlib
from collections import defaultdict
from dataclasses import dataclass

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from models.records import (
    ALL_SOURCES,
    KEY_SCHEMA,
    NO_TIME,
    ROW_SCHEMA,
    VALUES,
    EventFrame,
    KeyKind,
    Level,
    RawSpan,
    RowFlag,
    WindowBatch,
    source_id,
)
from models.rfc3339 import SECOND
from models.windows.batches import concat
from models.windows.config import WindowConfig
from models.windows.store import WindowStore

CONFIG = WindowConfig(session_events=5, step_events=6)
LARGE_SESSIONS = WindowConfig(session_events=60, step_events=6)
"""What a session may hold counts over ``age``, which is further back than a restart reads."""
EPOCH = 1_700_000_000
SHARED_ROWS = 16


@dataclass(frozen=True)
class Row:
    """One keyed event; ``at`` in seconds after the epoch of these tests."""

    key: tuple[str, int, str]
    at: float
    partition: int = 0
    offset: int = 0
    continuation: bool = False
    error: bool = False

    @property
    def origin(self) -> str:
        """Who wrote it: one of three sources."""
        return f"source {self.offset % 3}"

    @property
    def time(self) -> int:
        """Microseconds since the epoch."""
        return round((EPOCH + self.at) * SECOND)


def key_hash(key: tuple[str, int, str]) -> int:
    """The key's hash, as ``models.windows.keys`` defines it."""
    return zlib.crc32(f"{key[0]}\x1f{key[2]}".encode())


def frame(rows: list[Row], clocks: dict[int, float] | None = None) -> EventFrame:
    """Build a frame of these rows; ``clocks`` are the recorded clocks of raw partitions, in seconds."""
    keys = sorted({row.key for row in rows})
    code = {key: i for i, key in enumerate(keys)}
    spans = {}
    for partition in {row.partition for row in rows} | set(clocks or {}):
        offsets = [row.offset for row in rows if row.partition == partition]
        clock = NO_TIME if clocks is None else round((EPOCH + clocks.get(partition, 0)) * SECOND)
        spans[partition] = RawSpan(min(offsets, default=0), max(offsets, default=-1), clock)
    return EventFrame(
        pl.DataFrame([(*key, key_hash(key)) for key in keys], schema=KEY_SCHEMA, orient="row"),
        pl.DataFrame(
            {
                "key": [code[row.key] for row in rows],
                "time": [row.time for row in rows],
                "template": [1000 + row.offset for row in rows],
                "origin": [source_id(row.origin) for row in rows],
                "level": [Level.ERROR if row.error else Level.INFO for row in rows],
                "flags": [RowFlag.CONTINUATION if row.continuation else 0 for row in rows],
                "partition": [row.partition for row in rows],
                "offset": [row.offset for row in rows],
                "values": [[float(row.offset)] * VALUES for row in rows],
            },
            schema=ROW_SCHEMA,
        ),
        spans,
    )


def flushed(store: WindowStore) -> WindowBatch:
    """All windows that a store closes at the end."""
    return concat(list(store.flush()))


def as_set(batch: WindowBatch) -> list[tuple[object, ...]]:
    """Windows as comparable tuples."""
    out: list[tuple[object, ...]] = []
    for i in range(len(batch)):
        rows = slice(int(batch.splits[i]), int(batch.splits[i + 1]))
        events = tuple(zip(batch.time[rows].tolist(), batch.offset[rows].tolist(), strict=True))
        key = (batch.tenants[i], int(batch.kinds[i]), batch.keys[i])
        bounds = (int(batch.start[i]), int(batch.end[i]), int(batch.new_rows[i]), int(batch.context[i]))
        entries = slice(int(batch.last_seen.splits[i]), int(batch.last_seen.splits[i + 1]))
        last = zip(batch.last_seen.origin[entries].tolist(), batch.last_seen.time[entries].tolist(), strict=True)
        heard = (int(batch.last_seen.floor[i]), *sorted(last))
        out.append((key, *bounds, int(batch.continuations[i]), bool(batch.complete[i]), events, heard))
    return out


def reference(rows: list[Row], config: WindowConfig) -> list[tuple[object, ...]]:
    """The same windows, made one event at a time and with no regard to speed; nobody knows when the rows came."""
    kept: dict[tuple[str, int, str], list[Row]] = defaultdict(list)
    top: dict[tuple[str, int, str], int] = {}
    filled: dict[tuple[object, int], int] = defaultdict(int)
    born: dict[tuple[str, int, str], int] = {}
    settled: set[Row] = set()
    known: set[Row] = set()
    lost: dict[tuple[str, int, str], list[tuple[int, int]]] = defaultdict(list)
    step, age, gap = int(config.step * SECOND), int(config.age * SECOND), int(config.gap * SECOND)

    def cell(row: Row) -> int:
        if row.key[1] == KeyKind.SOURCE:
            return row.time // step
        return (row.time + key_hash(row.key) * SECOND % age) // age

    seen: list[int] = []
    low = -(2**61)
    for row in rows:
        before = top.get(row.key, -(2**62))
        limit = int(before - config.lateness * SECOND)
        if row.key[1] == KeyKind.SESSION:
            limit = -(2**62)
        if row.key[2] == ALL_SOURCES:
            limit = int(low - config.shared_lateness * SECOND)
            seen.append(row.time)
            if len(seen) >= SHARED_ROWS:
                low = max(low, min(seen[-SHARED_ROWS:]))
        if row.time > before + config.forget * SECOND:
            born[row.key] = row.time
        elif row.key[2] == ALL_SOURCES and row.time >= limit:
            born[row.key] = min(born[row.key], row.time)
        if row.time - born[row.key] >= (2 * config.length - config.step) * SECOND:
            settled.add(row)
        if row.time - born[row.key] >= 1.5 * config.forget * SECOND and row.key[2] == ALL_SOURCES:
            known.add(row)
        top[row.key] = max(before, row.time)
        if row.time < limit:
            lost[row.key].append((row.time, limit))
            continue
        cap = config.step_events if row.key[1] == KeyKind.SOURCE else config.session_events
        filled[row.key, cell(row)] += 1
        if filled[row.key, cell(row)] <= cap or row.key[2] == ALL_SOURCES:
            kept[row.key].append(row)
        else:
            lost[row.key].append((row.time, limit))

    def untorn(key: tuple[str, int, str], start: int, end: int) -> bool:
        return not any(time >= start and limit < end for time, limit in lost[key])

    out: list[tuple[object, ...]] = []
    for key, held in kept.items():
        held.sort(key=lambda row: (row.time, row.partition, row.offset))
        if key[1] == KeyKind.SOURCE:
            ends = {(row.time // step + 1) * step for row in held if not row.continuation}
            called: set[int] = set()
            for row in held:
                if row.error and not row.continuation and row.time // step not in called:
                    called.add(row.time // step)
                    ends.add((row.time // 1000 + 1) * 1000)
            for end in sorted(ends):
                pane = (end - 1) // step
                inside = [row for row in held if end - config.length * SECOND <= row.time < end]
                events = [row for row in inside if not row.continuation]
                fresh = sum(row.time // step == pane for row in events)
                context = sum(row.time // step == pane - 1 for row in events)
                pairs = tuple((row.time, row.offset) for row in events)
                start = end - int(config.length * SECOND)
                whole = untorn(key, start, end) and events[-1] in settled
                floor = end - int(1.5 * config.forget * SECOND) if events[-1] in known else start
                last = {
                    (source_id(row.origin), row.time // step): row.time
                    for row in held
                    if key[2] == ALL_SOURCES and floor <= row.time < end and not row.continuation
                }
                heard = (floor, *sorted((origin, time) for (origin, _), time in last.items()))
                out.append((key, start, end, fresh, context, len(inside) - len(events), whole, pairs, heard))
            continue
        runs: list[list[Row]] = []
        for row in held:
            if runs and row.time - runs[-1][-1].time <= gap and cell(row) == cell(runs[-1][-1]):
                runs[-1].append(row)
            else:
                runs.append([row])
        for run in runs:
            events = [row for row in run if not row.continuation]
            if not events:
                continue
            shift = key_hash(key) * SECOND % age
            end = min(run[-1].time + gap, (cell(run[0]) + 1) * age - shift)
            pairs = tuple((row.time, row.offset) for row in events)
            whole = untorn(key, events[0].time, end)
            heard = (events[0].time,)
            out.append((key, events[0].time, end, len(events), 0, len(run) - len(events), whole, pairs, heard))
    return out


KEYS = [
    ("t", int(KeyKind.SOURCE), "nova/api"),
    ("t", int(KeyKind.SOURCE), ALL_SOURCES),
    ("t", int(KeyKind.SESSION), "req-1"),
    ("u", int(KeyKind.SESSION), "req-1"),
    ("t", int(KeyKind.SESSION), "instance:1"),
]


@st.composite
def streams(draw: st.DrawFn) -> list[Row]:
    """Rows of some keys, roughly in time order, with pauses, disorder, errors and continuation lines."""
    rows: list[Row] = []
    now = 0.0
    for offset in range(draw(st.integers(1, 60))):
        now += draw(st.sampled_from([0.0, 0.0004, 0.001, 0.5, 3.0, 14.0, 14.9995, 29.0, 61.0, 130.0, 700.0]))
        at = now - draw(st.sampled_from([0.0, 0.0, 0.0, 1.0, 2.0, 2.5, 40.0]))
        key = draw(st.sampled_from(KEYS))
        continuation, error = draw(st.sampled_from([False, False, False, True])), draw(st.booleans())
        rows.append(Row(key, at, 0, offset, continuation, error))
    return rows


def cuts(rows: list[Row], sizes: list[int]) -> list[list[Row]]:
    """The rows cut into pieces of these sizes, in turn."""
    pieces, start, i = [], 0, 0
    while start < len(rows):
        size = sizes[i % len(sizes)]
        pieces.append(rows[start : start + size])
        start, i = start + size, i + 1
    return pieces


@given(streams(), st.lists(st.integers(1, 20), min_size=1, max_size=5))
@settings(max_examples=300, deadline=None)
def test_any_cut_gives_the_windows_of_the_reference(rows: list[Row], sizes: list[int]) -> None:
    """However lines are cut into frames, the windows are those that a one-by-one reading gives."""
    store = WindowStore(CONFIG, shared_rows=SHARED_ROWS)
    got = []
    for i, piece in enumerate(cuts(rows, sizes)):
        got += as_set(store.add(frame(piece), i))
    got += as_set(flushed(store))
    assert sorted(map(repr, got)) == sorted(map(repr, reference(rows, CONFIG)))


@given(streams(), st.lists(st.integers(1, 6), min_size=1, max_size=5), st.data())
@settings(max_examples=300, deadline=None)
def test_restart_from_the_mark_gives_the_same_windows(rows: list[Row], sizes: list[int], data: st.DataObject) -> None:
    """Killed anywhere and rebuilt from its mark, a store goes on to close exactly the windows that it would have."""
    speed = data.draw(st.sampled_from([0.0, 0.05, 1.0, 3.0]))
    frames = []
    for piece in cuts(rows, sizes):
        clock = piece[-1].at * speed
        frames.append(frame(piece, {0: clock, 1: clock + data.draw(st.sampled_from([0.0, 30.0]))}))
        if data.draw(st.booleans()):
            frames.append(frame([], {0: clock + 65, 1: clock + 65}))
    store = WindowStore(LARGE_SESSIONS, shared_rows=SHARED_ROWS)
    whole = [as_set(store.add(each, i)) for i, each in enumerate(frames)]
    stop = data.draw(st.integers(0, len(frames)))
    first = WindowStore(LARGE_SESSIONS, shared_rows=SHARED_ROWS)
    for i in range(stop):
        first.add(frames[i], i)
    mark = first.restart_mark()
    second = WindowStore(LARGE_SESSIONS, mark, SHARED_ROWS)
    begin = mark.offset if mark else 0
    assert begin <= stop
    again = {i: as_set(second.add(frames[i], i)) for i in range(begin, len(frames))}
    for i in range(stop, len(frames)):
        assert sorted(map(repr, again[i])) == sorted(map(repr, whole[i]))
    assert sorted(map(repr, as_set(flushed(second)))) == sorted(map(repr, as_set(flushed(store))))
