"""Alerts full of secrets: one in every text that an alert has."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from alerts.messages.alert import Alert
from tests.index.redaction.planted import Planted
from tests.sink_servers.sample_alerts import enriched, fired

SPREAD = 8
"""Texts beside the lines of evidence that hold secrets."""


def line(number: int, text: str) -> dict[str, Any]:
    """Return a line of evidence as a diagnosis carries it."""
    return {
        "id": f"L{number}",
        "line": 1_000 + number,
        "partition": 3,
        "source": "tocsin.logs.raw",
        "time": "2026-03-02T09:14:07.123Z",
        "service": "nova-compute",
        "host": "compute-3",
        "level": "error",
        "text": text,
        "count": 2,
        "score": 0.5,
        "roles": ["weighs most"],
    }


def telling(texts: Sequence[str], lines: Sequence[str] = (), number: int = 0) -> Alert:
    """Return an alert with a diagnosis that holds ``SPREAD`` texts in its words, and lines of evidence."""
    summary, reason, note, said, cause, claim, moment, action = texts
    diagnosis = {
        "summary": said,
        "cause": cause,
        "confidence": 0.8,
        "service": "nova-compute",
        "services": ["nova-compute", "neutron-server"],
        "evidence": [line(n, text) for n, text in enumerate(lines, 1)],
        "first_bad": "L1",
        "claims": [{"text": claim, "lines": ["L1", "L2"], "verified": True}],
        "timeline": [{"time": "2026-03-02T09:14:07.123Z", "service": "nova-compute", "text": moment, "line": "L1"}],
        "actions": [action],
        "similar": [{"id": "a" * 32, "kind": "incident", "title": f"past: {said}", "score": 0.9}],
        "mode": "llm",
        "model": "claude-haiku-5-5",
        "note": f"noted: {cause}",
        "groundedness": 1.0,
        "twin": "b" * 32,
        "evidence_digest": "c" * 32,
        "cost_usd": 0.01,
        "seconds": 1.5,
    }
    alert = enriched(fired(number))
    return replace(alert, summary=f"nova: {summary}", reasons=(reason,), note=note, diagnosis=diagnosis)


def laden(planted: Sequence[Planted], number: int = 0) -> Alert:
    """Return an alert that holds all these secrets: the first ones in its words, the others in lines of evidence."""
    whole = ["\n".join(secret.texts) for secret in planted[:SPREAD]]
    return telling(whole, [text for secret in planted[SPREAD:] for text in secret.texts], number)
