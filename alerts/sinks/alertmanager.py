"""Alertmanager by its API v2: what is told has to be told again, or it counts as over.

Each member of a cluster is a sink of its own: all are sent every alert, and one that is away holds up no other.  Labels
are what an alert is, so they hold nothing that changes while the incident goes on, and no text of a log: severity,
service and whether it pages are annotations.  What an older version sent under other labels is ended.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from alerts.messages.alert import Alert, Status
from alerts.messages.wording import command
from alerts.sinks.alert_text import clip, defang, diagnosis_lines, headline, now_text, strip_control
from alerts.sinks.base import (
    LAST_DIGEST,
    SYNTHETIC,
    Outcome,
    Rate,
    Remote,
    Request,
    Response,
    Sink,
    digest_of,
    outcome_of,
)
from models.rfc3339 import SECOND, time_text

ALERT_NAME: Final = "TocsinIncident"
SYNTHETIC_NAME: Final = "TocsinSynthetic"
LABEL: Final = 200
"""Characters of a label: a judgement, the values are names."""
ANNOTATION: Final = 4000
"""Characters of an annotation: a judgement, what it is sent on to takes no more."""
MARGIN: Final = 4
"""An alert ends by itself after so many resends that did not come; three at least, or one that is late ends it."""
RATE: Final = Rate(50.0, burst=50)
"""A judgement: Alertmanager states no limit and takes far more."""


@dataclass(frozen=True, slots=True)
class AlertmanagerSink(Sink):
    """One member; ``authorization`` is sent as the header of that name."""

    url: str = field(repr=False)
    name: str = "alertmanager"
    refresh_s: float = 60.0
    repeat_resolved_s: float = 300.0
    authorization: str = field(default="", repr=False)
    rate: Rate = RATE

    def render(self, alert: Alert, remote: Remote, now: float) -> Request | None:
        """Put the alert, and end it under the labels that it had before."""
        digest = digest_of(alert)
        if remote.get(LAST_DIGEST) == digest:
            return None
        resolved = alert.status is Status.RESOLVED
        ended = remote.get("resolved_at") is not None
        paged = alert.page or (bool(remote.get("paged")) and not ended)
        new = _posted(alert, now, paged=paged)
        old: Mapping[str, Any] = remote.get("alert") or {}
        moved = bool(old) and old["labels"] != new["labels"]
        after = {LAST_DIGEST: digest, "alert": new, "resolved_at": now if resolved else None, "paged": paged}
        return self._post([*([_ending(old, now)] if moved and not ended else []), self._timed(after, now)], after)

    def refresh(self, known: Mapping[str, Remote], now: float) -> Request | None:
        """Repeat what fires, and for five minutes what is resolved: a member may have lost its memory."""
        due = [self._timed(remote, now) for remote in known.values() if self._repeated(remote, now)]
        return self._post(due, {}) if due else None

    def headers(self) -> dict[str, str]:
        """Return what every request carries."""
        return {"authorization": self.authorization} if self.authorization else {}

    def classify(self, request: Request, response: Response, remote: Remote) -> Outcome:
        """The status says it all; the body may repeat what was sent."""
        del remote
        return outcome_of(response, request)

    def _repeated(self, remote: Remote, now: float) -> bool:
        if not remote.get("alert"):
            return False
        resolved_at = remote.get("resolved_at")
        return resolved_at is None or now - float(resolved_at) <= self.repeat_resolved_s

    def _timed(self, remote: Remote, now: float) -> Mapping[str, Any]:
        if (resolved_at := remote.get("resolved_at")) is not None:
            return _ending(remote["alert"], float(resolved_at))
        return {**remote["alert"], "endsAt": _text(now + MARGIN * self.refresh_s)}

    def _post(self, alerts: list[Mapping[str, Any]], after: Remote) -> Request:
        headers = {"content-type": "application/json", **self.headers()}
        return Request(self.url.rstrip("/") + "/api/v2/alerts", orjson.dumps(alerts), headers, remote=after)


def _posted(alert: Alert, now: float, *, paged: bool) -> Mapping[str, Any]:
    labels = {
        "alertname": SYNTHETIC_NAME if alert.kind == SYNTHETIC else ALERT_NAME,
        "tenant": alert.tenant,
        "kind": alert.kind,
        "incident": alert.incident_id,
    }
    annotations = {
        "summary": alert.summary,
        "title": headline(alert),
        "severity": "none" if alert.kind == SYNTHETIC else alert.severity.label,
        "page": "true" if paged else "false",
        "service": alert.services[0] if alert.services else "",
        "services": ", ".join(alert.services),
        "episode": alert.episode,
        "now": now_text(alert),
        "command": command(alert.incident_id),
        "note": alert.note,
        "acknowledged": alert.acknowledged,
        "reasons": "\n".join(alert.reasons),
        "diagnosis": "\n".join(diagnosis_lines(alert.diagnosis)),
    }
    # Where Alertmanager sends them on to, they may be read as markup.
    annotations = {name: defang(value) for name, value in annotations.items()}
    annotations |= {f"link_{n}": strip_control(f"{name}: {url}") for n, (name, url) in enumerate(alert.links.items())}
    if runbook := alert.links.get("runbook"):
        annotations["runbook_url"] = strip_control(runbook)
    posted: dict[str, Any] = {
        # An empty label is no label to Alertmanager.
        "labels": {name: clip(strip_control(value), LABEL) for name, value in labels.items() if value},
        "annotations": {name: clip(value, ANNOTATION) for name, value in annotations.items() if value},
        "startsAt": time_text(min(alert.started, int(now * SECOND))),
    }
    if replay := next((url for url in alert.links.values() if url.startswith("http")), ""):
        posted["generatorURL"] = replay
    return posted


def _ending(posted: Mapping[str, Any], seconds: float) -> Mapping[str, Any]:
    return {**posted, "endsAt": _text(seconds)}


def _text(seconds: float) -> str:
    return time_text(int(seconds * SECOND))
