"""The demo's report: which faults count as found, and which incidents as false."""

from dataclasses import dataclass

from models.rfc3339 import SECOND
from stream.demo.report import GRACE_S, Episode, FoundWindow, false_alarms, rows, table


@dataclass(frozen=True)
class Fault:
    """A fault of a test."""

    kind: str
    service: str
    start: int
    end: int


FAULT = Fault("slow", "nova-api", 1000 * SECOND, 1100 * SECOND)


def test_a_fault_is_found_by_the_first_window_of_its_time() -> None:
    """Windows before it do not count; of those within it or the grace after it the first decides the delay."""
    windows = [
        FoundWindow("early", 999 * SECOND, 0.9),
        FoundWindow("b", 1050 * SECOND, 0.9),
        FoundWindow("a", 1030 * SECOND, 0.6),
    ]
    (row,) = rows([FAULT], windows)
    assert (row.delay_s, row.by) == (30.0, "a")


def test_a_fault_without_a_window_is_told_as_missed() -> None:
    """A window after the grace does not save it."""
    late = FoundWindow("x", FAULT.end + round((GRACE_S + 1) * SECOND), 0.9)
    (row,) = rows([FAULT], [late])
    assert row.delay_s is None
    assert "NO" in table([row], [], str)


def test_incidents_outside_every_fault_are_false_alarms() -> None:
    """One that touches a fault or its grace is explained; another is not."""
    inside = Episode("1", ("nova-api",), 1090 * SECOND, 1300 * SECOND)
    outside = Episode("2", ("glance-api",), 10 * SECOND, 20 * SECOND)
    assert false_alarms([FAULT], [inside, outside]) == [outside]
    assert "1 false alarms" in table(rows([FAULT], []), [outside], str)
