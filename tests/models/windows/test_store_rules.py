"""Windows, rule by rule: when one closes, what is late, what is dropped, what is forgotten."""

import dataclasses
from itertools import pairwise

import numpy as np
import pytest

from models.errors import InvalidError
from models.records import ALL_SOURCES, EventFrame, KeyKind, RawSpan, WindowBatch, source_id
from models.rfc3339 import SECOND
from models.windows.config import WindowConfig
from models.windows.store import WindowStore
from tests.models.windows.test_store import EPOCH, Row, flushed, frame

NOVA = ("t", int(KeyKind.SOURCE), "nova@c1")
CINDER = ("t", int(KeyKind.SOURCE), "cinder@s1")
ALL = ("t", int(KeyKind.SOURCE), ALL_SOURCES)
REQUEST = ("t", int(KeyKind.SESSION), "req-1")
BEGIN = 1_700_000_000 // 600 * 600 + 600 - EPOCH
"""A moment on every grid."""


class Feed:
    """Gives rows to a store, one frame each, with raw offsets that go on."""

    def __init__(self, **config: float) -> None:
        self.store = WindowStore(WindowConfig(**config))  # type: ignore[arg-type]
        self._offset = 0

    def row(self, key: tuple[str, int, str], second: float, *, error: bool = False) -> Row:
        """Make an event of that key, so many seconds after BEGIN."""
        self._offset += 1
        return Row(key, BEGIN + second, offset=self._offset, error=error)

    def add(self, *events: tuple[tuple[str, int, str], float], clock: float | None = None) -> WindowBatch:
        """Add one frame of these events."""
        return self.give(frame([self.row(*event) for event in events], None if clock is None else {0: BEGIN + clock}))

    def live(self) -> "Feed":
        """Have the recorded clock run for a minute before the first row."""
        self.pass_time(-60, 0)
        return self

    def pass_time(self, begin: float, end: float) -> None:
        """Add frames without events, one a second."""
        for second in np.arange(begin, end):
            self.add(clock=float(second))

    def give(self, one: EventFrame) -> WindowBatch:
        """Add a frame."""
        return self.store.add(one, self._offset)


def bounds(batch: WindowBatch) -> list[tuple[str, float, float, int]]:
    """Key, start and end (seconds after BEGIN) and events of each window."""
    ends = (((time / 1e6) - EPOCH - BEGIN).tolist() for time in (batch.start, batch.end))
    return list(zip(batch.keys, *ends, np.diff(batch.splits).tolist(), strict=True))


def test_a_source_window_closes_when_its_time_has_passed_by_the_lateness() -> None:
    """A minute long, at the end of each step that holds an event."""
    feed = Feed()
    assert bounds(feed.add((NOVA, 1), (NOVA, 14), (NOVA, 16.9))) == []
    assert bounds(feed.add((NOVA, 17))) == [("nova@c1", -45, 15, 2)]
    assert bounds(feed.add((NOVA, 62.5))) == [("nova@c1", -30, 30, 4)]
    assert bounds(flushed(feed.store)) == [("nova@c1", 15, 75, 3)]


def test_the_first_error_of_a_step_has_a_window_of_its_own() -> None:
    """It ends with the millisecond of the error, and closes when the time has passed that by the lateness."""
    feed = Feed()
    feed.give(frame([feed.row(NOVA, 3), feed.row(NOVA, 16), feed.row(NOVA, 17, error=True)]))
    assert bounds(feed.give(frame([feed.row(NOVA, 18.9, error=True)]))) == []
    batch = feed.add((NOVA, 19.001))
    assert [round(time, 3) for time in bounds(batch)[0][1:3]] == [-42.999, 17.001]
    assert np.diff(batch.splits).tolist() == [3]
    assert (batch.new_rows.tolist(), batch.context.tolist()) == ([2], [1])
    rest = flushed(feed.store)
    assert bounds(rest) == [("nova@c1", -30, 30, 5)]
    assert rest.new_rows.tolist() == [4]
    config = feed.store.config
    assert [config.on_grid(each).tolist() for each in (batch, rest)] == [[False], [True]]


def test_where_the_step_ends_with_the_error_one_window_is_enough() -> None:
    """Both would end at the same moment; and sessions, or who wants none, have no window at an error."""
    feed = Feed()
    feed.give(frame([feed.row(NOVA, 14.9995, error=True), feed.row(REQUEST, 3, error=True)]))
    assert sorted(bounds(flushed(feed.store))) == [("nova@c1", -45, 15, 1), ("req-1", 3, 63, 1)]
    feed = Feed(at_errors=False)
    feed.give(frame([feed.row(NOVA, 3, error=True)]))
    assert bounds(flushed(feed.store)) == [("nova@c1", -45, 15, 1)]


