"""Folding: a tenant's windows over everything hold few rows, which say how many lines each stands for."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
import pytest
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
from models.windows import key_state, store
from models.windows.all_sources import CELLS, PLAIN
from models.windows.batches import concat
from models.windows.config import WindowConfig

EPOCH = 1_700_000_010 * SECOND
CONFIG = WindowConfig()
STEP = round(CONFIG.step * SECOND)
CELL = STEP // CELLS
LIMIT = CONFIG.step_events + 1000
ORIGINS = [source_id(f"nova-compute@c{n}") for n in range(3)]


@dataclass(frozen=True)
class Line:
    """One line of the tenant; ``at`` in milliseconds after the epoch of these tests."""

    at: int
    offset: int
    template: int = 1
    origin: int = 0
    level: int = Level.INFO
    value: float = float("nan")
    flags: int = 0

    @property
    def time(self) -> int:
        """Microseconds since 1970."""
        return EPOCH + self.at * 1000

    @property
    def like(self) -> tuple[int, int, int, int]:
        """Cell, template, level and flags."""
        return (self.time // CELL, self.template, self.level, self.flags)

    @property
    def magnitude(self) -> int | None:
        """Power of two of the value."""
        return None if np.isnan(self.value) else int(np.frexp(self.value)[1])


def frame(lines: Sequence[Line], key: str = ALL_SOURCES, clock: int = NO_TIME) -> EventFrame:
    """The lines as rows of one key, read up to a clock of the broker, or from files."""
    offsets = [line.offset for line in lines]
    return EventFrame(
        pl.DataFrame([("t", int(KeyKind.SOURCE), key, 1)], schema=KEY_SCHEMA, orient="row"),
        pl.DataFrame(
            {
                "key": [0] * len(lines),
                "time": [line.time for line in lines],
                "template": [line.template for line in lines],
                "origin": [ORIGINS[line.origin] for line in lines],
                "level": [line.level for line in lines],
                "flags": [line.flags for line in lines],
                "partition": [0] * len(lines),
                "offset": offsets,
                "values": [[line.value] * VALUES for line in lines],
            },
            schema=ROW_SCHEMA,
        ),
        {0: RawSpan(min(offsets), max(offsets), clock)},
    )


def closed(lines: Sequence[Line], size: int, key: str = ALL_SOURCES) -> WindowBatch:
    """All windows of the lines, which come in frames of ``size``."""
    windows = store.WindowStore(CONFIG)
    frames = [lines[start : start + size] for start in range(0, len(lines), size)]
    batches = [windows.add(frame(part, key), number) for number, part in enumerate(frames)]
    return concat([batch for batch in (*batches, *windows.flush()) if len(batch)])


Rows = tuple[tuple[int, int], ...]


def rows_of(batch: WindowBatch) -> dict[int, Rows]:
    """Offset and count of each row by the end of its window."""
    by_end: dict[int, Rows] = {}
    for i, end in enumerate(batch.end.tolist()):
        part = slice(*batch.splits[i : i + 2].tolist())
        by_end[end] = tuple(zip(batch.offset[part].tolist(), batch.count[part].tolist(), strict=True))
    return by_end


def folded(lines: Sequence[Line]) -> Iterator[tuple[Line, int]]:
    """Every line that stays, and for how many it stands, one line at a time and with no regard to speed."""
    seen: Counter[tuple[object, ...]] = Counter()
    standing: dict[tuple[object, ...], Line] = {}
    counts: dict[Line, int] = {}
    for line in sorted(lines, key=lambda line: (line.at, line.offset)):
        seen[line.like] += 1
        if seen[line.like] <= PLAIN:
            counts[line] = 1
        else:
            first = standing.setdefault((line.like, line.origin, line.magnitude), line)
            counts[first] = counts.get(first, 0) + 1
    yield from counts.items()


def reference(lines: Sequence[Line]) -> dict[int, Rows]:
    """The windows that ``closed`` should give."""
    rows = list(folded(lines))
    events = [line for line in lines if not line.flags & RowFlag.CONTINUATION]
    ends = {(line.time // STEP + 1) * STEP: False for line in events}
    first_errors: dict[int, int] = {}
    for line in sorted(events, key=lambda line: line.at):
        if line.level >= Level.ERROR:
            first_errors.setdefault(line.time // STEP, line.time + 1000)
    ends |= {end: True for end in first_errors.values() if end % STEP}
    out = {}
    for end, at_error in ends.items():
        start, of_window = end - 60 * SECOND, []
        for line, count in rows:
            certain = 1 if at_error and line.time // CELL == end // CELL else count
            begins = line.time >= start or (at_error and count > 1 and line.time // CELL == start // CELL)
            if begins and line.time < end and not line.flags & RowFlag.CONTINUATION:
                of_window.append((line.offset, certain))
        out[end] = tuple(of_window)
    return out


@st.composite
def floods(draw: st.DrawFn) -> list[Line]:
    """Some hundreds of lines of few templates and sources in some minutes, in order of time."""
    lines: list[Line] = []
    at = 0
    for _ in range(draw(st.integers(1, 5))):
        at += draw(st.sampled_from([0, 700, 4000, 16_000, 61_000]))
        pace, origins = draw(st.sampled_from([0, 3, 90])), draw(st.integers(1, 3))
        values = draw(st.sampled_from([(float("nan"),), (1.0, 3.0, 1000.0)]))
        flags = draw(st.sampled_from([0, 0, int(RowFlag.CONTINUATION)]))
        level = draw(st.sampled_from([Level.INFO, Level.INFO, Level.ERROR]))
        for n in range(draw(st.integers(1, 4 * PLAIN))):
            at += pace
            value = values[n % len(values)]
            lines.append(Line(at, len(lines), 1 + n % 7 // 6, n % origins, level, value, flags))
    return lines


@given(floods(), st.integers(1, 300), st.integers(1, 200))
@settings(max_examples=60, deadline=None)
def test_any_cut_and_any_folding_between_give_the_windows_of_the_reference(
    lines: list[Line], size: int, fold_from: int
) -> None:
    """However lines come and however often they are folded, rows and counts are those of a one-by-one reading."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(key_state._FRESH, "fold_from", fold_from)
        patch.setattr(store, "FOLDED_FROM", fold_from)
        assert rows_of(closed(lines, size)) == reference(lines)


