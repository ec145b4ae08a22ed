"""One incident: what is known of one fault of one tenant, and its record on ``incidents``."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final, Self

import orjson

from alerts.messages.alert import Alert, Severity, Status
from alerts.messages.anomaly import ODD, Anomaly
from models.errors import InvalidError
from models.rfc3339 import parse_time, time_text

INCIDENT_SCHEMA: Final = "tocsin.incident/2"
LABEL_SCHEMA: Final = "tocsin.label/1"
"""The same fields, of an incident that people voted on, as it was then."""
OLD_SCHEMA: Final = "tocsin.incident/1"

IDS: Final = 64
TEMPLATES: Final = 24
REASONS: Final = 10
SERVICES: Final = 64
PAGES: Final = 64
ORDERS: Final = 32


class IncidentState(StrEnum):
    """Where an incident stands."""

    PENDING = "pending"
    """Weak signals that have told nobody anything; most of them come to nothing."""
    OPEN = "open"
    RESOLVED = "resolved"
    MERGED = "merged"
    """Goes on as part of another."""


@dataclass(frozen=True, slots=True)
class Incident:
    """An episode of a fault.  Times are microseconds: ``seen``, ``since`` by the wall clock, the others by event time.

    ``first`` and ``last`` are the earliest and latest ends of its windows; ``opened`` is the end of the window that
    came first.  With tenant, ``service`` (where it began) and ``kind`` of failure it makes the id.  ``windows`` are the
    newest ids and ``window_services`` their services; ``count`` counts all windows.
    """

    tenant: str
    service: str
    kind: str
    opened: int
    first: int
    last: int
    severity: Severity
    importance: float
    windows: tuple[str, ...]
    window_services: tuple[str, ...]
    count: int
    seen: int
    state: IncidentState = IncidentState.PENDING
    services: tuple[str, ...] = ()
    """Services of its windows, the one where it began first, as far as that is known by now."""
    located: bool = False
    """Whether any window said for sure where it is."""
    witnesses: int = 0
    """The most witnesses that one of its windows had."""
    ids: tuple[str, ...] = ()
    """Requests, instances, ports, volumes that it is about, the newest last."""
    templates: tuple[str, ...] = ()
    """Ids of the templates of telling lines, as they were found."""
    top_templates: tuple[str, ...] = ()
    """The most telling template of each window, each once."""
    reasons: tuple[str, ...] = ()
    last_status: Status | None = None
    """What was published last."""
    published: int = 0
    """``last`` when it was."""
    last_severity: int = 0
    """Severity that was published last."""
    paged: int = 0
    """Highest severity that was a page, or a ticket where the budget was spent; 0: none."""
    pages: tuple[int, ...] = ()
    """Event times of these pages."""
    since: int = 0
    """When it was opened."""
    suppressed: int = 0
    """Windows that would have been told, had somebody not said that the pattern is known."""
    split_off: tuple[str, ...] = ()
    """Services that were split off: their windows belong elsewhere."""
    into: str = ""
    """The incident that it is part of, once merged."""
    ordered: tuple[str, ...] = ()
    """The newest orders that were heeded, or could not be: each is looked at once."""
    diagnosis: Mapping[str, Any] | None = None
    """What it is put down to so far."""

    @property
    def id(self) -> str:
        """Return the id: the same in every run, so that what is sent twice is recognised."""
        return incident_id(self.tenant, self.service, self.opened, self.kind)

    @property
    def resolved(self) -> bool:
        """Say whether it is over."""
        return self.state in {IncidentState.RESOLVED, IncidentState.MERGED}

    @classmethod
    def of(cls, window: Anomaly, now: int) -> Self:
        """Begin with one window."""
        home = window.services[0]
        empty = cls(
            tenant=window.tenant,
            service=home,
            kind=window.kind,
            opened=window.end,
            first=window.end,
            last=window.end,
            severity=Severity.WARNING,
            importance=0.0,
            windows=(),
            window_services=(),
            count=0,
            seen=now,
            services=(home,),
        )
        return empty.joined(window, now, 1)

    def joined(self, window: Anomaly, now: int, limit: int) -> Self:
        """Return it with one more window; at most ``limit`` ids of windows are remembered."""
        home = window.services[0]
        services = self.services
        if window.located:
            # A guess gives way to the first that knows.
            services = _first((*services, home), SERVICES) if self.located else (home,)
        return replace(
            self,
            first=min(self.first, window.end),
            last=max(self.last, window.end),
            importance=max(self.importance, window.importance),
            windows=(*self.windows, window.id)[-limit:],
            window_services=(*self.window_services, home)[-limit:],
            count=self.count + 1,
            seen=now,
            services=services,
            located=self.located or window.located,
            witnesses=max(self.witnesses, window.witnesses),
            ids=_recent((*self.ids, window.key), IDS) if window.session else self.ids,
            templates=_first((*self.templates, *window.templates), TEMPLATES),
            top_templates=_first((*self.top_templates, *window.templates[:1]), TEMPLATES),
            reasons=_first((*self.reasons, *window.reasons), REASONS),
        )

    def alert(self, *, page: bool = False, note: str = "", acknowledged: str = "") -> Alert:
        """Return the alert that tells the state of the incident; ``note`` says why it does not page."""
        return Alert(
            incident_id=self.id,
            episode=time_text(self.opened),
            status=Status.RESOLVED if self.resolved else Status.FIRING,
            severity=self.severity,
            tenant=self.tenant,
            services=self.services,
            summary=self.summary(),
            started=self.opened,
            updated=self.last,
            ended=self.last if self.resolved else None,
            windows=self.windows,
            diagnosis=self.diagnosis,
            kind=self.kind,
            reasons=self.reasons,
            page=page,
            revision=max(1, len(self.pages)),
            importance=self.importance,
            note=note,
            acknowledged=acknowledged,
            templates=self.top_templates,
        )

    def summary(self) -> str:
        """Return one sentence for people."""
        windows = "1 anomalous window" if self.count == 1 else f"{self.count} anomalous windows"
        until = f" until {time_text(self.last)}" if self.count > 1 else ""
        what = f"{self.kind} " if self.kind not in {"", ODD} else ""
        more = f" and {len(self.services) - 1} more" if len(self.services) > 1 else ""
        state = f"merged into {self.into}" if self.into else ("resolved" if self.resolved else "firing")
        # Cut, not rounded: 1.00 is for certainty only.
        peak = int(self.importance * 1000) / 1000
        return (
            f"{what}{'in ' if what else ''}{self.services[0]}{more}: {windows} since {time_text(self.first)}{until}, "
            f"importance up to {peak} ({state})"
        )

    def to_json(self, schema: str = INCIDENT_SCHEMA) -> bytes:
        """Return the record of the compact topic; its key is the id."""
        places = {place: number for number, place in enumerate(dict.fromkeys(self.window_services))}
        return orjson.dumps(
            {
                "schema": schema,
                "incident_id": self.id,
                "state": self.state.value,
                "tenant": self.tenant,
                "service": self.service,
                "kind": self.kind,
                "services": list(self.services),
                "placed": self.located,
                "voices": self.witnesses,
                "opened": time_text(self.opened),
                "first": time_text(self.first),
                "last": time_text(self.last),
                "severity": self.severity.label,
                "importance": self.importance,
                "windows": list(self.windows),
                "places": list(places),
                "homes": [places[home] for home in self.window_services],
                "count": self.count,
                "ids": list(self.ids),
                "templates": list(self.templates),
                "heads": list(self.top_templates),
                "reasons": list(self.reasons),
                "told": None if self.last_status is None else self.last_status.value,
                "published": time_text(self.published),
                "shown": self.last_severity,
                "paged": self.paged,
                "pages": [time_text(page) for page in self.pages],
                "seen": time_text(self.seen),
                "since": time_text(self.since),
                "hushed": self.suppressed,
                "apart": list(self.split_off),
                "into": self.into,
                "ordered": list(self.ordered),
                "diagnosis": self.diagnosis,
            },
        )

    @classmethod
    def from_json(cls, data: bytes | str) -> Self:
        """Read a record of the topic, also of the version before.

        Raises InvalidError when it is none, or of another version.
        """
        try:
            record: dict[str, Any] = orjson.loads(data)
            schema = record["schema"]
            if schema == OLD_SCHEMA:
                record = _from_old(record)
            elif schema != INCIDENT_SCHEMA:
                raise ValueError(f"its schema is not {INCIDENT_SCHEMA}")  # noqa: TRY301 - told with the others
            return cls(
                tenant=record["tenant"],
                service=record["service"],
                kind=record["kind"],
                opened=parse_time(record["opened"]),
                first=parse_time(record["first"]),
                last=parse_time(record["last"]),
                severity=Severity[record["severity"].upper()],
                importance=float(record["importance"]),
                windows=tuple(record["windows"]),
                window_services=tuple(record["places"][number] for number in record["homes"]),
                count=int(record["count"]),
                seen=parse_time(record["seen"]),
                state=IncidentState(record["state"]),
                services=tuple(record["services"]),
                located=bool(record["placed"]),
                witnesses=int(record["voices"]),
                ids=tuple(record["ids"]),
                templates=tuple(record["templates"]),
                top_templates=tuple(record["heads"]),
                reasons=tuple(record["reasons"]),
                last_status=None if record["told"] is None else Status(record["told"]),
                published=parse_time(record["published"]),
                last_severity=int(record["shown"]),
                paged=int(record["paged"]),
                pages=tuple(map(parse_time, record["pages"])),
                since=parse_time(record["since"]),
                suppressed=int(record["hushed"]),
                split_off=tuple(record["apart"]),
                into=record["into"],
                ordered=tuple(record["ordered"]),
                diagnosis=record.get("diagnosis"),
            )
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            raise InvalidError(
                f"not the state of an incident ({type(error).__name__}: {error})", "delete it from the topic"
            ) from error


def _from_old(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record of the first version as one of this: one service, no kind, told at every step."""
    severity = Severity[record["severity"].upper()]
    is_open = record["state"] == "open"
    return record | {
        "service": record["services"][0],
        "kind": "",
        "placed": True,
        "voices": 0,
        "places": record["services"][:1],
        "homes": [0] * len(record["windows"]),
        "ids": [],
        "templates": [],
        "heads": [],
        "reasons": [],
        "told": Status.FIRING if is_open else Status.RESOLVED,
        "shown": int(severity),
        "paged": int(severity),
        "pages": [record["opened"]],
        "since": record["opened"],
        "hushed": 0,
        "apart": [],
        "into": "",
        "ordered": [],
    }


@lru_cache(maxsize=4096)
def incident_id(tenant: str, service: str, opened: int, kind: str = "") -> str:
    """Return 32 hexadecimal digits made from what an episode is; no kind: as the first version made it."""
    name = [tenant, service, time_text(opened)]
    return blake2b(orjson.dumps([*name, kind] if kind else name), digest_size=16).hexdigest()


def _first(names: Iterable[str], limit: int) -> tuple[str, ...]:
    """Return each name once, the first ``limit`` of them."""
    return tuple(dict.fromkeys(names))[:limit]


def _recent(names: tuple[str, ...], limit: int) -> tuple[str, ...]:
    """Return each name once, where it stands last, the last ``limit`` of them."""
    return tuple(dict.fromkeys(reversed(names)))[:limit][::-1]
