"""Alerts of made incidents, state after state."""

from collections.abc import Iterator
from dataclasses import replace
from random import Random

from alerts.incidents.incident import incident_id
from alerts.messages.alert import Alert, Severity, Status
from models.rfc3339 import SECOND, time_text

START = 1_772_500_000 * SECOND
HOSTILE = (
    "<!channel> @here <https://evil.example|click> & `rm -rf` \u202e\x1b[31m @everyone *bold* https://evil.example"
)


def fired(number: int = 0, severity: Severity = Severity.ERROR, opened: int = START) -> Alert:
    """Return the first alert of an incident."""
    service = f"nova-{number}"
    return Alert(
        incident_id=incident_id("default", service, opened),
        episode=time_text(opened),
        status=Status.FIRING,
        severity=severity,
        tenant="default",
        services=(service,),
        summary=f"{service}: state 1, 1 anomalous window",
        started=opened,
        updated=opened,
        windows=(f"window-{number}-1",),
        links={"replay": "https://tocsin.example/replay/1"},
        kind="error burst",
        reasons=(HOSTILE, "templates never seen: 3"),
    )


def diagnosis(text: str = "The pool of connections is exhausted.") -> dict[str, object]:
    """Return a diagnosis as alerts carry it."""
    claims = [
        {"text": text, "lines": ["E1", "E2"], "verified": True},
        {"text": HOSTILE, "lines": [], "verified": False},
    ]
    actions = ["Look at max_pool_size.", "Restart nova-conductor."]
    return {"summary": text, "cause": "QueuePool limit", "confidence": 0.8, "claims": claims, "actions": actions}


def grown(alert: Alert, state: int, severity: Severity | None = None) -> Alert:
    """Return the next state of an incident."""
    updated = alert.updated + 60 * SECOND
    worse = severity is not None and severity > alert.severity
    return replace(
        alert,
        severity=alert.severity if severity is None else severity,
        summary=f"{alert.services[0]}: state {state}, {state} anomalous windows",
        updated=updated,
        page=worse,
        revision=alert.revision + worse,
        windows=(*alert.windows, f"{alert.windows[0]}-{state}"),
    )


def enriched(alert: Alert) -> Alert:
    """Return the state with a diagnosis."""
    return replace(alert, status=Status.ENRICHED, page=False, diagnosis=diagnosis())


def resolved(alert: Alert) -> Alert:
    """Return the last state."""
    return replace(
        alert, status=Status.RESOLVED, page=False, ended=alert.updated, summary=f"{alert.summary} (resolved)"
    )


def life(number: int, rng: Random) -> Iterator[Alert]:
    """Yield the states of one incident: it fires, grows, perhaps gets worse, is diagnosed, ends."""
    severity = rng.choice([Severity.WARNING, Severity.ERROR])
    alert = fired(number, severity)
    yield alert
    alert = grown(alert, 2, rng.choice([severity, severity, Severity.CRITICAL]))
    yield alert
    alert = enriched(grown(alert, 3))
    yield alert
    yield resolved(grown(alert, 4))


def state_of(summary: str) -> int:
    """Return the number of the state that a summary tells."""
    return int(summary.split("state ")[1].split(",", maxsplit=1)[0])
