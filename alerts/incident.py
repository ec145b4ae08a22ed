"""One incident: an episode of anomalous windows of one service, and its record on ``incidents``."""

from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final, Self

import orjson

from alerts.records import Alert, Severity, Status, check_schema
from alerts.times import from_text, to_text
from models.errors import InvalidError

INCIDENT_SCHEMA: Final = "tocsin.incident/1"


@dataclass(frozen=True, slots=True)
class Incident:
    """An episode.  Times are microseconds: ``seen`` by the wall clock, all others by event time.

    ``first`` and ``last`` are the earliest and latest ends of its windows; ``opened`` is the end of the window that
    came first, and makes the id.  ``windows`` are the newest ids, ``count`` counts all windows.
    """

    tenant: str
    services: tuple[str, ...]
    opened: int
    first: int
    last: int
    severity: Severity
    importance: float
    windows: tuple[str, ...]
    count: int
    published: int
    """End of the newest window when an alert was last published."""
    seen: int
    resolved: bool = False

    @property
    def service(self) -> str:
        """Return the service that the incident belongs to."""
        return self.services[0]

    @property
    def id(self) -> str:
        """Return the id: the same in every run, so that what is sent twice is recognised."""
        return incident_id(self.tenant, self.service, self.opened)

    def alert(self) -> Alert:
        """Return the alert that tells the state of the incident."""
        return Alert(
            incident_id=self.id,
            episode=to_text(self.opened),
            status=Status.RESOLVED if self.resolved else Status.FIRING,
            severity=self.severity,
            tenant=self.tenant,
            services=self.services,
            summary=self.summary(),
            started=self.opened,
            updated=self.last,
            ended=self.last if self.resolved else None,
            windows=self.windows,
        )

    def summary(self) -> str:
        """Return one sentence for people."""
        windows = "1 anomalous window" if self.count == 1 else f"{self.count} anomalous windows"
        until = f" until {to_text(self.last)}" if self.count > 1 else ""
        state = "resolved" if self.resolved else "firing"
        # Cut, not rounded: 1.00 is for certainty only.
        peak = int(self.importance * 1000) / 1000
        return f"{self.service}: {windows} since {to_text(self.first)}{until}, importance up to {peak} ({state})"

    def to_json(self) -> bytes:
        """Return the record of the compact topic; its key is the id."""
        return orjson.dumps(
            {
                "schema": INCIDENT_SCHEMA,
                "incident_id": self.id,
                "state": "resolved" if self.resolved else "open",
                "tenant": self.tenant,
                "services": list(self.services),
                "opened": to_text(self.opened),
                "first": to_text(self.first),
                "last": to_text(self.last),
                "severity": self.severity.label,
                "importance": self.importance,
                "windows": list(self.windows),
                "count": self.count,
                "published": to_text(self.published),
                "seen": to_text(self.seen),
            },
        )

    @classmethod
    def from_json(cls, data: bytes | str) -> Self:
        """Read a record of the topic.  Raises InvalidError when it is none, or of another version."""
        try:
            record: dict[str, Any] = orjson.loads(data)
            check_schema(record, INCIDENT_SCHEMA)
            return cls(
                tenant=record["tenant"],
                services=tuple(record["services"]),
                opened=from_text(record["opened"]),
                first=from_text(record["first"]),
                last=from_text(record["last"]),
                severity=Severity[record["severity"].upper()],
                importance=float(record["importance"]),
                windows=tuple(record["windows"]),
                count=int(record["count"]),
                published=from_text(record["published"]),
                seen=from_text(record["seen"]),
                resolved={"open": False, "resolved": True}[record["state"]],
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            msg = f"not the state of an incident ({type(error).__name__}: {error}); delete it from the topic"
            raise InvalidError(msg) from error


def incident_id(tenant: str, service: str, opened: int) -> str:
    """Return 32 hexadecimal digits made from what an episode is."""
    name = orjson.dumps([tenant, service, to_text(opened)])
    return blake2b(name, digest_size=16).hexdigest()
