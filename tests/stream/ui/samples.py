"""Alerts as the topic carries them, with all that a page shows: a diagnosis, signals, hostile lines."""

from dataclasses import replace
from typing import Any, Final

from alerts.messages.alert import Alert, Severity, Status
from models.rfc3339 import SECOND, parse_time, time_text

BEGIN: Final = parse_time("2026-03-03T09:13:15Z")
"""When the sample incident began, in microseconds."""

SCRIPT: Final = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
"""What must never act."""

RTL: Final = "user \u202egpj.exe\u202c says \u05e9\u05dc\u05d5\u05dd"
"""Reads backwards where nothing is done about it."""

CODES: Final = "\x1b[2J\x1b]0;owned\x07cleared\x1b[31m red"
"""What a terminal would obey."""


def line(name: str, text: str, **more: Any) -> dict[str, Any]:
    """Return a line of evidence."""
    return {
        "id": name,
        "line": 40,
        "partition": 0,
        "source": "tocsin.logs.raw",
        "time": time_text(BEGIN),
        "service": "nova-api",
        "host": "c1",
        "level": "error",
        "text": text,
        "count": 1,
        "score": 4.0,
        "roles": ["error"],
    } | more


def diagnosis(*lines: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return a diagnosis with these lines of evidence."""
    return {
        "summary": "The database cannot be reached: {service} failed.",
        "cause": "The database cannot be reached.",
        "confidence": 0.9,
        "service": "nova-api",
        "services": ["nova-api"],
        "evidence": list(lines),
        "first_bad": lines[0]["id"] if lines else None,
        "claims": [
            {"text": "It began in {service}.", "lines": ["L1"], "verified": True},
            {"text": "A deploy may have caused it.", "lines": [], "verified": False},
            {"text": "This one cites what is not there.", "lines": ["L99"], "verified": True},
        ],
        "timeline": [{"time": time_text(BEGIN), "service": "nova-api", "text": "lost connection", "line": "L1"}],
        "actions": ["Ask <USER_1> to look at mysql"],
        "similar": [],
        "mode": "deterministic",
        "model": "",
        "note": "no key",
        "groundedness": 0.5,
        "twin": "",
        "evidence_digest": "",
        "cost_usd": 0.0,
        "seconds": 0.1,
    } | more


def signal(service: str, kind: str, begin: int = 0, end: int = 60, **more: Any) -> dict[str, Any]:
    """Return a signal from ``begin`` to ``end`` seconds after ``BEGIN``."""
    times = {"begin": time_text(BEGIN + begin * SECOND), "end": time_text(BEGIN + end * SECOND)}
    known = {"kind": kind, "severity": "error", "service": service, "host": "c1", "importance": 0.9, "windows": 3}
    return known | times | {"ongoing": True} | more


def alert(number: int = 1, **more: Any) -> Alert:
    """Return an alert of incident ``number``; ``more`` replaces fields."""
    first = Alert(
        incident_id=f"{number:032x}",
        episode=time_text(BEGIN),
        status=Status.FIRING,
        severity=Severity.ERROR,
        tenant="default",
        services=("nova-api", "keystone"),
        summary="nova-api on c1: 80 error lines (usually 0.01). Also affected: keystone. 09:13 UTC, 1 min",
        started=BEGIN,
        updated=BEGIN + 60 * SECOND,
        kind="errors",
        reasons=("80 error lines (usually 0.01)",),
        importance=0.99,
        signals=(signal("nova-api", "errors"), signal("keystone", "values", 20, 40, why="at the same time")),
    )
    return replace(first, **more)
