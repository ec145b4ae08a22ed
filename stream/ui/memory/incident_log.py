"""One incident as the page keeps it: its newest alert packed, and of the others what a timeline needs."""

import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from sys import intern
from typing import Any, Final

import orjson

from alerts.incidents.annotations import Annotations
from alerts.messages.alert import Alert, Severity, Status
from alerts.messages.delivery_receipt import DeliveryReceipt
from alerts.messages.wording import kind_name, place_text
from models.rfc3339 import parse_time

STEPS: Final = 100
"""Steps of a timeline, and receipts, that are kept of one incident, the newest: a judgement.  The topics keep all."""

_DATED: Final = re.compile(r"\. \d\d:\d\d UTC(?:, [^.`]*)?$")
"""The time at the end of a title, which has a column of its own on a page."""


@dataclass(frozen=True, slots=True)
class SignalSpan:
    """When a signal was seen in a service, in microseconds, and how important it was, 0 to 1."""

    service: str
    begin: int
    end: int
    importance: float

    @classmethod
    def of(cls, signal: Mapping[str, Any]) -> "SignalSpan":
        """Return the span of a signal of an alert."""
        begin, end = parse_time(str(signal["begin"])), parse_time(str(signal["end"]))
        return cls(intern(str(signal.get("service", ""))), begin, end, float(signal.get("importance", 0.5)))


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentHead:
    """What a list shows of an incident; times in microseconds by the clock of the lines."""

    id: str
    tenant: str
    title: str
    status: Status
    severity: Severity
    services: tuple[str, ...]
    kind: str
    started: int
    updated: int
    ended: int | None
    confidence: float | None
    """Of the diagnosis, 0 to 1; None where there is none yet."""
    importance: float
    going_on: tuple[str, ...]
    """Places where something goes on."""
    note: str
    acknowledged: str
    spans: tuple["SignalSpan", ...]
    """When its signals were where."""
    templates: tuple[str, ...]
    """Ids of its most telling templates."""

    @property
    def is_open(self) -> bool:
        """Return whether it goes on."""
        return self.status is not Status.RESOLVED

    @property
    def end(self) -> int:
        """Return when it was seen last."""
        return self.ended or self.updated

    @classmethod
    def of(cls, alert: Alert) -> "IncidentHead":
        """Return the head of the incident that an alert tells of."""
        diagnosis = alert.diagnosis
        return cls(
            id=alert.incident_id,
            tenant=alert.tenant,
            title=_DATED.sub("", alert.summary),
            status=alert.status,
            severity=alert.severity,
            services=alert.services,
            kind=alert.kind,
            started=alert.started,
            updated=alert.updated,
            ended=alert.ended,
            confidence=float(diagnosis.get("confidence") or 0.0) if diagnosis else None,
            importance=alert.importance,
            going_on=tuple(dict.fromkeys(place_of(signal) for signal in alert.signals if signal.get("ongoing"))),
            note=alert.note,
            acknowledged=alert.acknowledged,
            spans=tuple(SignalSpan.of(signal) for signal in alert.signals),
            templates=tuple(map(intern, alert.templates)),
        )


@dataclass(frozen=True, slots=True)
class TimelineStep:
    """One alert on the timeline of its incident; ``news`` says in words what it brought."""

    time: int
    status: Status
    severity: Severity
    page: bool
    news: tuple[str, ...]


@dataclass(slots=True)
class IncidentLog:
    """All that is kept of one incident."""

    head: IncidentHead
    alert: bytes
    """The newest alert, compressed."""
    state: bytes = b""
    """Its record on ``incidents``, compressed; empty where there is none."""
    steps: list[TimelineStep] = field(default_factory=list)

    @classmethod
    def begin(cls, alert: Alert) -> "IncidentLog":
        """Return the log of an incident whose first alert this is."""
        log = cls(IncidentHead.of(alert), pack(alert.to_json()))
        log.steps.append(_step(None, alert))
        return log

    def add(self, alert: Alert) -> None:
        """Take the next alert; one that is older than the newest step comes from a topic that was written anew."""
        self.steps.append(_step(self.newest(), alert))
        del self.steps[:-STEPS]
        self.head = IncidentHead.of(alert)
        self.alert = pack(alert.to_json())

    def newest(self) -> Alert:
        """Return the newest alert."""
        return Alert.from_json(zlib.decompress(self.alert))

    def findings(self) -> list[Mapping[str, Any]]:
        """Return what detectors report of its windows, as its record on ``incidents`` has it."""
        if not self.state:
            return []
        findings = orjson.loads(zlib.decompress(self.state)).get("findings")
        return list(findings) if isinstance(findings, list) else []


@dataclass(frozen=True, slots=True)
class Said:
    """What people and sinks said of an incident."""

    annotations: Annotations = field(default_factory=Annotations)
    orders: tuple[str, ...] = ()
    receipts: tuple[DeliveryReceipt, ...] = ()


def place_of(signal: Mapping[str, Any]) -> str:
    """Return where a signal is, in words."""
    return place_text(str(signal.get("service", "")), str(signal.get("host", "")))


def pack(data: bytes) -> bytes:
    """Return a record compressed: five times smaller, in a tenth of a millisecond (``tests/bench/bench_ui.py``)."""
    return zlib.compress(data, 1)


def _step(before: Alert | None, alert: Alert) -> TimelineStep:
    return TimelineStep(alert.updated, alert.status, alert.severity, alert.page, tuple(_news(before, alert)))


def _news(before: Alert | None, alert: Alert) -> list[str]:
    """Return in words what an alert says that the one before did not."""
    if before is None:
        return [f"opened: {kind_name(alert.kind).lower()}" if alert.kind else "opened"]
    news = []
    if before.status is Status.RESOLVED and alert.status is not Status.RESOLVED:
        news.append("came back")
    if alert.severity > before.severity:
        news.append(f"{before.severity.label} became {alert.severity.label}")
    if added := [name for name in alert.services if name not in before.services]:
        news.append(f"also {_some(added)}")
    known = {_key(signal) for signal in before.signals}
    kinds = dict.fromkeys(
        f"{kind_name(str(signal['kind'])).lower()} in {place_of(signal)}"
        for signal in alert.signals
        if _key(signal) not in known and signal.get("service") in before.services
    )
    news += list(kinds)[:2]
    if over := _over(before, alert):
        news.append(f"back to normal: {_some(over)}")
    if _cause(alert) != _cause(before):
        news.append("diagnosis" if not _cause(before) else "new diagnosis")
    if alert.acknowledged != before.acknowledged:
        news.append(f"taken by {alert.acknowledged}" if alert.acknowledged else "given back")
    if alert.note and alert.note != before.note:
        news.append(alert.note)
    if alert.status is Status.RESOLVED:
        news.append("resolved")
    return news or ["update"]


def _key(signal: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    return signal.get("service"), signal.get("host"), signal.get("kind")


def _over(before: Alert, alert: Alert) -> list[str]:
    """Return the places where something went on before and nothing does now, while the incident goes on."""
    if alert.status is Status.RESOLVED:
        return []
    now = {place_of(signal) for signal in alert.signals if signal.get("ongoing")}
    return list(dict.fromkeys(p for s in before.signals if s.get("ongoing") and (p := place_of(s)) not in now))


def _cause(alert: Alert) -> str:
    return str((alert.diagnosis or {}).get("cause") or "")


def _some(names: list[str]) -> str:
    """Return names in words, the first three."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""  # noqa: PLR2004 - three, as the docstring says
    return ", ".join(names[:3]) + more
