"""Gathering evidence out of lines."""

from random import Random

import pytest

from index.evidence.fired_windows import FiredWindow
from index.evidence.gather import EvidenceLimits, gather
from index.evidence.selection import FIRST_BAD, FIRST_SIGN, FRAME, LAST, ODD, RAISED, SERVED, WEIGHS
from index.evidence.types import Change, Evidence
from index.lines.log_lines import LogLines
from index.search.documents import Similar
from models.errors import InvalidError
from models.findings import Finding, FindingKind
from models.records import Pointer, Verdict
from models.rfc3339 import SECOND
from models.verdicts import to_json
from tests.index.cloud import INSTANCE, NOON, OTHER, REQUEST, TOPIC, fired, line, material, templates, traceback

QUIET = [
    line(at, "nova-api", f'10.0.0.1 "GET /servers HTTP/1.1" status: 200 len: {at} time: 0.1') for at in range(-60, 0)
]
CALLS = ("oslo_messaging/rpc/server.py:1:run", "nova/compute/manager.py:10:build", "nova/virt/driver.py:20:spawn")
BROKEN = [
    line(1, "nova-api", f"POST /servers makes instance {INSTANCE}", request=REQUEST),
    *traceback(2, "nova-compute", "ValueError: no such disk", CALLS),
    line(3, "nova-api", '10.0.0.1 "GET /servers/1 HTTP/1.1" status: 500 len: 9 time: 0.1', request=REQUEST),
    line(4, "nova-api", '10.0.0.1 "GET /servers/2 HTTP/1.1" status: 500 len: 9 time: 0.1', request=OTHER),
]


def roles(evidence: Evidence, role: str) -> list[str]:
    """Texts of the lines of a role, behind their headers."""
    return [
        each.text.split("- - - - -] ")[-1].split(" ERROR nova.compute ")[-1]
        for each in evidence.lines
        if role in each.roles
    ]


def test_the_first_bad_hop_comes_first_with_what_was_raised_and_where() -> None:
    """The first three lines tell an engineer what broke in which file; each says where it stands."""
    found = gather(material([*QUIET, *BROKEN]), [fired()], known=templates(QUIET))
    assert found.lines[0].id == found.first_bad == "L1"
    assert FIRST_BAD in found.lines[0].roles
    assert found.lines[0].place == f"{TOPIC}[0]@61"
    assert roles(found, RAISED) == ["ValueError: no such disk"]
    assert "nova/virt/driver.py" in roles(found, FRAME)[0]
    assert {FIRST_BAD, RAISED, FRAME} <= {role for each in found.lines[:3] for role in each.roles}


def test_lines_of_one_template_are_one_line_with_a_count() -> None:
    """Two answers of 500 are told once."""
    found = gather(material([*QUIET, *BROKEN]), [fired()], known=templates(QUIET))
    served = [each for each in found.lines if SERVED in each.roles]
    assert [each.count for each in served] == [2]


def test_the_story_of_the_request_is_in_order_of_time() -> None:
    """It begins before the failure and crosses services."""
    found = gather(material([*QUIET, *BROKEN]), [fired()], known=templates(QUIET))
    lines = [found.by_id()[name] for name in found.story]
    assert [each.service for each in lines] == ["nova-api", "nova-compute", "nova-api"]
    assert [each.time for each in lines] == sorted(each.time for each in lines)


def test_evidence_does_not_depend_on_the_order_in_which_partitions_were_read() -> None:
    """The same lines give the same digest."""
    one = material([*QUIET, *BROKEN])
    rows = list(range(len(one)))
    Random(7).shuffle(rows)
    other = LogLines(one.lines[rows], TOPIC)
    ask = [fired(reasons=("5 error lines (usually 0)",), pointers=((0, 62), (0, 63)))]
    assert gather(one, ask, known=None).digest() == gather(other, ask[::-1], known=None).digest()


def test_what_normal_operation_warns_of_is_no_failure() -> None:
    """A warning that training saw is no first bad hop, though detectors point at it."""
    warning = [line(at, "neutron-server", "Device not found in database", "WARNING") for at in (-30, 5)]
    found = gather(
        material(sorted([*QUIET, *warning])), [fired(pointers=((0, 61),))], known=templates([*QUIET, *warning])
    )
    assert found.first_bad is None
    assert WEIGHS in found.lines[0].roles


def test_a_new_message_is_a_first_sign_and_no_failure() -> None:
    """Nothing says that it is bad."""
    found = gather(material([*QUIET, line(5, "nova-compute", "Guest paused")]), [fired()], known=templates(QUIET))
    assert found.first_bad == "L1"
    assert FIRST_SIGN in found.lines[0].roles


def test_errors_long_before_the_windows_weigh_less_than_those_in_them() -> None:
    """What failed ten minutes ago is another incident's."""
    old = line(-600, "glance-api", "Old trouble", "ERROR")
    found = gather(material([old, *QUIET, *BROKEN]), [fired()], known=templates(QUIET))
    assert "Old trouble" not in found.lines[0].text
    assert found.by_id()[found.first_bad or ""].service == "nova-compute"