@given(floods(), st.integers(1, 300), st.integers(1, 200), st.floats(0, 1))
@settings(max_examples=40, deadline=None)
def test_a_restart_rebuilds_what_was_folded(lines: list[Line], size: int, fold_from: int, killed: float) -> None:
    """Killed anywhere and rebuilt from its mark, a store goes on to close the same windows with the same counts."""
    parts = [lines[start : start + size] for start in range(0, len(lines), size)]
    frames = [frame(part, clock=part[-1].time) for part in parts]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(key_state._FRESH, "fold_from", fold_from)
        patch.setattr(store, "FOLDED_FROM", fold_from)
        whole, first = store.WindowStore(CONFIG), store.WindowStore(CONFIG)
        closed_by_frame = [rows_of(whole.add(one, number)) for number, one in enumerate(frames)]
        stop = round(killed * len(frames))
        for number in range(stop):
            first.add(frames[number], number)
        mark = first.restart_mark()
        second, begin = store.WindowStore(CONFIG, mark), mark.offset if mark else 0
        again = [rows_of(second.add(frames[number], number)) for number in range(begin, len(frames))]
        assert again[stop - begin :] == closed_by_frame[stop:]
        assert rows_of(concat(list(second.flush()))) == rows_of(concat(list(whole.flush())))


def test_of_many_lines_counts_are_kept_by_template_and_source() -> None:
    """A window knows how many lines of each template every source wrote, whatever it holds of them."""
    lines = [Line(n * 2, n, template=n % 3, origin=n % 2) for n in range(7000)]
    batch = closed(lines, 500)
    counts: defaultdict[tuple[int, int], int] = defaultdict(int)
    for template, origin, count in zip(*(c.tolist() for c in (batch.template, batch.origin, batch.count)), strict=True):
        counts[template, origin] += count
    assert counts == Counter((line.template, ORIGINS[line.origin]) for line in lines)
    assert len(batch.time) < 700
    assert batch.events.tolist() == [7000]


def test_a_window_over_everything_has_no_limit_in_lines() -> None:
    """More lines than a source may write in a step leave a window over everything whole, and tear that of a source."""
    lines = [Line(n * 15_000 // LIMIT, n, template=n % 5) for n in range(12 * LIMIT)]
    everything, source = (closed(lines, 20_000, key) for key in (ALL_SOURCES, "nova-api@c1"))
    assert everything.complete.tolist() == [False] * 7 + [True] * 5
    assert everything.events.tolist()[3:] == [4 * LIMIT] * 9
    assert not source.complete.any()


def test_few_lines_are_left_alone() -> None:
    """Where no template floods, each line is a row and stands for itself."""
    lines = [Line(n * 100, n, template=n % 5) for n in range(600)]
    batch = closed(lines, 50)
    assert set(batch.count.tolist()) == {1}
