"""One trouble on several hosts: what all of them wait for, or what took them together."""

from dataclasses import replace

from alerts.messages.anomaly import Anomaly
from models.findings import Finding, FindingKind
from tests.alerts.windows import Role, window

STEP = "Took <*> seconds to deallocate network for instance."


def on(host: str, at: int, finding: FindingKind, template: str = "", service: str = "nova-compute") -> Anomaly:
    """Return a window of a service on a host that fires for a finding."""
    found = Finding(finding, template, service=service, host=host)
    return replace(window(f"{host} {at}", at, service=service), key=f"{service}@{host}", findings=(found,))


def incidents(*windows: Anomaly) -> list[tuple[str, ...]]:
    """Return why each signal of each incident belongs there."""
    role = Role()
    role.take(*windows)
    return [tuple(signal.why for signal in incident.signals) for incident in role.published()]


def test_one_slow_step_on_many_hosts_is_one_incident() -> None:
    """Each says on which host it was seen before; another step, or another service, is another trouble."""
    slow = [on(f"compute-{n}", 15 * n, FindingKind.SLOW, STEP) for n in range(1, 6)]
    (why,) = incidents(*slow)
    assert why == ("", *["the same trouble as on compute-1"] * 4)
    assert len(incidents(*slow, on("compute-9", 90, FindingKind.SLOW, "Took <*> seconds to spawn."))) == 2
    assert len(incidents(*slow, on("compute-9", 90, FindingKind.SLOW, STEP, "cinder-volume"))) == 2


def test_hosts_that_fall_silent_together_are_one_incident() -> None:
    """A rack; one that falls silent long after the others is another."""
    rack = [on(f"compute-{n}", 15 * n, FindingKind.SILENT) for n in range(1, 6)]
    assert len(incidents(*rack)) == 1
    assert len(incidents(*rack, on("compute-9", 15 * 5 + 240, FindingKind.SILENT))) == 2


def test_errors_that_name_no_message_in_common_are_none() -> None:
    """That two hosts write errors says nothing of a common cause."""
    errors = [on(f"compute-{n}", 15 * n, FindingKind.ERRORS) for n in (1, 2)]
    assert len(incidents(*errors)) == 2
