"""One incident: what is known of one fault of one tenant, and its record on ``incidents``."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import blake2b
from typing import Annotated, Any, Final, Self

import orjson

from alerts.incidents.kept import IDS, REASONS, SERVICES, TEMPLATES, first_names, strongest
from alerts.incidents.record_forms import (
    INCIDENT_SCHEMA,
    LABEL_SCHEMA,
    OLD_SCHEMA,
    IncidentState,
    from_old,
    packed,
    unpacked,
)
from alerts.incidents.signal import Signal, recent, signals_of, with_signals
from alerts.messages.alert import Alert, Severity, SeverityLabel, Status
from alerts.messages.anomaly import BESIDE, Anomaly
from alerts.messages.backends import INFRASTRUCTURE
from alerts.messages.json_record import JsonForm, JsonName, JsonRecord, Time
from alerts.messages.wording import short_id, title
from models.findings import Finding, FindingKind
from models.rfc3339 import SECOND, time_text

__all__ = ["LABEL_SCHEMA", "OVER", "Incident", "IncidentState", "incident_id"]

OVER: Final = 120 * SECOND
"""Microseconds before the newest window of an incident from which on a signal that was not seen is over: a judgement,
two lengths of a window."""

COMMON: Final = 3
"""Services that name a backend from which on a title says so: a judgement, two may call each other."""

TELLING_KINDS: Final = frozenset({"silence", "errors", "values"})
"""Kinds of trouble that are news beside others: a judgement, the rest mostly follows from these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """An episode of a fault of one tenant; the fields stand in the order of the record on ``incidents``.

    Times are microseconds: ``seen`` and ``since`` by the wall clock, all others by event time.  Tenant, ``service``,
    ``host``, ``kind`` and ``opened`` make the id.
    """

    state: IncidentState = IncidentState.PENDING
    tenant: str
    service: str
    """Where it began; "" where that is unknown."""
    host: str = ""
    """Where it began, as far as that is known."""
    kind: str
    """Kind of failure."""
    services: tuple[str, ...] = ()
    """Services of its windows, the one where it began first, as far as that is known by now."""
    located: Annotated[bool, JsonName("placed")] = False
    """Whether any window said for sure where it is."""
    witnesses: Annotated[int, JsonName("voices")] = 0
    """The most witnesses that one of its windows had."""
    opened: Time
    """End of the window that came first."""
    first: Time
    """Earliest end of its windows."""
    last: Time
    """Latest end of its windows."""
    severity: SeverityLabel
    importance: float
    """The highest of its windows, from 0 to 1."""
    windows: tuple[str, ...]
    """Ids of the newest windows."""
    window_places: tuple[str, ...]
    """The place of each of ``windows``, ``service@host``; JSON packs them as ``places`` and ``homes``."""
    count: int
    """Number of all windows."""
    ids: tuple[str, ...] = ()
    """Requests, instances, ports, volumes that it is about, the newest last."""
    templates: tuple[str, ...] = ()
    """Ids of the templates of telling lines, in the order in which they came."""
    top_templates: Annotated[tuple[str, ...], JsonName("heads")] = ()
    """The most telling template of each window, without repetition."""
    reasons: tuple[str, ...] = ()
    last_status: Annotated[Status | None, JsonName("told")] = None
    """Status that was published last."""
    published: Time = 0
    """``last`` when it was published."""
    last_severity: Annotated[int, JsonName("shown")] = 0
    """Severity that was published last; 0: none."""
    paged: int = 0
    """Highest severity that was a page, or a ticket where the budget was spent; 0: none."""
    pages: tuple[Time, ...] = ()
    """When it paged."""
    seen: Time
    """When its newest window came."""
    since: Time = 0
    """When it was opened."""
    suppressed: Annotated[int, JsonName("hushed")] = 0
    """Windows that were not published because somebody said that the pattern is known."""
    split_off: Annotated[tuple[str, ...], JsonName("apart")] = ()
    """Services that were split off: their windows belong elsewhere."""
    into: str = ""
    """Id of the incident that it is part of, once merged."""
    parts: tuple[str, ...] = ()
    """Ids of the newest incidents that became part of it."""
    ordered: tuple[str, ...] = ()
    """The newest orders that were obeyed, or could not be: each is looked at once."""
    diagnosis: Mapping[str, Any] | None = None
    """What it is put down to so far."""
    findings: Annotated[tuple[Finding, ...], JsonForm(Finding.to_json, lambda record: record)] = ()
    """What detectors report of its windows, those of the most important window first; each subject once."""
    signals: Annotated[tuple[Signal, ...], JsonForm(Signal.to_json, Signal.from_json)] = ()
    """What is wrong where, each with its begin and end and why it belongs here; the first is what it began with."""
    published_news: Annotated[tuple[str, ...], JsonName("heard")] = ()
    """What has been published of its signals, as ``news`` words it."""

    @property
    def id(self) -> str:
        """Return the id: the same in every run, so that what is sent twice is recognised."""
        place = f"{self.service}@{self.host}" if self.host else self.service
        return incident_id(self.tenant, place, self.opened, self.kind)

    @property
    def resolved(self) -> bool:
        """Say whether it is over."""
        return self.state in {IncidentState.RESOLVED, IncidentState.MERGED}

    @property
    def news(self) -> tuple[str, ...]:
        """Return what people should hear of its signals: each place, each kind of trouble, and what is over where.

        Errors and messages that training did not see are one kind: the one mostly comes with the other.
        """
        going_on = {(signal.service, signal.host) for signal in self.signals_since(self.last - OVER)}
        places = {(signal.service, signal.host): "" for signal in self.signals if signal.service}
        kinds = {signal.kind for signal in self.signals if signal.kind in TELLING_KINDS}
        over = [f"over {service}@{host}" for service, host in places if (service, host) not in going_on]
        return (*(f"at {service}@{host}" for service, host in places), *sorted(kinds), *over)

    def signals_since(self, time: int) -> tuple[Signal, ...]:
        """Return the signals that were seen at this time (event time) or later."""
        return tuple(signal for signal in self.signals if signal.last >= time)

    @classmethod
    def of(cls, share: Anomaly, now: int) -> Self:
        """Begin with what one window says of a place."""
        home = share.services[0]
        empty = cls(
            tenant=share.tenant,
            service=home,
            host=share.host,
            kind=share.kind,
            opened=share.end,
            first=share.end,
            last=share.end,
            severity=Severity.WARNING,
            importance=0.0,
            windows=(),
            window_places=(),
            count=0,
            seen=now,
            services=(home,) if home else (),
        )
        return empty.joined(share, now, 1)

    def joined(self, share: Anomaly, now: int, limit: int, why: str = "") -> Self:
        """Return it with one more window, or its share; at most ``limit`` ids of windows are remembered.

        Args:
            share: What the window says of one place.
            now: The wall clock, in microseconds.
            limit: How many ids of windows are remembered.
            why: Why it belongs here.
        """
        # A request goes through services that are well.
        own = share.services[:1] if share.session else share.services
        services = self.services
        if share.located:
            # A guess gives way to the first that knows.
            services = first_names((*services, *own), SERVICES) if self.located else own
        # What would not have fired by itself supports what nobody has heard of; it does not tell that a fault goes on.
        beside = share.importance <= BESIDE and self.state is not IncidentState.PENDING
        return replace(
            self,
            first=min(self.first, share.end),
            last=self.last if beside else max(self.last, share.end),
            importance=max(self.importance, share.importance),
            windows=(*self.windows, share.id)[-limit:],
            window_places=(*self.window_places, share.place)[-limit:],
            count=self.count + 1,
            seen=self.seen if beside else now,
            services=services,
            located=self.located or share.located,
            witnesses=max(self.witnesses, share.witnesses),
            ids=recent((*self.ids, share.key), IDS) if share.session else self.ids,
            templates=first_names((*self.templates, *share.own_templates), TEMPLATES),
            top_templates=first_names((*self.top_templates, *share.templates[:1]), TEMPLATES),
            reasons=first_names((*self.reasons, *share.reasons), REASONS),
            findings=self._findings_with(share),
            signals=with_signals(self.signals, signals_of(share, why)),
        )

    def called_after(self, share: Anomaly, before: "Incident") -> Self:
        """Return it, of which nobody has heard, as it is called once a share that it has joined knows the place.

        Where all ``before`` was only seen in windows whose loudest part is elsewhere, it begins with the share.
        """
        home = share.services[0]
        if before.importance <= BESIDE < share.importance:
            return replace(self, service=home, host=share.host, kind=share.kind, opened=share.end)
        return self if before.located else replace(self, service=home, host=share.host, services=(home,))

    def has(self, share: Anomaly) -> bool:
        """Return whether it already has what the window says of this place."""
        # Most incidents do not have the window at all, which is quicker to see.
        pairs = zip(self.windows, self.window_places, strict=True)
        return share.id in self.windows and (share.id, share.place) in pairs

    def _findings_with(self, window: Anomaly) -> tuple[Finding, ...]:
        home = window.services[0] if window.located else ""
        host = window.host if window.located else ""
        new = tuple(
            finding
            if finding.service or finding.kind is FindingKind.HOST_SILENT
            else replace(finding, service=home, host=finding.host or host)
            for finding in window.findings
        )
        stronger = window.importance > self.importance
        return strongest((*new, *self.findings) if stronger else (*self.findings, *new))

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
            windows=tuple(dict.fromkeys(self.windows)),
            diagnosis=self.diagnosis,
            kind=self.kind,
            reasons=self.reasons,
            page=page,
            revision=max(1, len(self.pages)),
            importance=self.importance,
            note=note,
            acknowledged=acknowledged,
            templates=self.top_templates,
            signals=tuple(signal.to_json(self.going_on_since) for signal in self.signals),
        )

    @property
    def going_on_since(self) -> int:
        """Return the time from which on a signal that was seen goes on; of what is over none does."""
        return self.last + 1 if self.resolved else self.last - OVER

    def summary(self, *, dated: bool = True) -> str:
        """Return its title: what is wrong where, who else is affected; ``dated`` adds since when and for how long."""
        return title(
            services=self.services,
            kind=self.kind,
            findings=self.findings,
            reasons=self.reasons,
            span=(self.first, self.last) if dated else None,
            state=f"merged into {short_id(self.into)}" if self.into else ("resolved" if self.resolved else ""),
            diagnosis=self.diagnosis,
            backend=self._backend(),
        )

    def _backend(self) -> tuple[str, int]:
        """Return the backend that most of its services name, and how many do; what fewer than three name is none.

        As long as it is open, only what they name now counts.
        """
        since = 0 if self.resolved else self.going_on_since
        naming = {
            name: {signal.service for signal in self.signals if name in signal.names_since(since)}
            for name in sorted(INFRASTRUCTURE)
        }
        name, services = max(naming.items(), key=lambda item: len(item[1]))
        return (name, len(services)) if len(services) >= COMMON else ("", 0)

    def to_json(self, schema: str = INCIDENT_SCHEMA) -> bytes:
        """Return the record of the compact topic; its key is the id."""
        record = _RECORD.to_object(self, schema)
        return orjson.dumps({"schema": schema, "incident_id": self.id} | packed(record))

    @classmethod
    def from_json(cls, data: bytes | str) -> "Incident":
        """Read a record of the topic, also of the version before.

        Raises:
            InvalidError: it is no incident, or of another version.
        """
        return _RECORD.from_json(data)


_RECORD: Final = JsonRecord(
    Incident,
    INCIDENT_SCHEMA,
    "not the state of an incident",
    "delete it from the topic",
    {INCIDENT_SCHEMA: unpacked, OLD_SCHEMA: from_old},
)


@lru_cache(maxsize=4096)
def incident_id(tenant: str, service: str, opened: int, kind: str = "") -> str:
    """Return 32 hexadecimal digits made from what an episode is; no kind: as the first version made it."""
    name = [tenant, service, time_text(opened)]
    return blake2b(orjson.dumps([*name, kind] if kind else name), digest_size=16).hexdigest()