def test_many_errors_have_a_source_looked_at_once_a_step() -> None:
    """Or a storm of them would have all open rows of a busy source sorted again and again."""
    feed = Feed()
    feed.give(frame([feed.row(NOVA, 1, error=True)]))
    looked = set()
    for tenth in range(20, 180):
        feed.give(frame([feed.row(NOVA, tenth / 10, error=True)]))
        looked.add(int(feed.store._keys.emitted_until.max()))
    # Not yet, at the first error, at the end of its step, at the first error of the next.
    assert len(looked) == 4


def test_what_one_key_is_told_closes_no_window_of_another() -> None:
    """Each goes by its own time."""
    feed = Feed()
    feed.add((NOVA, 1), (CINDER, 1))
    assert bounds(feed.add((CINDER, 40))) == [("cinder@s1", -45, 15, 1)]
    assert [key for key, *_ in bounds(feed.add((NOVA, 40)))] == ["nova@c1"]


def test_late_rows_are_counted_and_tear_their_window() -> None:
    """Up to the lateness a row joins; what comes later is dropped, and the window says that counts mean little."""
    feed = Feed()
    feed.add(*((NOVA, 15.0 * n) for n in range(-20, 1)))
    feed.add((NOVA, 10), (NOVA, 8.5), (NOVA, 7))
    assert (feed.store.counts.rows, feed.store.counts.late) == (23, 1)
    batch = flushed(feed.store)
    assert [whole for whole, end in zip(batch.complete.tolist(), bounds(batch), strict=True) if end[2] > 7] == [False]


def test_everything_waits_longer_for_its_shippers() -> None:
    """Every source of a tenant adds to it."""
    feed = Feed()
    feed.add((NOVA, 10), (ALL, 10))
    feed.add((NOVA, 6), (ALL, 6))
    assert feed.store.counts.late == 1


def test_a_source_is_whole_when_it_has_been_there_for_nearly_two_windows() -> None:
    """Before, its counts say that it is new."""
    feed = Feed()
    batches = [feed.add((NOVA, 15.0 * n)) for n in range(14)]
    whole = [flag for batch in batches for flag in batch.complete.tolist()]
    assert len(whole) == 12
    assert whole == sorted(whole)
    assert whole.index(True) == 7


@pytest.mark.parametrize(("second", "closed"), [(59.9, 0), (64.9, 0), (65.1, 1)])
def test_a_session_closes_after_its_gap_and_the_lateness(second: float, closed: int) -> None:
    """By the time that its own later events show: then a new window of the key has begun."""
    feed = Feed(idle=600, forget=600).live()
    feed.add((REQUEST, 0), clock=0)
    feed.pass_time(0, second)
    assert len(feed.add((REQUEST, second), clock=second)) == closed


def test_a_session_that_never_ends_is_cut() -> None:
    """At the grid of its age, which is another for each key."""
    feed = Feed(age=120).live()
    found = []
    for second in range(0, 600, 30):
        found += bounds(feed.add((REQUEST, second), clock=second))
        feed.pass_time(second, second + 30)
    assert len(found) == 4
    assert [end - start for _, start, end, _ in found[1:]] == [pytest.approx(120, abs=30)] * 3
    assert [count for *_, count in found[1:]] == [4, 4, 4]


def test_the_clock_closes_what_is_idle() -> None:
    """Not before the time said, and not by more than so much a frame: what an outage held up may still come."""
    feed = Feed()
    feed.add((NOVA, 5), (REQUEST, 5), clock=5)
    closed = [len(feed.add(clock=clock)) for clock in (20, 35, 50, 65, 80)]
    assert closed == [0, 0, 0, 0, 2]
    feed = Feed()
    feed.add((NOVA, 5), clock=5)
    assert [len(feed.add(clock=500)) for _ in range(6)] == [0, 0, 0, 0, 1, 0]


def test_a_key_that_is_idle_for_long_is_forgotten() -> None:
    """Its memory is freed; when it comes again it begins anew, at any time."""
    feed = Feed()
    feed.add((NOVA, 5), clock=5)
    for clock in range(15, 400, 15):
        feed.add(clock=clock)
    assert (len(feed.store), feed.store.open_rows) == (0, 0)
    feed.add((NOVA, 3), clock=400)
    assert feed.store.counts.late == 0


