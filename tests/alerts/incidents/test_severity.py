"""How bad an incident is: by what is known of it, not by how unusual it is."""

from dataclasses import replace

import pytest

from alerts.incidents.policy import IncidentPolicy
from alerts.incidents.signal import Signal, signals_of, with_signals
from alerts.messages.alert import Severity
from alerts.messages.anomaly import Anomaly
from models.findings import Finding, FindingKind
from tests.alerts.windows import Role, crash, everything, window

POLICY = IncidentPolicy()
SERVICES = ("nova-api", "nova-conductor", "neutron-server", "cinder-volume")


def severity(*windows: Anomaly) -> Severity:
    """Return how bad it is what some windows tell."""
    return POLICY.severity(signal for made in windows for share in made.shares() for signal in signals_of(share))


@pytest.mark.parametrize(
    ("kind", "severity"),
    [("levels", "error"), ("silence", "error"), ("values", "warning"), ("followups", "warning"), ("rates", "warning")],
)
def test_one_service_that_fails_is_an_error_and_what_is_unusual_a_warning(kind: str, severity: str) -> None:
    """A step that is left out is no catastrophe, however sure that is."""
    (alert,) = Role().take(window("a", 0, 1.0, kind=kind))
    assert alert.severity.label == severity


def test_every_boot_that_fails_is_an_error() -> None:
    """Scheduling fails with a first error, among slow answers: the error decides."""
    failing = Finding(FindingKind.FIRST_ERRORS, service="nova-conductor")
    slow = Finding(FindingKind.SLOW, service="nova-api")
    made = replace(everything("a", 0, 0.8), places=("nova-api@c1", "nova-conductor@c1"), findings=(slow, failing))
    assert severity(made) is Severity.ERROR
    assert severity(replace(made, findings=(slow,))) is Severity.WARNING


def test_refusals_are_a_warning() -> None:
    """Users ask for what they may not have: the cloud works, though the detector of errors reports it."""
    refused = Finding(FindingKind.REFUSALS, service="nova", count=12)
    assert severity(replace(window("a", 0, 1.0, kind="signs"), findings=(refused,))) is Severity.WARNING


def test_a_crash_is_critical_where_it_happened() -> None:
    """Not for another place that the same window found."""
    assert severity(crash("a", 0)) is Severity.CRITICAL
    crashed = Finding(FindingKind.CRITICAL, service="nova-scheduler")
    made = replace(everything("a", 0, 1.0), places=("nova-scheduler@c1", "nova-api@c1"), findings=(crashed,))
    by_service = {signal.service: signal.severity for share in made.shares() for signal in signals_of(share)}
    assert by_service == {"nova-scheduler": Severity.CRITICAL, "nova-api": Severity.WARNING}


def test_errors_of_many_services_are_critical() -> None:
    """A backend that is gone takes many with it; what is merely unusual there rises by a step, too."""
    assert severity(*(window(name, 0, 0.6, name) for name in SERVICES[:3])) is Severity.ERROR
    assert severity(*(window(name, 0, 0.6, name) for name in SERVICES)) is Severity.CRITICAL
    assert severity(*(window(name, 0, 0.6, name, kind="values") for name in SERVICES)) is Severity.ERROR
    beside = [window(name, 0, 0.5, name, kind="values") for name in SERVICES[1:]]
    assert severity(window("a", 0, 1.0, SERVICES[0], kind="values"), *beside) is Severity.WARNING


def test_a_signal_keeps_the_worst_and_carries_it() -> None:
    """Through JSON as well; records of before are read by their kind."""
    (error,), (crashed,) = signals_of(window("a", 0)), signals_of(crash("b", 15))
    (both,) = with_signals((crashed,), (error,))
    assert both.severity is Severity.CRITICAL
    record = both.to_json()
    assert (record["severity"], Signal.from_json(record)) == ("critical", both)
    del record["severity"]
    assert Signal.from_json(record).severity is Severity.ERROR
