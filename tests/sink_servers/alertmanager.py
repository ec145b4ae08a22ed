"""Alertmanager's API v2, and a receiver of signed webhooks."""

import re
import time
from datetime import datetime
from typing import Any

import orjson

from alerts.sinks.webhook import verify
from tests.sink_servers.base import Answer, Call, Service

SECRET = "whsec_dG9jc2luLW9ubHktZm9yLXRlc3Rz"  # noqa: S105
_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


class Alertmanager(Service):
    """One member: labels are what an alert is, annotations are replaced, ``endsAt`` says until when it fires."""

    def __init__(self, **options: Any) -> None:
        self.alerts: dict[tuple[tuple[str, str], ...], dict[str, Any]] = {}
        self.refused: list[str] = []
        self.history: dict[tuple[tuple[str, str], ...], list[str]] = {}
        super().__init__(**options)

    def take(self, call: Call) -> Answer:
        """Take alerts, or say that it is there."""
        if call.method == "GET" and call.path in {"/-/healthy", "/api/v2/status"}:
            return Answer(200, b"{}")
        if call.method != "POST" or call.path != "/api/v2/alerts":
            return Answer(404)
        if call.headers.get("content-type") != "application/json":
            return Answer(415)
        for posted in orjson.loads(call.body):
            if wrong := wrong_alert(posted):
                self.refused.append(wrong)
                return Answer(400, orjson.dumps(wrong))
            labels = tuple(sorted(posted["labels"].items()))
            self.alerts[labels] = posted
            self.history.setdefault(labels, []).append(posted["annotations"]["summary"])
        return Answer(200)

    def firing(self, now: float | None = None) -> list[dict[str, Any]]:
        """Return what fires now (seconds since the epoch)."""
        moment = time.time() if now is None else now
        return [alert for alert in list(self.alerts.values()) if _seconds(alert["endsAt"]) > moment]


def wrong_alert(alert: dict[str, Any]) -> str:
    """Return why an alert is refused; "" if it is not."""
    labels = alert.get("labels") or {}
    if not labels or any(not _NAME.fullmatch(name) for name in (*labels, *alert.get("annotations", {}))):
        return "a name of a label is invalid"
    if any(not value for value in labels.values()):
        return "a label is empty"
    if "endsAt" not in alert:
        return "endsAt is missing: it would end by the default, whatever is resent"
    if _seconds(alert["endsAt"]) < _seconds(alert["startsAt"]):
        return "start time must be before end time"
    return ""


class Receiver(Service):
    """Takes signed webhooks, and knows an id that it has seen."""

    def __init__(self, **options: Any) -> None:
        self.seen: dict[str, dict[str, Any]] = {}
        self.arrived: dict[str, float] = {}
        self.repeated = 0
        self.forged = 0
        super().__init__(**options)

    def take(self, call: Call) -> Answer:
        """Take an alert once."""
        if not verify(SECRET, dict(call.headers), call.body, time.time()):
            self.forged += 1
            return Answer(401)
        name = call.headers["webhook-id"]
        self.repeated += name in self.seen
        self.arrived.setdefault(name, time.time())
        self.seen.setdefault(name, orjson.loads(call.body)["alert"])
        return Answer(204)


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
