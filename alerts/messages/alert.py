"""The alert: what ``alerts`` carries, and what ``alert.schema.json`` describes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from importlib.resources import files
from typing import Any, Final, Self

import orjson

from models.errors import InvalidError
from models.rfc3339 import parse_time, time_text

ALERT_SCHEMA: Final = "tocsin.alert/1"


class Severity(IntEnum):
    """How bad an incident is, ordered; records carry the name in lower case."""

    WARNING = 1
    ERROR = 2
    CRITICAL = 3

    @property
    def label(self) -> str:
        """Return the name as records carry it."""
        return self.name.lower()


class Status(StrEnum):
    """Why an alert is published."""

    FIRING = "firing"
    ENRICHED = "enriched"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Alert:
    """An incident as it is told to people.  Times are event times in microseconds.

    An alert that is sent twice is equal to the first one; ``windows`` holds ids, the newest last.
    """

    incident_id: str
    episode: str
    """When the episode began, as text; with tenant and service it makes the ``incident_id``."""
    status: Status
    severity: Severity
    tenant: str
    services: tuple[str, ...]
    summary: str
    started: int
    updated: int
    ended: int | None = None
    windows: tuple[str, ...] = ()
    diagnosis: Mapping[str, Any] | None = None
    links: Mapping[str, str] = field(default_factory=dict)
    """What the link shows → URL."""
    receipt: Mapping[str, Any] | None = None
    kind: str = ""
    """What kind of failure: part of what makes an incident; "" where it is not told."""
    reasons: tuple[str, ...] = ()
    """Why the windows fired, in words, the most telling first."""
    page: bool = True
    """Whether it may wake somebody: it is new or worse, nobody has muted it, and the budget of pages is not spent."""
    revision: int = 1
    """Number of the page that this alert is or belongs to; grows each time the incident gets worse."""
    importance: float = 0.0
    """The highest of its windows."""
    note: str = ""
    """Why it does not page, or is over before it is quiet."""
    acknowledged: str = ""
    """Who takes care of it."""
    templates: tuple[str, ...] = ()
    """Ids of the templates that tell most, one or none of each window, each once."""
    schema: str = ALERT_SCHEMA

    def to_json(self) -> bytes:
        """Return the record as it stands on the topic."""
        return orjson.dumps(
            {
                "schema": self.schema,
                "incident_id": self.incident_id,
                "episode": self.episode,
                "status": self.status.value,
                "severity": self.severity.label,
                "tenant": self.tenant,
                "services": list(self.services),
                "summary": self.summary,
                "started": time_text(self.started),
                "updated": time_text(self.updated),
                "ended": None if self.ended is None else time_text(self.ended),
                "windows": list(self.windows),
                "diagnosis": self.diagnosis,
                "links": dict(self.links),
                "receipt": self.receipt,
                "kind": self.kind,
                "reasons": list(self.reasons),
                "page": self.page,
                "revision": self.revision,
                "importance": self.importance,
                "note": self.note,
                "acknowledged": self.acknowledged,
                "templates": list(self.templates),
            },
        )

    @classmethod
    def from_json(cls, data: bytes | str) -> Self:
        """Read a record of the topic.  Raises InvalidError when it is none, or of another version."""
        try:
            record = orjson.loads(data)
            check_schema(record, ALERT_SCHEMA)
            ended = record["ended"]
            return cls(
                incident_id=record["incident_id"],
                episode=record["episode"],
                status=Status(record["status"]),
                severity=Severity[record["severity"].upper()],
                tenant=record["tenant"],
                services=tuple(record["services"]),
                summary=record["summary"],
                started=parse_time(record["started"]),
                updated=parse_time(record["updated"]),
                ended=None if ended is None else parse_time(ended),
                windows=tuple(record["windows"]),
                diagnosis=record["diagnosis"],
                links=record["links"],
                receipt=record["receipt"],
                kind=record.get("kind", ""),
                reasons=tuple(record.get("reasons", ())),
                page=record.get("page", True),
                revision=record.get("revision", 1),
                importance=float(record.get("importance", 0.0)),
                note=record.get("note", ""),
                acknowledged=record.get("acknowledged", ""),
                templates=tuple(record.get("templates", ())),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InvalidError(
                f"not an alert ({type(error).__name__}: {error})", "compare it with alert.schema.json"
            ) from error


def check_schema(record: Any, schema: str) -> None:
    """Raise ValueError unless ``record`` is an object of that schema and version."""
    if not isinstance(record, dict) or record.get("schema") != schema:
        msg = f"its schema is not {schema}"
        raise ValueError(msg)


def alert_schema() -> dict[str, Any]:
    """Return the JSON Schema of an alert, as published."""
    schema: dict[str, Any] = orjson.loads(files("alerts").joinpath("alert.schema.json").read_bytes())
    return schema
