"""Titles: what is wrong where, with the number, in a line that a chat can show."""

from typing import Any

import pytest

from alerts.messages.anomaly import KINDS, ODD
from alerts.messages.wording import (
    CLAUSE,
    KIND_NAMES,
    day,
    duration,
    finding_text,
    kind_name,
    moment,
    period,
    reason_text,
    title,
)
from models.findings import Finding, FindingKind
from models.rfc3339 import SECOND, parse_time

BEGIN = parse_time("2026-01-01T09:07:30Z")
ACCESS = '<*> "GET /v2.0/networks HTTP<*>" status: <*> len: <*> time: <*>'
SLOW = Finding(FindingKind.SLOW, template=ACCESS, value=2.6, usual=0.74, unit="s", count=1)
NEAREST = Finding(FindingKind.ABSENT, template="Instance spawned.")
SILENT = Finding(FindingKind.SILENT, service="nova-compute", host="compute-2", value=180.0, usual=55.0)


def titled(*findings: Finding, services: tuple[str, ...] = ("neutron-server",), **parts: Any) -> str:
    """Return a title of an incident that lasts two minutes."""
    values: dict[str, Any] = {"kind": "values", "reasons": (), "span": (BEGIN, BEGIN + 125 * SECOND)} | parts
    return title(services=services, findings=findings, **values)


def test_a_title_says_what_is_wrong_where_and_when() -> None:
    """The request, the number, what is usual; and who else is affected."""
    assert titled(SLOW, services=("neutron-server", "nova-api")) == (
        "neutron-server: GET /v2.0/networks takes 2.6 s (usually below 0.74 s). Also affected: nova-api."
        " 09:07 UTC, 2 min"
    )


def test_up_to_three_services_are_named() -> None:
    """The others are counted."""
    assert ". Also affected: b, c and 2 more. " in titled(SLOW, services=("a", "b", "c", "d", "e"))
    assert ". Also affected: b, c. " in titled(SLOW, services=("a", "b", "c"))


def test_what_only_says_that_a_window_is_odd_gives_way() -> None:
    """It leads where there is nothing else."""
    unknown = Finding(FindingKind.RATE_HIGH, value=5.0, usual=0.0, seconds=60.0)
    assert titled(NEAREST, unknown, SLOW, SILENT) == titled(SLOW)
    assert titled(NEAREST).startswith("neutron-server: `Instance spawned.` is missing (")


def test_a_silent_service_is_named_once_with_its_host() -> None:
    """It may be another than the one where the incident began."""
    assert titled(SILENT).startswith("nova-compute on compute-2 has written nothing for 180 s (")
    assert ". Also affected: neutron-server. " in titled(SILENT)


def test_a_quiet_host_is_named_and_no_service_is_to_blame() -> None:
    """By the finding as by the diagnosis; the services that wrote there are affected."""
    quiet = Finding(FindingKind.HOST_SILENT, host="compute-2", value=180.0, usual=55.0, count=3)
    services = ("nova-compute", "libvirtd", "neutron-agent")
    affected = ". Affected: nova-compute, libvirtd and 1 more. 09:07 UTC, 2 min"
    told = "all 3 sources of compute-2 have written nothing for 180 s (usually at most 55 s): "
    assert titled(quiet, services=services) == f"{told}host or shipper of compute-2 is quiet{affected}"
    known = {"summary": "Host or shipper of compute-2 is quiet.", "confidence": 0.6}
    assert titled(quiet, services=services, diagnosis=known) == f"Host or shipper of compute-2 is quiet{affected}"


def test_without_findings_the_first_reason_leads_and_then_the_kind() -> None:
    """As incidents of older versions have them."""
    assert titled(reasons=("4 error lines, usually 0", "x")).startswith("neutron-server: 4 error lines, usually 0. ")
    assert titled().startswith("neutron-server: slow or unusual values. ")


