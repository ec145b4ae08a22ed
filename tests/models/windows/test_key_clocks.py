"""The time of keys that many sources write to: nothing that could have come is judged before it came."""

import numpy as np
import pytest

from models.records import ALL_SOURCES, EventFrame, KeyKind
from models.windows.config import WindowConfig
from models.windows.store import WindowStore
from tests.models.windows.test_store import EPOCH, Row, flushed, frame

ALL = ("t", int(KeyKind.SOURCE), ALL_SOURCES)
NOVA = ("t", int(KeyKind.SOURCE), "nova@c1")
REQUEST = ("t", int(KeyKind.SESSION), "req-1")
BEGIN = 1_700_000_000 // 600 * 600 + 600 - EPOCH
Key = tuple[str, int, str]


class Stream:
    """Frames of two raw partitions, whose recorded clocks are those of the last frame unless it says otherwise."""

    def __init__(self, live_for: float = 60.0) -> None:
        """Let the clock run for a minute without a row."""
        self.store = WindowStore(WindowConfig())
        self._offset = 0
        self._clocks = {0: BEGIN - live_for, 1: BEGIN - live_for}
        self.closed: list[tuple[str, float]] = []
        for second in np.arange(-live_for, 0.0):
            self.tick(float(second))

    def tick(self, clock: float, *partitions: int) -> None:
        """Move the clocks of these partitions, by default of both."""
        self._clocks |= dict.fromkeys(partitions or (0, 1), BEGIN + clock)
        self._give(frame([], self._clocks))

    def rows(self, clock: float, *events: tuple[Key, float], partition: int = 0) -> None:
        """Add events of so many seconds that one partition shows at a moment of the clock."""
        rows = []
        for key, second in events:
            self._offset += 1
            rows.append(Row(key, BEGIN + second, partition, self._offset))
        self._clocks[partition] = max(BEGIN + clock, self._clocks[partition])
        self._give(frame(rows, self._clocks))

    def _give(self, one: EventFrame) -> None:
        batch = self.store.add(one, self._offset)
        self.closed += [(key, end / 1e6 - EPOCH - BEGIN) for key, end in zip(batch.keys, batch.end, strict=True)]


def live(stream: Stream, begin: int, end: int, ahead: float = 0.0) -> None:
    """A row a second over everything; every third one comes from a host whose clock is ``ahead``."""
    for second in range(begin, end):
        stream.tick(second, 1)
        stream.rows(second + 0.5, (ALL, second + (ahead if second % 3 == 0 else 0.0)))


@pytest.mark.parametrize("ahead", [30.0, 300.0, 3600.0])
def test_a_clock_that_is_ahead_makes_nobody_late(ahead: float) -> None:
    """And holds nobody up: windows close as they do without it."""
    with_it, without = Stream(), Stream()
    live(with_it, 0, 60, ahead)
    live(without, 0, 60)
    assert with_it.store.counts.late == 0
    assert with_it.closed == without.closed
    assert [end for _, end in without.closed] == [15, 30, 45]


def test_a_partition_that_rests_holds_windows_over_everything_back() -> None:
    """What stands in it may be all that a service wrote; the windows of one service go on."""
    stream = Stream()
    stream.tick(0.0, 1)
    for second in range(60):
        stream.rows(second + 0.5, (ALL, second), (NOVA, second))
    assert {key for key, _ in stream.closed} == {"nova@c1"}
    stream.rows(59.5, *((ALL, n + 0.1) for n in range(60)), partition=1)
    live(stream, 60, 120)
    assert stream.store.counts.late == 0
    assert [end for key, end in stream.closed if key == ALL_SOURCES][:4] == [15, 30, 45, 60]


def test_after_an_outage_what_it_held_up_is_waited_for() -> None:
    """The broker was away for 45 s; one partition's lines come before those of the other."""
    stream = Stream()
    live(stream, 0, 60)
    stream.tick(104.0)
    stream.rows(105.0, *((ALL, second) for second in range(100, 105)))
    stream.rows(106.0, *((ALL, second) for second in range(60, 105)), partition=1)
    live(stream, 106, 140)
    assert stream.store.counts.late == 0
    assert [end for _, end in stream.closed] == [15, 30, 45, 60, 75, 90, 105, 120]


def test_files_sent_one_after_the_other_meet_in_the_same_windows() -> None:
    """Two hours old, within seconds, followed by live lines."""
    stream = Stream()
    for n in range(3):
        stream.rows(n, *(((ALL, REQUEST)[second % 2], second - 7200.0) for second in range(n, 1200, 3)))
    live(stream, 3, 60)
    assert stream.store.counts.late == 0
    old = [end for key, end in stream.closed if key == ALL_SOURCES and end < 0]
    assert old == [15.0 * n - 7200 for n in range(1, 81)]
    assert stream.closed[-1] == (ALL_SOURCES, 45.0)
    assert len([key for key, _ in stream.closed if key == "req-1"]) + len(flushed(stream.store)) > 1


def test_a_host_that_stays_behind_holds_nobody_up_for_long() -> None:
    """Its rows that come after their windows are counted; windows over everything go on."""
    stream = Stream()
    live(stream, 0, 60)
    for second in range(60, 180):
        stream.tick(second, 1)
        stream.rows(second + 0.5, (ALL, second), (ALL, second - 100.0))
    assert stream.store.counts.late == 120
    assert stream.closed[-1][1] == 165