def test_who_wrote_is_remembered_for_three_minutes_by_one_row_a_step() -> None:
    """So a silence is known that began before the window; of a key that is new nothing but the window is."""
    feed = Feed().live()
    closed = []
    for second in range(0, 284, 4):
        row = feed.row(ALL, second)
        # Three sources take turns; after two minutes the first one falls silent.
        if second < 120 or row.origin != "source 0":
            closed.append(feed.give(frame([row], {0: BEGIN + second})))
    young, old = next(batch for batch in closed if len(batch)), flushed(feed.store)
    assert young.last_seen.floor == young.start
    assert len(young.last_seen.time) == 3 * len(set((young.time // (15 * SECOND)).tolist()))
    assert (old.last_seen.floor == old.end - 180 * SECOND).all()
    last = old.last_seen.time[old.last_seen.origin == source_id("source 0")].max() / SECOND - EPOCH - BEGIN
    assert 108 <= last < 120
    assert feed.store.open_rows <= 75 / 4 + 3 * 120 / 15


def test_rows_that_come_again_are_dropped() -> None:
    """Kafka delivers at least once; a frame that was covered adds nothing."""
    feed = Feed()
    again = frame([feed.row(NOVA, 1), feed.row(REQUEST, 2)])
    feed.give(again)
    feed.give(again)
    assert (feed.store.counts.rows, feed.store.counts.duplicates) == (2, 2)
    assert sorted(bounds(flushed(feed.store))) == [("nova@c1", -45, 15, 1), ("req-1", 2, 62, 1)]


def arrived(one: EventFrame, first: int, last: int, since: float, clock: float) -> EventFrame:
    """The frame with what of raw partition 0 it covers; times in seconds after BEGIN."""
    moments = (round((EPOCH + BEGIN + second) * SECOND) for second in (clock, since))
    return dataclasses.replace(one, raw={0: RawSpan(first, last, *moments)})


def offset_row(offset: int, second: float) -> Row:
    """An event of NOVA at a raw offset."""
    return Row(NOVA, BEGIN + second, offset=offset)


@pytest.mark.parametrize("size", [3, 300])
def test_lines_of_a_topic_made_anew_count(size: int) -> None:
    """Offsets begin again with lines that came later than all that was read, be they fewer or more than before."""
    feed = Feed()
    feed.give(arrived(frame([offset_row(n, n / 10) for n in range(100)]), 0, 99, since=0, clock=10))
    anew = [offset_row(n, 500 + n / 10) for n in range(size)]
    feed.give(arrived(frame(anew), 0, size - 1, since=500, clock=530))
    feed.give(arrived(frame([offset_row(size, 540)]), size, size, since=540, clock=540))
    assert feed.store.counts.restarts == 1
    assert (feed.store.counts.rows, feed.store.counts.duplicates) == (101 + size, 0)
    # From then on offsets count as before.
    feed.give(arrived(frame([offset_row(size, 540)]), size, size, since=540, clock=540))
    assert (feed.store.counts.restarts, feed.store.counts.duplicates) == (1, 1)


@pytest.mark.parametrize("clock", [10.0, 60.0])
def test_lines_that_are_sent_again_are_no_topic_made_anew(clock: float) -> None:
    """After a crash of ingest the first of them came before the end of what was read, and new ones may follow."""
    feed = Feed()
    feed.give(arrived(frame([offset_row(n, n / 10) for n in range(100)]), 0, 99, since=0, clock=10))
    feed.give(arrived(frame([offset_row(n, n / 10) for n in range(50, 150)]), 50, 149, since=5, clock=clock))
    assert (feed.store.counts.restarts, feed.store.counts.duplicates, feed.store.counts.rows) == (0, 50, 150)


def test_a_restart_mark_before_a_topic_was_made_anew_rebuilds_the_same() -> None:
    """What the frames behind it tell is the same again."""
    frames = [
        arrived(frame([offset_row(n, n / 10) for n in range(100)]), 0, 99, since=0, clock=10),
        arrived(frame([offset_row(n, 20 + n) for n in range(5)]), 0, 4, since=20, clock=25),
        arrived(frame([offset_row(5, 26)]), 5, 5, since=26, clock=26),
    ]
    first = WindowStore(WindowConfig())
    for offset, one in enumerate(frames):
        first.add(one, offset)
    mark = first.restart_mark()
    assert mark is not None
    again = WindowStore(WindowConfig(), mark)
    for offset, one in enumerate(frames[mark.offset :], mark.offset):
        again.add(one, offset)
    assert bounds(flushed(again)) == bounds(flushed(first))


def test_a_key_that_floods_is_capped() -> None:
    """So many rows a step, or a session's age; the rest is counted, and the window is torn."""
    feed = Feed(step_events=3, session_events=2)
    feed.add(*((key, 1 + n / 10) for n in range(5) for key in (NOVA, REQUEST)))
    assert feed.store.counts.overflow == 2 + 3
    batch = flushed(feed.store)
    assert sorted(np.diff(batch.splits).tolist()) == [2, 3]
    assert not batch.complete.any()


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"length": 61.0}, r"length \(61.0 s\) must be a multiple of step \(15.0 s\)"),
        ({"step": 0.0}, r"must be a multiple of step \(0.0 s\)"),
        ({"forget": 30.0}, r"forget \(30.0 s\) must not be below idle \(60.0 s\)"),
        ({"lateness": 16.0}, r"lateness \(16.0 s\) must not exceed step \(15.0 s\) or gap \(60.0 s\)"),
        ({"shared_lateness": 20.0}, r"shared_lateness \(20.0 s\) must not exceed step"),
        ({"gap": 1.0}, r"lateness \(2.0 s\) must not exceed step \(15.0 s\) or gap \(1.0 s\)"),
    ],
)
def test_lengths_that_contradict_each_other_are_refused(config: dict[str, float], message: str) -> None:
    """When they are set, with both numbers."""
    with pytest.raises(InvalidError, match=message):
        WindowConfig(**config)  # type: ignore[arg-type]


