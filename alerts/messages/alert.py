"""The alert: a record of the topic ``alerts``, which ``alert.schema.json`` describes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from importlib.resources import files
from typing import Annotated, Any, Final, TypeAlias

import orjson

from alerts.messages.json_record import JsonForm, JsonRecord, Time

ALERT_SCHEMA: Final = "tocsin.alert/1"


class Severity(IntEnum):
    """How bad an incident is, ordered."""

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


SeverityLabel: TypeAlias = Annotated[
    Severity, JsonForm(lambda severity: severity.label, lambda label: Severity[label.upper()])
]
"""A severity; its name in lower case in JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """The state of an incident as people are shown it.

    Times are event times in microseconds.  An alert that is sent twice is equal to the first one.
    """

    incident_id: str
    episode: str
    """Event time at which the episode began, as text; with tenant, service and kind it makes the ``incident_id``."""
    status: Status
    severity: SeverityLabel
    tenant: str
    services: tuple[str, ...]
    summary: str
    started: Time
    updated: Time
    ended: Time | None = None
    windows: tuple[str, ...] = ()
    """Ids, the newest last."""
    diagnosis: Mapping[str, Any] | None = None
    links: Mapping[str, str] = field(default_factory=dict)
    """What the link shows → URL."""
    receipt: Mapping[str, Any] | None = None
    kind: str = ""
    """What kind of failure: part of what makes an incident; "" where it is not known."""
    reasons: tuple[str, ...] = ()
    """Why the windows fired, in words, the most telling first."""
    page: bool = True
    """Whether it may wake somebody: it is new or worse, nobody has muted it, and the budget of pages is not spent."""
    revision: int = 1
    """Number of the page that this alert is or belongs to; grows each time the incident gets worse."""
    importance: float = 0.0
    """The highest of its windows, from 0 to 1."""
    note: str = ""
    """Why it does not page, or is over before it is quiet."""
    acknowledged: str = ""
    """Who takes care of it."""
    templates: tuple[str, ...] = ()
    """Ids of the most telling templates, at most one of each window, without repetition."""
    signals: tuple[Mapping[str, Any], ...] = ()
    """What is wrong where: kind, service, host, begin, end, whether it goes on, and why it belongs to the incident."""

    def to_json(self) -> bytes:
        """Return the record as it stands on the topic."""
        return _RECORD.to_json(self)

    @classmethod
    def from_json(cls, data: bytes | str) -> "Alert":
        """Read a record of the topic.

        Raises:
            InvalidError: it is no alert, or of another version.
        """
        return _RECORD.from_json(data)


_RECORD: Final = JsonRecord(Alert, ALERT_SCHEMA, "not an alert", "compare it with alert.schema.json")


def alert_schema() -> dict[str, Any]:
    """Return the JSON Schema of an alert, as published."""
    schema: dict[str, Any] = orjson.loads(files("alerts").joinpath("alert.schema.json").read_bytes())
    return schema
