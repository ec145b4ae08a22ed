"""The memory: what a timeline says, what is kept, and what is forgotten."""

from dataclasses import replace

import pytest

from alerts.messages.alert import Alert, Severity, Status
from alerts.messages.anomaly import Anomaly
from alerts.messages.feedback import Action, Feedback, Opinion, vote
from models.errors import InvalidError
from models.rfc3339 import SECOND
from stream.ui.memory.files import load_alerts
from stream.ui.memory.memory import Limits, Memory
from stream.ui.memory.window_columns import MOST_SERVICES, OTHERS, WindowColumns
from tests.stream.ui.samples import BEGIN, alert, diagnosis, line, signal


def news(*alerts: Alert) -> list[tuple[str, ...]]:
    """Return what the timeline of an incident says after these alerts."""
    memory = Memory()
    for one in alerts:
        memory.take_alert(one)
    log = memory.log(alerts[0].incident_id)
    assert log is not None
    return [step.news for step in log.steps]


def test_the_timeline_says_what_each_alert_brought() -> None:
    """A step says what is new in it: severity, places, the diagnosis, who took it, the end."""
    first = alert()
    worse = replace(first, severity=Severity.CRITICAL, services=(*first.services, "glance"))
    known = replace(worse, status=Status.ENRICHED, diagnosis=diagnosis(line("L1", "x")), acknowledged="jo")
    quiet = replace(known, signals=(signal("nova-api", "errors"), signal("keystone", "values", ongoing=False)))
    over = replace(quiet, status=Status.RESOLVED, ended=BEGIN + 90 * SECOND)
    assert news(first, worse, known, quiet, over, first) == [
        ("opened: errors",),
        ("error became critical", "also glance"),
        ("diagnosis", "taken by jo"),
        ("back to normal: keystone on c1",),
        ("resolved",),
        ("came back", "new diagnosis", "given back"),
    ]


def test_a_title_loses_the_time_that_has_a_column_of_its_own() -> None:
    """Only the time at the end goes; one within a title stays."""
    memory = Memory()
    memory.take_alert(alert(summary="nova-api failed at 09:13:15 UTC: gone. 09:13 UTC, 1 min"))
    memory.take_alert(alert(2, summary="keystone: 3 errors"))
    assert [head.title for head in memory.heads()] == ["nova-api failed at 09:13:15 UTC: gone", "keystone: 3 errors"]


def test_test_alerts_are_no_incidents_and_prove_deliveries() -> None:
    """They are not listed; the newest one is remembered."""
    memory = Memory()
    memory.take_alert(alert(kind="synthetic"))
    assert memory.heads() == []
    assert memory.health().proven == alert().updated


def test_the_oldest_resolved_incidents_are_forgotten_first() -> None:
    """Open ones stay, however old."""
    memory = Memory(Limits(incidents=10))
    memory.take_alert(alert(0))
    for number in range(1, 40):
        memory.take_alert(alert(number, status=Status.RESOLVED, updated=BEGIN + number * SECOND))
    ids = [int(head.id, 16) for head in memory.heads()]
    assert len(ids) <= 10
    assert ids[0] == 0
    assert ids[1:] == list(range(40 - len(ids[1:]), 40))


def test_what_people_say_may_come_before_the_incident() -> None:
    """Topics are read side by side, so that a vote can be read before its alert."""
    memory = Memory()
    memory.take_feedback(vote(alert().incident_id, Opinion.REAL, "jo", BEGIN))
    memory.take_feedback(Feedback(alert().incident_id, Action.ACK, "ann", BEGIN))
    memory.take_alert(alert())
    assert memory.heads()[0].acknowledged == "ann"
    assert list(memory.said(alert().incident_id).annotations.votes) == ["jo"]


def test_findings_may_come_before_the_incident() -> None:
    """The record on ``incidents`` waits for the alert."""
    memory = Memory()
    memory.take_state(alert().incident_id, b'{"findings":[{"kind":"errors","value":80,"usual":2}]}')
    memory.take_alert(alert())
    log = memory.log(alert().incident_id)
    assert log is not None
    assert log.findings() == [{"kind": "errors", "value": 80, "usual": 2}]


def test_a_trouble_is_told_until_it_is_over() -> None:
    """Its begin stays that of the first word of it."""
    clock = iter([1.0, 2.0, 3.0])
    memory = Memory(clock=lambda: next(clock))
    memory.trouble("broker", "no answer")
    memory.trouble("alerts", "no answer")
    assert (memory.health().troubles, memory.health().since) == (("no answer",), SECOND)
    memory.trouble("broker", "")
    memory.trouble("alerts", "")
    assert memory.health().troubles == ()


def test_windows_are_columns_with_a_bound() -> None:
    """The newest windows stay; services beyond the bound share one name."""
    columns = WindowColumns(100)
    for number in range(500):
        columns.add(number, "nova" if number % 2 else "glance", 0.5)
    ends, _, _ = columns.columns()
    assert 100 <= len(ends) <= 110
    assert ends[-1] == 499
    for number in range(MOST_SERVICES + 5):
        columns.add(number, f"s{number}", 0.5)
    assert OTHERS in columns.services
    assert len(columns.services) == MOST_SERVICES + 1


def test_a_window_counts_for_each_of_its_services() -> None:
    """A window over several places colours the lane of each."""
    memory = Memory()
    memory.take_window(Anomaly("w", "default", ("nova", "glance"), BEGIN, 0.9, key="*", places=("nova@a", "glance@a")))
    assert set(memory.windows().services) == {"nova", "glance"}


def test_a_file_that_is_none_of_alerts_says_where_it_is_wrong(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The line is named."""
    path = tmp_path_factory.mktemp("files") / "alerts.jsonl"
    path.write_bytes(alert().to_json() + b"\n{}\n")
    with pytest.raises(InvalidError, match="line 2"):
        load_alerts(Memory(), path)
