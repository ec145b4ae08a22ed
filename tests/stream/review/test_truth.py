"""Which known faults were told: by name, as news, with an incident of their own and the right cause."""

from pathlib import Path
from typing import Any, Final

import pytest

from alerts.messages.alert import Alert, Severity, Status
from models.errors import InvalidError
from models.rfc3339 import SECOND, time_text
from stream.review.truth import FaultNews, KnownFault, figures, news_of, read_truth

NOW: Final = 1_772_000_000 * SECOND
FAULT: Final = KnownFault("default", "nova-api", NOW, NOW + 120 * SECOND)


def alert(incident: str, started_s: int, updated_s: int, service: str = "nova-api", **fields: Any) -> Alert:
    """Return an alert; times are seconds from the fault's start."""
    started = NOW + started_s * SECOND
    return Alert(
        incident_id=incident,
        episode=time_text(started),
        status=Status.FIRING,
        severity=Severity.ERROR,
        tenant="default",
        services=(service,),
        summary="",
        started=started,
        updated=NOW + updated_s * SECOND,
        **fields,
    )


def cause(text: str, service: str = "") -> dict[str, Any]:
    """Return a diagnosis."""
    return {"diagnosis": {"cause": text, "service": service, "summary": ""}}


def test_an_incident_of_its_own_tells_a_fault() -> None:
    """By its service, after so many seconds; the cause counts where the last diagnosis names the service."""
    news = news_of(FAULT, [alert("a", 10, 15), alert("a", 10, 30, **cause("it is full", "nova-api"))])
    assert (news.delay_s, news.own, news.right) == (15.0, True, True)


def test_an_older_incident_tells_a_fault_only_with_a_cause_that_is_new() -> None:
    """That it goes on is no news, nor is what was said before."""
    before = alert("a", -900, -600, **cause("nova-api is down"))
    assert news_of(FAULT, [before, alert("a", -900, 15, **cause("nova-api is down"))]).delay_s is None
    news = news_of(FAULT, [before, alert("a", -900, 15, **cause("the disk of nova-api is full"))])
    assert (news.delay_s, news.own, news.right) == (15.0, False, True)


def test_what_names_another_service_or_comes_too_late_tells_nothing() -> None:
    """Three minutes after its end nobody thinks of it."""
    assert news_of(FAULT, [alert("a", 10, 15, "glance-api")]).delay_s is None
    assert news_of(FAULT, [alert("a", 10, 301)]).delay_s is None


def test_figures_count_false_incidents_and_alerts() -> None:
    """An incident that begins outside of every fault is false."""
    alerts = [alert("a", 10, 15), alert("a", 10, 30), alert("b", 900, 910)]
    assert figures(alerts, [FAULT]) == {
        "faults": 1,
        "told": 1.0,
        "own": 1.0,
        "right": 0.0,
        "delay_median_s": 15.0,
        "incidents": 2,
        "false_incidents": 1,
        "alerts_per_incident": 1.5,
    }


def test_faults_are_read_by_service_or_project(tmp_path: Path) -> None:
    """As the simulator and labelled runs write them; what is no list of faults is refused with its name."""
    path = tmp_path / "truth.json"
    times = f'"start": "{time_text(NOW)}", "end": "{time_text(NOW + 120 * SECOND)}"'
    path.write_text(f'[{{"service": "controller-1/nova-api", {times}}}, {{"project": "nova", "tenant": "t", {times}}}]')
    assert read_truth(path) == [FAULT, KnownFault("t", "nova", FAULT.start, FAULT.end)]
    path.write_text('{"service": 1}')
    with pytest.raises(InvalidError, match="is no list of faults"):
        read_truth(path)


def test_faults_of_which_only_the_time_is_known_are_told_by_time(tmp_path: Path) -> None:
    """Each until the next one begins, by any incident that began with it; whether its cause is right is unknown."""
    path = tmp_path / "faults.csv"
    times = [(time_text(NOW + at * SECOND), time_text(NOW + (at + 60) * SECOND)) for at in (0, 150)]
    rows = [f'db-stop,{begin},{end},"the database, stopped"' for begin, end in times]
    path.write_text("\n".join(["fault,begin,end,what", *rows]))
    first, second = read_truth(path)
    assert (first.until, first.told_until) == (second.start, second.start)
    assert second.told_until == NOW + 390 * SECOND
    late = alert("b", 160, 165, **cause("it is down", "nova-api"))
    assert news_of(first, [late]).delay_s is None
    assert news_of(second, [late]) == FaultNews(15.0, own=True, right=None)
    told = figures([late], [first, second])
    assert (told["told"], told["own"], told["right"], told["false_incidents"]) == (0.5, 0.5, None, 0)
    path.write_text("fault,begin\ndb-stop,now\n")
    with pytest.raises(InvalidError, match="is no list of faults"):
        read_truth(path)