@pytest.mark.parametrize("rows_a_frame", [1, 7, 1000])
def test_a_row_that_comes_after_later_ones_tells_since_when(rows_a_frame: int) -> None:
    """As after a shipper's restart; wherever frames are cut, and where the broker tells no times as well.

    Who wrote is known of three minutes, a window whole after 105 s: counted from the first moment, not the first row.
    """
    feed = Feed()
    seconds = [3, 0, *range(4, 107), *range(121, 182), 197]
    rows = [feed.row(ALL, second) for second in seconds]
    cuts = range(0, len(rows), rows_a_frame)
    batches = [feed.give(frame(rows[cut : cut + rows_a_frame])) for cut in cuts] + [flushed(feed.store)]
    ends = [bound[2] for batch in batches for bound in bounds(batch)]
    whole = np.concatenate([batch.complete for batch in batches]).tolist()
    known = np.concatenate([batch.end - batch.last_seen.floor for batch in batches]).tolist()
    assert dict(zip(ends, whole, strict=True))[120] is True
    assert [end for end, is_whole in zip(ends, whole, strict=True) if not is_whole] == [15, 30, 45, 60, 75, 90, 105]
    assert dict(zip(ends, known, strict=True)) == dict.fromkeys(range(15, 181, 15), 60 * SECOND) | dict.fromkeys(
        (195, 210), 180 * SECOND
    )


def test_a_key_that_begins_anew_forgets_what_came_before() -> None:
    """In one frame as in two: after a long pause nobody knows who wrote in it."""
    for cut in (2, 4):
        feed = Feed()
        rows = [feed.row(ALL, second) for second in (0, 1, 300, 301)]
        feed.give(frame(rows[:cut]))
        feed.give(frame([*rows[cut:], feed.row(ALL, 330)]))
        batch = flushed(feed.store)
        assert batch.complete.tolist() == [False] * 3


@pytest.mark.parametrize("cuts", [(0, 4), (0, 1, 4), (0, 2, 4), (0, 1, 2, 3, 4)])
def test_since_when_a_key_is_there_does_not_depend_on_cuts(cuts: tuple[int, ...]) -> None:
    """A row that is earlier than all before it counts for those that follow in its own frame; until a long pause."""
    feed = Feed()
    rows = [feed.row(ALL, second) for second in (40, 0, 111, 400)]
    batches = [feed.give(frame(rows[start:end])) for start, end in pairwise(cuts)] + [flushed(feed.store)]
    ends = [(int(end), bool(whole)) for batch in batches for end, whole in zip(batch.end, batch.complete, strict=True)]
    assert [whole for _, whole in sorted(ends)] == [False, False, True, False]