def test_other_tenants_and_later_lines_stay_out() -> None:
    """Evidence is of one tenant and ends a minute behind the windows."""
    values = [
        *QUIET,
        *BROKEN,
        line(6, "nova-api", "Theirs", "ERROR", tenant="b"),
        line(200, "nova-api", "Later", "ERROR"),
    ]
    found = gather(material(values), [fired()], known=templates(QUIET))
    assert found.tenant == "cloud"
    assert not [each for each in found.lines if "Theirs" in each.text or "Later" in each.text]


def test_evidence_is_bounded() -> None:
    """However many different errors there are."""
    many = [
        line(1 + n / 10, "nova-api", f"Failure of the kind {chr(97 + n % 26) * (n // 26 + 1)}", "ERROR")
        for n in range(300)
    ]
    limits = EvidenceLimits(lines=20, similar=1, changes=2)
    changes = [Change(NOON - n * SECOND, "nova", str(n)) for n in range(5)]
    similar = [Similar(str(n), "runbook", "t", "x", n / 10) for n in range(5)]
    found = gather(material(many), [fired()], known=None, changes=changes, similar=similar, limits=limits)
    assert len(found.lines) == 20
    assert [each.id for each in found.similar] == ["4"]
    assert len(found.changes) == 2
    assert len({each.id for each in found.lines}) == 20


def test_changes_are_those_before_things_went_wrong() -> None:
    """What was told, and messages that are new; a change behind the failure did not cause it."""
    start = line(-20, "nova-compute", "Starting compute node (version 29.1)")
    changes = [Change(NOON - 5 * SECOND, "nova-api", "deploy 7"), Change(NOON + 9 * SECOND, "nova-api", "rollback")]
    found = gather(material([*QUIET[:40], start, *BROKEN]), [fired()], known=templates(QUIET), changes=changes)
    assert [each.text for each in found.changes] == [
        "first of its kind: Starting compute node (version <*>)",
        "deploy 7",
    ]


def test_slow_calls_are_shown_by_the_slowest() -> None:
    """The reason of the detector finds its line."""
    slow = line(5, "nova-api", '10.0.0.1 "GET /servers HTTP/1.1" status: 200 len: 70 time: 9.5')
    mild = line(4, "nova-api", '10.0.0.1 "GET /servers HTTP/1.1" status: 200 len: 70 time: 2.5')
    masked = material([slow]).lines["masked"][0]
    finding = Finding(FindingKind.SLOW, masked, value=2.5, usual=0.5, unit="s", count=2)
    found = gather(material([*QUIET, mild, slow]), [fired(findings=(finding,))], known=templates(QUIET))
    shown = [each for each in found.lines if ODD[FindingKind.SLOW] in each.roles]
    assert [each.text.rpartition(" ")[2] for each in shown] == ["9.5"]


def test_a_source_that_stopped_is_told_by_its_last_line() -> None:
    """One that wrote every few seconds and wrote no more; one that goes on is not told of."""
    both = [line(at, name, f"Beat {at}") for at in range(-600, 0, 5) for name in ("cinder-volume", "nova-api")]
    after = [line(at, "nova-api", f"Beat {at}") for at in range(0, 300, 5)]
    found = gather(material([*both, *after]), [fired(0, 300)], known=templates(both))
    assert [each.service for each in found.lines if LAST in each.roles] == ["cinder-volume"]
    assert found.reasons == ("cinder-volume on node-1 has written nothing for 305 s (usually at most 5 s)",)
    (silent,) = found.findings
    assert (silent.kind, silent.service, silent.host) == (FindingKind.SILENT, "cinder-volume", "node-1")


def test_without_windows_all_lines_count() -> None:
    """As for files that nobody scored; the tenant with most lines is taken."""
    found = gather(material([*QUIET, *BROKEN, line(0, "x", "y", tenant="b")]), [], known=None)
    assert (found.tenant, found.services[0]) == ("cloud", "nova-compute")
    assert FIRST_BAD in found.lines[0].roles


def test_no_lines_are_no_evidence() -> None:
    """The reasons of the windows remain."""
    found = gather(LogLines.empty(), [fired(services=("nova-api",), reasons=("odd",))], known=None)
    assert (found.lines, found.reasons, found.services) == ((), ("odd",), ("nova-api",))
    assert gather(LogLines.empty(), [], known=None).lines == ()


def test_a_window_is_read_from_the_record_that_verdicts_become() -> None:
    """The same from a verdict and from its JSON."""
    verdict = Verdict(
        window_id="w",
        tenant="cloud",
        kind="source",
        key="nova-api@node-1",
        start=NOON,
        end=NOON + SECOND,
        events=3,
        score=2.5,
        importance=0.75,
        fired=True,
        parts={"levels": 1.5},
        lines=(Pointer(0, 7),),
        services=("nova-api",),
        reasons=("odd",),
        findings=(Finding(FindingKind.ERRORS, value=2.0, usual=0.01, moment=NOON),),
    )
    found = FiredWindow.from_record(to_json(verdict))
    assert found == FiredWindow.from_verdict(verdict)
    assert (found.pointers, found.service) == (((0, 7),), "nova-api")
    assert found.findings == verdict.findings
    without = {name: value for name, value in to_json(verdict).items() if name != "findings"}
    assert FiredWindow.from_record(without).findings == ()
    with pytest.raises(InvalidError, match="not a window"):
        FiredWindow.from_record({"tenant": "cloud"})
    with pytest.raises(InvalidError, match="names no zone"):
        FiredWindow.from_record({**to_json(verdict), "start": "2026-03-04T12:00:00"})
