"""The report of a review: each incident once, with why and proof; and it says so where there is nothing."""

from dataclasses import replace
from typing import Any, Final

from alerts.incidents.incident import Incident, IncidentState
from alerts.messages.alert import Severity
from alerts.messages.anomaly import Anomaly
from models.rfc3339 import SECOND
from stream.review.report import Review

NOW: Final = 1_772_000_000 * SECOND
PATHS: Final = {0: "/var/log/nova/nova-api.log"}


def incident(service: str, after_s: int, **fields: Any) -> Incident:
    """Return an open incident of one window."""
    window = Anomaly(
        id=f"{after_s:032x}",
        tenant="default",
        services=(service,),
        end=NOW + after_s * SECOND,
        importance=0.9,
        key=f"{service}@host-1",
        parts={"levels": 5.0},
        reasons=("3 errors, usually 0",),
    )
    return replace(Incident.of(window, NOW), state=IncidentState.OPEN, severity=Severity.ERROR, **fields)


def review(*incidents: Incident, fired: int = 1) -> Review:
    """Return a review of one file."""
    alerts = [one.alert(page=True) for one in incidents if one.state is IncidentState.OPEN]
    return Review(incidents, alerts, fired, "bundle").about(1000, 200, (NOW, NOW + 3600 * SECOND), PATHS)


DIAGNOSIS: Final = {
    "summary": "The database of {service} cannot be reached",
    "cause": "mysqld is down",
    "confidence": 0.9,
    "service": "nova-api",
    "evidence": [
        {
            "partition": 0,
            "line": 41,
            "source": "logs.raw",
            "count": 3,
            "text": "ERROR `Lost` |\x1b[31m connection\nto it",
        }
    ],
    "actions": ["systemctl status mysqld", "Restart {service}"],
}


def test_each_incident_has_one_section_in_the_order_of_time() -> None:
    """What goes on as part of another one is left out."""
    late, early = incident("nova-api", 600), incident("neutron-server", 60)
    part = incident("glance-api", 70, into=early.id)
    merged = replace(part, state=IncidentState.MERGED)
    page = review(late, early, merged).to_markdown()
    sections = [line[4:10] for line in page.splitlines() if line.startswith("## `")]
    assert sections == [early.id[:6], late.id[:6]]
    assert "200 windows, 1 fired, 2 incidents, 2 alerts, of which 2 pages." in page
    assert [one["incident_id"] for one in review(late, early, merged).to_record()["incidents"]] == [early.id, late.id]


def test_an_incident_says_why_with_lines_and_what_goes_on_beside_it() -> None:
    """Lines are named by file and number from 1; what they hold can neither end its quotation nor steer a terminal."""
    one, other = incident("nova-api", 600, diagnosis=DIAGNOSIS), incident("neutron-server", 60)
    page = review(one, other).to_markdown()
    section = page[page.index(f"## `{one.id[:6]}`") : page.index("## How to look further")]
    assert "**Why.** mysqld is down (confidence 90%)" in section
    assert "**What.** The database of nova-api cannot be reached" in section
    assert "- /var/log/nova/nova-api.log:42, 3 times\n  `ERROR 'Lost' \\|� connection to it`" in section
    assert "1. systemctl status mysqld" in section
    assert "2. Restart nova-api" in section
    assert f"Beside it:\n\n- 06:14:20 `{other.id[:6]}`" in section
    assert "\x1b" not in page


def test_what_is_long_over_is_not_beside_it() -> None:
    """A quarter of an hour is the limit."""
    page = review(incident("nova-api", 3000), incident("neutron-server", 60)).to_markdown()
    assert "Beside it" not in page


def test_no_window_that_fired_and_none_strong_enough_are_told_apart() -> None:
    """Both are said in words, and there is no timeline."""
    quiet, weak = review(fired=0).to_markdown(), review(fired=2).to_markdown()
    assert "No window fired: nothing here is unusual for the bundle." in quiet
    assert "Some windows fired, and none was strong enough" in weak
    assert "Timeline" not in quiet + weak


def test_the_report_ends_with_commands_that_fit_what_was_read() -> None:
    """Of files those that read them, of topics those that read the same time."""
    of_files = review(fired=0)
    of_topics = of_files.about(0, 200, of_files.span, {})
    assert "tocsin analyze --issue" in of_files.to_markdown()
    assert "tocsin replay --from 2026-02-25T06:13:20.000Z --to 2026-02-25T07:13:20.000Z" in of_topics.to_markdown()
