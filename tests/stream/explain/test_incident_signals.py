"""Where an explanation looks for the lines of an incident, and what it hears of its signals."""

from dataclasses import replace

from alerts.incidents.incident import Incident, IncidentState
from alerts.incidents.signal import Signal
from alerts.messages.alert import Severity
from index.evidence.fired_windows import FiredWindow
from models.findings import Finding, FindingKind
from models.records import Level
from models.rfc3339 import SECOND
from stream.explain.incident_signals import WINDOW_US, evidence_scope, own_findings, resumed, signals_now
from tests.alerts.windows import START, crash, session, window

QUIET = 300 * SECOND
API = Incident.of(window("a", 0, service="nova-api"), START)


def fired(start: float, end: float, **fields: object) -> FiredWindow:
    """Return a window over everything, seconds after the start."""
    made = FiredWindow("default", "*", "source", START + int(start * SECOND), START + int(end * SECOND))
    return replace(made, **fields)  # type: ignore[arg-type]


def test_lines_are_looked_for_where_its_signals_are() -> None:
    """From before its first window ended, to its last one."""
    both = API.joined(window("b", 90, service="nova-conductor"), START, 256)
    scope = evidence_scope(both, [fired(-60, 0), fired(-30, 30), fired(30, 90)])
    assert (scope.begin, scope.end) == (START - 60 * SECOND, START + 90 * SECOND)
    assert (set(scope.services), set(scope.hosts)) == ({"nova-api", "nova-conductor"}, {"host"})
    assert evidence_scope(both, []).begin == both.first


def test_a_place_without_a_host_may_be_any_host() -> None:
    """What the others name must not leave it out."""
    somewhere = Signal(service="cinder-api", kind="errors", first=START, last=START, importance=0.9)
    assert evidence_scope(replace(API, signals=(*API.signals, somewhere)), []).hosts == frozenset()


def test_what_it_is_about_is_named_as_in_the_lines() -> None:
    """A port or instance without the word before it, and in small letters."""
    asked = Incident.of(session("a", 0, "port:AB-1", ["neutron"]), START)
    asked = asked.joined(session("b", 5, "req-7F", ["neutron"]), START, 256)
    assert evidence_scope(asked, []).ids == {"ab-1", "req-7f"}


def test_what_was_over_before_is_not_looked_at_again() -> None:
    """Neither its lines nor its services."""
    both = API.joined(window("b", 200, service="nova-conductor"), START, 256)
    scope = evidence_scope(both, [fired(-60, 0)], START + 100 * SECOND)
    assert (scope.begin, set(scope.services)) == (START + 100 * SECOND, {"nova-conductor"})


def test_what_comes_back_is_explained_from_there() -> None:
    """What stood in the logs while it was over is not its cause."""
    assert resumed([fired(-60, 0), fired(30, 90), fired(330, 390)], QUIET) == 0
    assert resumed([fired(600, 660), fired(-60, 0), fired(615, 675)], QUIET) == START + 600 * SECOND
    assert resumed([fired(600, 660), fired(-60, 0), fired(615, 675)], 3 * QUIET) == 0


def test_a_window_over_everything_says_only_what_is_its_own() -> None:
    """The disk of another incident was found in the same window."""
    slow = Finding(FindingKind.SLOW, service="nova-api")
    silent = Finding(FindingKind.SILENT, service="cinder-volume")
    made = fired(0, 60, services=("cinder-volume", "nova-api"), reasons=("x", "y"), findings=(silent, slow))
    (own,) = own_findings([made], frozenset({"nova-api"}))
    assert (own.services, own.reasons, own.findings) == (("nova-api",), ("y",), (slow,))
    assert own_findings([made], frozenset()) == [made]
    old = replace(made, findings=())
    assert own_findings([old], frozenset({"nova-api"})) == [old]


def test_signals_say_how_bad_they_are_and_whether_they_go_on() -> None:
    """Judged by event time; of what is over nothing goes on."""
    later = API.joined(crash("b", 200, "nova-scheduler"), START, 256)
    assert [(now.service, now.level, now.goes_on) for now in signals_now(later)] == [
        ("nova-api", Level.ERROR, False),
        ("nova-scheduler", Level.CRITICAL, True),
    ]
    assert not any(now.goes_on for now in signals_now(replace(later, state=IncidentState.RESOLVED)))
    usual = replace(later, signals=tuple(replace(signal, severity=Severity.WARNING) for signal in later.signals))
    assert {now.level for now in signals_now(usual)} == {Level.UNKNOWN}


def test_a_service_counts_from_the_window_that_drew_it_in() -> None:
    """Or from a minute before, where that is not kept any more."""
    both = API.joined(window("b", 200, service="nova-conductor"), START, 256)
    scope = evidence_scope(both, [fired(-30, 0, services=("nova-api",)), fired(170, 200, services=("nova-conductor",))])
    assert scope.joined == {"nova-api": START - 30 * SECOND, "nova-conductor": START + 170 * SECOND}
    assert evidence_scope(both, []).joined == {"nova-api": START - WINDOW_US, "nova-conductor": START + 140 * SECOND}
