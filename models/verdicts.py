"""Verdicts: their identity and their JSON form."""

import hashlib
from typing import Any

from models.records import Verdict
from models.rfc3339 import time_text


def window_id(tenant: str, kind: str, key: str, start: int) -> str:
    """Return the identity of a window, in hexadecimal: the same in every run and with every bundle.

    ``start`` in microseconds since 1970.
    """
    number = str(start)
    content = f"{len(tenant.encode())}:{tenant}{len(kind)}:{kind}{len(key.encode())}:{key}{len(number)}:{number}"
    return hashlib.blake2b(content.encode(), digest_size=16).hexdigest()


def to_json(verdict: Verdict) -> dict[str, Any]:
    """Return the window object that ``score`` and ``replay`` write and ``anomalies`` carries."""
    services = {"services": list(verdict.services)} if verdict.services else {}
    reasons = {"reasons": list(verdict.reasons)} if verdict.reasons else {}
    findings = {"findings": [finding.to_json() for finding in verdict.findings]} if verdict.findings else {}
    templates = {"templates": list(verdict.templates)} if verdict.templates else {}
    places = {"places": list(verdict.places)} if verdict.places else {}
    return {
        "id": verdict.window_id,
        "tenant": verdict.tenant,
        "key": verdict.key,
        "kind": verdict.kind,
        "start": time_text(verdict.start),
        "end": time_text(verdict.end),
        "events": verdict.events,
        "score": verdict.score,
        "importance": verdict.importance,
        "fired": verdict.fired,
        "state": verdict.state,
        "parts": dict(verdict.parts),
        "lines": [{"partition": line.partition, "offset": line.offset} for line in verdict.lines],
        **services,
        **reasons,
        **findings,
        **templates,
        **places,
    }
