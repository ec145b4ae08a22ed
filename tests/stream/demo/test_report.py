"""The demo's report: which faults an alert names, which only fired a window, and which incidents are false."""

from dataclasses import dataclass

import pytest

from models.rfc3339 import SECOND
from stream.demo.report import (
    GRACE_S,
    WIDTH,
    Episode,
    FaultOutcome,
    FaultWindow,
    PublishedAlert,
    Row,
    false_alarms,
    rows,
    table,
)


@dataclass(frozen=True)
class Fault:
    """A fault of a test."""

    kind: str
    service: str
    start: int
    end: int


FAULT = Fault("slow", "compute-1/nova-compute", 1000 * SECOND, 1100 * SECOND)
OTHER = Fault("hang", "compute-2/nova-compute", 5000 * SECOND, 5100 * SECOND)


def alert(second: int, title: str, incident: str = "0123456789", *, resolved: bool = False) -> PublishedAlert:
    """Return an alert of this event time."""
    return PublishedAlert(incident, title, second * SECOND, resolved)


def row_after(*alerts: PublishedAlert) -> Row:
    """Return what came of the fault, with a window in its time, beside a fault of another host."""
    (row, _) = rows([OTHER, FAULT], [FaultWindow("*", FAULT.end)], alerts)
    return row


def test_a_fault_is_named_by_the_first_alert_of_its_time_that_names_its_service() -> None:
    """Alerts before it do not count; the first within it or the grace after it decides the delay."""
    row = row_after(alert(999, "nova-compute: errors", "before"), alert(1030, "errors in nova-compute and 1 more"))
    assert (row.outcome, row.delay_s) == (FaultOutcome.NAMED, 30.0)
    assert row.alert is not None
    assert row.alert.incident == "0123456789"


@pytest.mark.parametrize(
    "title", ["errors in nova-compute-ironic", "errors in neutron-server and 1 more", "nova-compute@compute-2: silent"]
)
def test_a_window_without_an_alert_that_names_the_service_names_no_fault(title: str) -> None:
    """Another service, one that is only counted, or the same one on another host."""
    row = row_after(alert(1030, title))
    assert (row.outcome, row.delay_s) == (FaultOutcome.WINDOW_ONLY, None)
    assert "window only: no alert names it" in table([row], [], str)


def test_an_incident_that_was_open_before_is_no_news() -> None:
    """It is updated all the time; it counts when it names the host as new, or once it was resolved and came back."""
    before, update = alert(900, "nova-compute: errors"), alert(1030, "nova-compute: errors, 2 min")
    assert row_after(before, update).outcome is FaultOutcome.WINDOW_ONLY
    assert row_after(before, alert(950, "nova-compute: errors", resolved=True), update).outcome is FaultOutcome.NAMED
    assert row_after(before, alert(1030, "compute-1 nova-compute: errors")).outcome is FaultOutcome.NAMED


def test_a_fault_without_a_window_is_missed() -> None:
    """A window after the grace does not save it, nor does an alert."""
    late = round(FAULT.end / SECOND + GRACE_S + 1)
    (row,) = rows([FAULT], [FaultWindow("x", late * SECOND)], [alert(late, "nova-compute: errors")])
    assert row.outcome is FaultOutcome.MISSED
    assert "0 of 1 faults named by an alert, 0 in a window only, 1 missed; 0 false alarms" in table([row], [], str)


def test_incidents_outside_every_fault_are_false_alarms() -> None:
    """One that touches a fault or its grace is explained; another is not."""
    inside = Episode("1", ("nova-api",), 1090 * SECOND, 1300 * SECOND)
    outside = Episode("2", ("glance-api",), 10 * SECOND, 20 * SECOND)
    assert false_alarms([FAULT], [inside, outside]) == [outside]
    assert "1 false alarms" in table(rows([FAULT], [], []), [outside], str)


def test_the_table_fits_a_terminal_and_shows_the_incident() -> None:
    """A long title is cut; the short id leads to the whole."""
    row = row_after(alert(1030, "nova-compute: " + "very " * 50 + "slow"))
    lines = table([row], [Episode("2", ("glance-api",) * 20, 0, 0)], str).splitlines()
    assert max(len(line) for line in lines) == WIDTH
    assert "30 s   01234567 nova-compute: very very" in lines[2]
    assert lines[2].endswith("…")


def test_the_service_is_seen_where_a_title_is_cut() -> None:
    """An alert may name it only at its end."""
    row = row_after(alert(1030, "neutron-server: " + "very " * 30 + "slow. Also affected: nova-compute. 09:07 UTC"))
    line = table([row], [], str).splitlines()[2]
    assert line.endswith("01234567 …Also affected: nova-compute. 09:07 UTC")
