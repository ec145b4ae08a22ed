"""What a bundle tells of some logs, as a review says it, and which incidents of two bundles are the same."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from alerts.incidents.incident import Incident
from models.rfc3339 import DAY, SECOND, parse_time
from stream.review.truth import GRACE

AS_SOON: Final = 15 * SECOND
"""Microseconds by which two are told at the same time: a step of the windows."""


@dataclass(frozen=True, slots=True)
class TroubleSpan:
    """Where and when something was wrong: the first of ``services`` is where it began; times in microseconds."""

    tenant: str
    services: tuple[str, ...]
    first: int
    last: int

    @classmethod
    def of(cls, incident: Incident) -> Self:
        """Return that of an incident."""
        return cls(incident.tenant, incident.services, incident.first, incident.last)

    def is_same(self, other: "TroubleSpan") -> bool:
        """Whether two tell of the same: of one time but for ``GRACE``, and either began where the other had trouble."""
        meets = self.first <= other.last + GRACE and other.first <= self.last + GRACE
        begins = self.services[:1] + other.services[:1]
        return (
            self.tenant == other.tenant
            and meets
            and any(name in self.services and name in other.services for name in begins)
        )


@dataclass(frozen=True, slots=True)
class ToldIncident:
    """An incident that people would have heard of at ``told_at`` (microseconds); ``pages`` is how often it paged."""

    id: str
    episode: TroubleSpan
    told_at: int
    pages: int
    summary: str


@dataclass(frozen=True, slots=True)
class ReviewedLogs:
    """What came of some logs: ``unknown`` is the share of events with a text that the training never saw."""

    incidents: tuple[ToldIncident, ...]
    lines: int
    days: float
    unknown: float
    templates: int = 0
    """How many templates the lines have."""

    @property
    def pages(self) -> int:
        """How often somebody would have been paged."""
        return sum(incident.pages for incident in self.incidents)

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "ReviewedLogs":
        """Read what ``tocsin review --json`` prints."""
        return cls(
            told_incidents(record),
            int(record["lines"]),
            (parse_time(record["to"]) - parse_time(record["from"])) / DAY,
            float(record["unknown"]),
            int(record["templates"]),
        )


def pairs(
    before: Sequence[ToldIncident], after: Iterable[ToldIncident]
) -> Iterator[tuple[ToldIncident | None, ToldIncident | None]]:
    """Yield the incidents of two bundles side by side; None where one tells nothing.

    One incident of one bundle may be several of the other: each of them has it beside it.
    """
    partners: set[str] = set()
    for new in after:
        same = [old for old in before if old.episode.is_same(new.episode)]
        partners.update(old.id for old in same)
        yield min(same, key=lambda old: abs(old.told_at - new.told_at), default=None), new
    yield from ((old, None) for old in before if old.id not in partners)


def told_incidents(record: Mapping[str, Any]) -> tuple[ToldIncident, ...]:
    """Read the incidents that people would have heard of, as ``tocsin review --json`` prints them."""
    alerts: dict[str, list[Mapping[str, Any]]] = {}
    for alert in record["alerts"]:
        alerts.setdefault(alert["incident_id"], []).append(alert)
    return tuple(
        _told(incident, alerts[incident["incident_id"]])
        for incident in record["incidents"]
        if incident["incident_id"] in alerts
    )


def _told(incident: Mapping[str, Any], alerts: Sequence[Mapping[str, Any]]) -> ToldIncident:
    last = max(alerts, key=lambda alert: parse_time(alert["updated"]))
    services = tuple(str(name) for name in incident["services"])
    first, end = parse_time(incident["first"]), parse_time(incident["last"])
    return ToldIncident(
        str(incident["incident_id"]),
        TroubleSpan(str(incident["tenant"]), services, first, end),
        min(parse_time(alert["updated"]) for alert in alerts),
        sum(bool(alert["page"]) for alert in alerts),
        str(last["summary"]),
    )
