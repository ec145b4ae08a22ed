"""PagerDuty by Events v2: a dedup key for each page of an incident.

An incident that someone has acknowledged does not call again under its key; one that has got worse must, so it gets a
new one, and the old one is ended.  What may wake nobody has the lowest severity.  Changes, and the test alert, are
change events, which never call anyone.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import orjson

from alerts.messages.alert import Alert, Severity, Status
from alerts.messages.wording import UNKNOWN_SERVICE
from alerts.sinks.alert_text import clip, defang, diagnosis_lines, strip_control, summary_fields
from alerts.sinks.base import (
    CHANGE,
    LAST_DIGEST,
    SYNTHETIC,
    Delivered,
    Feed,
    GivenUp,
    Outcome,
    Rate,
    Remote,
    Request,
    Response,
    Sink,
    clean,
    digest_of,
    outcome_of,
)
from models.rfc3339 import time_text

SUMMARY: Final = 1024
"""Characters of a summary, as PagerDuty documents."""
KEY: Final = 255
"""Characters of a dedup key, as PagerDuty documents; taken for other short fields, too."""
LINKS: Final = 20
"""Links of an event: a judgement."""
KEY_LENGTH: Final = 32
"""Characters of a routing key."""
BODY: Final = 500_000
"""Bytes, below the 512 kB that the service takes."""

_NAMES: Final = {Severity.WARNING: "warning", Severity.ERROR: "error", Severity.CRITICAL: "critical"}
DEFAULT_URL: Final = "https://events.pagerduty.com"
RATE: Final = Rate(92 / 60, burst=18)
"""120 events in any 60 seconds are allowed for a key: a burst and what follows it, of alerts and changes together."""
CHANGES_RATE: Final = Rate(9 / 60)
"""What ``RATE`` leaves of the 120."""


@dataclass(frozen=True, slots=True)
class PagerDutySink(Sink):
    """``url`` is the region's host (EU: https://events.eu.pagerduty.com); a path behind it is taken off."""

    routing_key: str = field(repr=False)
    url: str = DEFAULT_URL
    name: str = "pagerduty"
    rate: Rate = RATE

    def feeds(self) -> Mapping[Feed, Sink]:
        """Return this sink for the alerts, and one of the same key for the changes, which wait for no alert."""
        return {Feed.ALERTS: self, Feed.CHANGES: replace(self, name=f"{self.name}.changes", rate=CHANGES_RATE)}

    def render(self, alert: Alert, remote: Remote, now: float) -> Request | None:
        """Trigger, escalate under a new key, or resolve every key that is open, one event a step."""
        del now
        digest = digest_of(alert)
        if alert.kind in {SYNTHETIC, CHANGE}:
            return None if remote.get(LAST_DIGEST) == digest else self._change(alert, digest)
        keys: list[str] = list(remote.get("keys", ()))
        if alert.status is Status.RESOLVED:
            return self._end(alert, digest, keys, remote)
        if remote.get(LAST_DIGEST) != digest:
            return self._trigger_or_escalate(alert, digest, keys, remote)
        if len(keys) > 1:
            # What was opened under an older key is one and the same incident.
            return self._event(_closing("resolve", keys[0]), "resolve", {**remote, "keys": keys[1:]})
        if alert.acknowledged and keys and not remote.get("acknowledged"):
            after = {**remote, "acknowledged": alert.acknowledged}
            return self._event(_closing("acknowledge", keys[0]), "acknowledge", after)
        return None

    def _trigger_or_escalate(self, alert: Alert, digest: str, keys: list[str], remote: Remote) -> Request:
        louder = _louder(alert, remote)
        used = dedup_key(alert) if louder or not keys else keys[-1]
        loud = alert.page or (bool(keys) and bool(remote.get("paged")))
        after = {
            LAST_DIGEST: digest,
            "keys": [*(key for key in keys if key != used), used],
            "revision": alert.revision,
            "paged": loud,
            "acknowledged": "" if louder else remote.get("acknowledged", ""),
        }
        return self._trigger(alert, after, _NAMES[alert.severity] if loud else "info")

    def _end(self, alert: Alert, digest: str, keys: list[str], remote: Remote) -> Request | None:
        if remote.get("unsure") or (not keys and remote.get(LAST_DIGEST) != digest):
            # Over before it could be sent: kept in the service's history, and calls nobody.
            return self._trigger(alert, {LAST_DIGEST: digest, "keys": keys or [dedup_key(alert)]}, "info")
        if not keys:
            return None
        return self._event(_closing("resolve", keys[0]), "resolve", {LAST_DIGEST: digest, "keys": keys[1:]})

    def classify(self, request: Request, response: Response, remote: Remote) -> Outcome:
        """202 is taken; 400 is never tried again."""
        del remote
        outcome = outcome_of(response, request, detail=self._errors_of(response))
        if isinstance(outcome, Delivered) and response.status != 202:  # noqa: PLR2004 - what PagerDuty documents
            return GivenUp(f"{response.status} instead of 202; see that the URL is PagerDuty's", mendable=True)
        return outcome

    def _trigger(self, alert: Alert, after: Remote, severity: str) -> Request:
        event: dict[str, Any] = {
            "event_action": "trigger",
            "dedup_key": after["keys"][-1],
            "client": "Tocsin",
            "payload": {
                "summary": clip(defang(alert.summary), SUMMARY),
                "source": clip(strip_control(f"{alert.tenant}/{_first_service(alert)}"), KEY),
                "severity": severity,
                "timestamp": time_text(alert.started),
                "component": clip(strip_control(_first_service(alert)), KEY),
                "group": clip(strip_control(alert.tenant), KEY),
                "class": clip(strip_control(alert.kind or "anomaly"), KEY),
                "custom_details": _details(alert),
            },
            "links": [
                {"href": url, "text": clip(strip_control(name), KEY)}
                for name, url in list(alert.links.items())[:LINKS]
                if url.startswith(("https://", "http://"))
            ],
        }
        if len(orjson.dumps(event)) > BODY:
            # What stays says where to look; a message that is refused says nothing.
            event["payload"]["custom_details"] = summary_fields(alert)
        # An answer that is lost may stand for an open key: it has to be ended with the others, whatever comes between.
        return replace(self._event(event, "trigger", after), remote_if_lost={**after, LAST_DIGEST: "", "unsure": True})

    def _change(self, alert: Alert, digest: str) -> Request:
        payload = {
            "summary": clip(defang(alert.summary), SUMMARY),
            "source": clip(strip_control(_first_service(alert)), KEY),
            "timestamp": time_text(alert.updated),
        }
        return self._post("/v2/change/enqueue", {"payload": payload}, "change", {LAST_DIGEST: digest})

    def _event(self, event: dict[str, Any], step: str, after: Remote) -> Request:
        return self._post("/v2/enqueue", event, step, after)

    def _post(self, path: str, event: dict[str, Any], step: str, after: Remote) -> Request:
        body = orjson.dumps({"routing_key": self.routing_key, **event})
        return Request(base_of(self.url) + path, body, {"content-type": "application/json"}, step=step, remote=after)

    def _errors_of(self, response: Response) -> str:
        try:
            answer = orjson.loads(response.body)
            errors = answer.get("errors") or [answer.get("message", "")]
        except (orjson.JSONDecodeError, AttributeError):
            return ""
        return clean("; ".join(map(str, errors)), (self.routing_key,))


def dedup_key(alert: Alert) -> str:
    """Return the key of a page: the id stands for tenant, service and episode."""
    kind = "page" if alert.page else "ticket"
    return clip(f"tocsin/{alert.incident_id}/{alert.episode}/{kind}-{alert.revision}", KEY)


def base_of(url: str) -> str:
    """Return scheme and host of a URL that may carry the path of an endpoint."""
    return re.sub(r"(?<=[^/:])/.*$", "", url)


def _louder(alert: Alert, remote: Remote) -> bool:
    """Say whether it has to call, and has not yet."""
    return alert.page and (alert.revision > int(remote.get("revision", 0)) or not remote.get("paged"))


def _closing(action: str, key: str) -> dict[str, Any]:
    return {"event_action": action, "dedup_key": key}


def _details(alert: Alert) -> dict[str, Any]:
    return {
        **{name: defang(value) for name, value in summary_fields(alert).items()},
        "Reasons": [defang(reason) for reason in alert.reasons],
        "Diagnosis": [defang(line) for line in diagnosis_lines(alert.diagnosis)],
    }


def _first_service(alert: Alert) -> str:
    return alert.services[0] if alert.services else UNKNOWN_SERVICE
