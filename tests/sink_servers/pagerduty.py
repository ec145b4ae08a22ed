"""PagerDuty's Events API v2, as it is documented."""

from dataclasses import dataclass, field
from typing import Any

import orjson

from tests.sink_servers.base import Answer, Call, Limit, Service

KEY = "0123456789abcdef0123456789abcdef"


@dataclass(slots=True)
class Page:
    """One incident of PagerDuty: it began with a trigger under its key, and ends with a resolve."""

    key: str
    events: list[dict[str, Any]] = field(default_factory=list)
    acknowledged: bool = False
    resolved: bool = False


class PagerDuty(Service):
    """One service: 120 events in any minute, 202 for what is taken, 400 for what is wrong."""

    def __init__(self, **options: Any) -> None:
        self.pages: list[Page] = []
        self.changes: list[dict[str, Any]] = []
        self.log: list[dict[str, Any]] = []
        self.dropped: list[dict[str, Any]] = []
        self.refused: list[bytes] = []
        self.limit = Limit(120, 60.0)
        super().__init__(**options)

    def take(self, call: Call) -> Answer:
        """Take an event or a change."""
        if call.method != "POST" or call.path not in {"/v2/enqueue", "/v2/change/enqueue"}:
            return Answer(404, b"")
        if self.limit.wait(call.at):
            return Answer(429, b'{"message":"Too many requests"}')
        event = orjson.loads(call.body)
        change = call.path == "/v2/change/enqueue"
        errors = wrong_change(event) if change else wrong_event(event)
        if len(call.body) > 512 * 1024:
            errors.append("payload is too large")
        if errors:
            self.refused.append(call.body)
            body = {"status": "invalid event", "message": "Event object is invalid", "errors": errors}
            return Answer(400, orjson.dumps(body))
        if change:
            self.changes.append(event)
        else:
            self._apply(event)
        return Answer(202, b'{"status":"success","message":"Event processed"}')

    def opened(self, key: str) -> Page | None:
        """Return the incident that is open under a key."""
        return next((page for page in self.pages if page.key == key and not page.resolved), None)

    def _apply(self, event: dict[str, Any]) -> None:
        self.log.append(event)
        page = self.opened(event["dedup_key"])
        match event["event_action"]:
            case "trigger":
                if page is None:
                    page = Page(event["dedup_key"])
                    self.pages.append(page)
                page.events.append(event)
            case _ if page is None:
                self.dropped.append(event)
            case "acknowledge":
                page.acknowledged = True
                page.events.append(event)
            case _:
                page.resolved = True
                page.events.append(event)


def wrong_event(event: dict[str, Any]) -> list[str]:
    """Return what the service finds wrong."""
    errors = _wrong_key(event)
    if event.get("event_action") not in {"trigger", "acknowledge", "resolve"}:
        errors.append("'event_action' is not valid")
    # Without a key each event would be an incident that nobody can end: allowed there, a mistake here.
    if not 0 < len(event.get("dedup_key", "")) <= 255:
        errors.append("'dedup_key' is missing or longer than 255")
    if event.get("event_action") != "trigger":
        return errors
    payload = event.get("payload", {})
    if not 0 < len(payload.get("summary", "")) <= 1024:
        errors.append("'payload.summary' is missing or longer than 1024")
    if not payload.get("source"):
        errors.append("'payload.source' is missing or blank")
    if payload.get("severity") not in {"critical", "error", "warning", "info"}:
        errors.append("'payload.severity' is invalid")
    return errors


def wrong_change(event: dict[str, Any]) -> list[str]:
    """Return what the service finds wrong with a change."""
    summary = event.get("payload", {}).get("summary", "")
    return _wrong_key(event) + ([] if 0 < len(summary) <= 1024 else ["'payload.summary' is missing"])


def _wrong_key(event: dict[str, Any]) -> list[str]:
    if len(event.get("routing_key", "")) != 32:
        return ["Length of 'routing_key' is incorrect (should be 32 characters)"]
    return [] if event["routing_key"] == KEY else ["Invalid routing key"]