def test_the_state_stands_at_the_end() -> None:
    """An incident of one window has no length."""
    assert titled(SLOW, span=(BEGIN, BEGIN), state="resolved").endswith(". 09:07 UTC, resolved")


def test_a_diagnosis_that_is_rather_right_leads() -> None:
    """It names its service, and none of the places where a name belongs stays open."""
    sure = {"summary": "The database of {service} is down.", "service": "nova-api", "confidence": 0.75}
    assert titled(SLOW, services=("neutron-server", "nova-api"), diagnosis=sure) == (
        "The database of nova-api is down. Also affected: neutron-server. 09:07 UTC, 2 min"
    )
    assert titled(SLOW, diagnosis=sure | {"service": ""}).startswith(
        "neutron-server: The database of unknown service is down. "
    )
    assert titled(SLOW, diagnosis=sure | {"confidence": 0.3}) == titled(SLOW)


def test_a_long_diagnosis_is_cut_behind_a_word_and_its_quote_closed() -> None:
    """No full stop follows the dots."""
    said = "The database cannot be reached: keystone on c1 says “" + "lost connection again " * 9 + "today”."
    title_ = titled(services=("keystone", "nova-api"), diagnosis={"summary": said, "confidence": 0.9})
    what, _, rest = title_.partition("…”")
    assert what.endswith(" lost connection")
    assert rest.startswith(" Also affected: nova-api. ")


def test_what_nothing_locates_has_a_title_all_the_same() -> None:
    """Without a service, a finding or a reason; dates may be shown elsewhere."""
    assert titled(services=(), span=None) == "unknown service: slow or unusual values"


def test_a_title_names_the_host() -> None:
    """Where the finding knows it."""
    here = Finding(FindingKind.ERRORS, value=4.0, usual=0.0, service="nova-compute", host="compute-1")
    assert titled(here).startswith("nova-compute on compute-1: 4 error lines ")


@pytest.mark.parametrize(
    ("template", "short"),
    [
        (ACCESS, "GET /v2.0/networks"),
        ('<*> "POST <*> HTTP<*>" status: <*>', "POST …"),
        ("Creating image", "`Creating image`"),
        ("Took <*><*> seconds", "`Took … seconds`"),
        ("x" * 70, f"`{'x' * 59}…`"),
        ("", "a message never seen in training"),
    ],
)
def test_templates_are_cut_short(template: str, short: str) -> None:
    """Requests are read as words; other messages are quoted."""
    text = finding_text(Finding(FindingKind.NEW_HERE, template=template))
    assert text == f"{short} is new here (training saw it elsewhere only)"
    assert reason_text(f"`{template}` is unusual") == f"{short if template else '``'} is unusual"


@pytest.mark.parametrize("kind", list(FindingKind))
def test_every_kind_of_finding_has_a_text_that_fits(kind: FindingKind) -> None:
    """However long the templates are, and whatever fields there are."""
    assert 0 < len(finding_text(Finding(kind, template="x" * 999, follows="y" * 999))) <= CLAUSE
    assert finding_text(Finding(kind))


def test_every_kind_of_failure_has_a_name_for_people() -> None:
    """One that is unknown here is shown as it is."""
    assert {*KINDS.values(), ODD} <= KIND_NAMES.keys()
    assert (kind_name("values"), kind_name("later"), kind_name("")) == ("Slow or unusual values", "later", "")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (3600, "1 h"),
        (11_400, "3 h 10 min"),
        (187_200, "2 d 4 h"),
    ],
)
def test_durations_have_two_units_at_most(seconds: int, text: str) -> None:
    """Nobody needs the seconds of an hour."""
    assert duration(seconds) == text


def test_times_are_utc_and_say_so() -> None:
    """In a title the day is left out."""
    assert period(BEGIN, BEGIN + SECOND // 2) == "09:07 UTC"
    assert (day(BEGIN), moment(BEGIN)) == ("2026-01-01", "2026-01-01 09:07 UTC")
