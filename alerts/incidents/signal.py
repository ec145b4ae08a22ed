"""Signals: what a window that fired says of one place, one for each kind of trouble there."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Self

from alerts.messages.alert import Severity
from alerts.messages.anomaly import BESIDE, KIND_OF_FINDING, Anomaly
from models.findings import FindingKind
from models.rfc3339 import SECOND, parse_time, time_text

SIGNALS: Final = 96
"""Signals of an incident that are kept, the first ones: a judgement, a backend that thirty services need makes some 90,
and a record with them has 25 kB."""

LEADING: Final = ("silence", "errors", "values", "novelty")
"""Kinds of trouble that stand for themselves, the most telling first: a judgement."""

KINDS_OF_A_WINDOW: Final = 3
"""Kinds of trouble that one window reports of a place, at most: a judgement, its first findings weigh most."""

MESSAGES: Final = 8
"""Templates of a signal that are kept, the newest: a judgement.  Windows that follow one another share most of their
lines, so that those of the newest are enough to tell whether it goes on."""

NAMED_FOR: Final = 120 * SECOND
"""Microseconds for which a signal is about what its messages have named: a judgement, two lengths of a window."""

FAILING: Final = frozenset({"errors", "silence"})
"""Kinds of trouble by which a service fails, as far as is known: a judgement; others say that it is unusual."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """One kind of trouble at one place; times are event times in microseconds."""

    service: str = ""
    """"" where it is unknown."""
    host: str = ""
    kind: str
    about: str = ""
    """Masked text of the message that it is about, "" where it has none."""
    names: tuple[str, ...] = ()
    """Backends and projects that its messages name, such as ``RabbitMQ`` or ``keystone``."""
    named: int = 0
    """When its messages named them last."""
    templates: tuple[str, ...] = ()
    """Ids of the templates of its unusual messages, the newest last: what does not write one of them is another."""
    severity: Severity = Severity.WARNING
    """How bad it is by what is known of it, however unusual."""
    first: int
    last: int
    importance: float
    count: int = 1
    """Number of windows."""
    why: str = ""
    """Why it belongs to its incident, in words; "" of the signal that the incident began with."""

    def names_since(self, time: int) -> tuple[str, ...]:
        """Return what its messages name, if they have done so at this time (event time) or later."""
        return self.names if self.named >= time else ()

    def to_json(self, until: int | None = None) -> dict[str, Any]:
        """Return it as a JSON object; ``until`` adds whether it goes on, that is, was seen since that time."""
        fields = {"service": self.service, "host": self.host, "about": self.about, "why": self.why}
        return {
            "kind": self.kind,
            "severity": self.severity.label,
            **{name: text for name, text in fields.items() if text},
            **({"names": list(self.names)} if self.names else {}),
            # What people read does not need it.
            **({"named": time_text(self.named)} if self.named and until is None else {}),
            **({"templates": list(self.templates)} if self.templates and until is None else {}),
            "begin": time_text(self.first),
            "end": time_text(self.last),
            "importance": self.importance,
            "windows": self.count,
            **({} if until is None else {"ongoing": self.last >= until}),
        }

    @classmethod
    def from_json(cls, record: Any) -> Self:
        """Read what ``to_json`` returned.

        Raises:
            KeyError, TypeError, ValueError: it is no signal.
        """
        kind = str(record["kind"])
        # Records of versions before do not have it.
        label = record.get("severity") or _severity_of(kind).label
        return cls(
            service=str(record.get("service", "")),
            host=str(record.get("host", "")),
            kind=kind,
            severity=Severity[str(label).upper()],
            about=str(record.get("about", "")),
            names=tuple(map(str, record.get("names", ()))),
            named=parse_time(record.get("named") or record["end"]) if record.get("names") else 0,
            templates=tuple(map(str, record.get("templates", ()))),
            first=parse_time(record["begin"]),
            last=parse_time(record["end"]),
            importance=float(record["importance"]),
            count=int(record["windows"]),
            why=str(record.get("why", "")),
        )


def signals_of(share: Anomaly, why: str = "") -> tuple[Signal, ...]:
    """Return the signals of a window's share, that is, of what it says of one place."""
    about: dict[str, str] = {}
    crashed = set()
    for finding in share.findings:
        if kind := KIND_OF_FINDING.get(finding.kind):
            about.setdefault(kind, finding.template)
            if finding.kind is FindingKind.CRITICAL:
                crashed.add(finding.service)
    # What stands for itself leads: who is silent also misses steps, and the reverse is not so.
    kinds = sorted(about, key=lambda kind: LEADING.index(kind) if kind in LEADING else len(LEADING)) or [share.kind]
    return tuple(
        Signal(
            service=service,
            host=host,
            kind=kind,
            about=about.get(kind, ""),
            names=tuple(sorted(share.names)),
            named=share.end if share.names else 0,
            templates=share.own_templates[:MESSAGES],
            severity=Severity.CRITICAL if kind == "errors" and crashed & {service, ""} else _severity_of(kind),
            first=share.end,
            last=share.end,
            importance=share.importance,
            why=why,
        )
        for service, host in share.hosts or (("", ""),)
        for kind in kinds[:KINDS_OF_A_WINDOW]
    )


def with_signals(known: Iterable[Signal], new: Iterable[Signal]) -> tuple[Signal, ...]:
    """Return the signals of an incident with more of them; what is new at the same place and of its kind extends it.

    A host that is unknown is taken for one that is known: a window over everything does not always name it.
    """
    signals = list(known)
    for signal in new:
        number = next((n for n, before in enumerate(signals) if _is_same(before, signal)), None)
        if number is not None:
            before = signals[number]
            signals[number] = replace(
                before,
                host=before.host or signal.host,
                about=before.about or signal.about,
                names=tuple(sorted({*before.names_since(signal.first - NAMED_FOR), *signal.names})) or before.names,
                named=max(before.named, signal.named),
                templates=recent((*before.templates, *signal.templates), MESSAGES),
                severity=max(before.severity, signal.severity),
                first=min(before.first, signal.first),
                # What would not have fired by itself does not tell that it goes on.
                last=max(before.last, signal.last) if signal.importance > BESIDE else before.last,
                importance=max(before.importance, signal.importance),
                count=before.count + signal.count,
            )
        elif len(signals) < SIGNALS:
            signals.append(signal)
    return tuple(signals)


def worst_of(signals: Iterable[Signal], wide_from: int) -> Severity:
    """Return how bad it is what some signals tell: the worst of them, and one step more where many services show it.

    What is merely unusual counts for many services only where it would have fired by itself.

    Args:
        signals: What is wrong.
        wide_from: How many services are many.
    """
    counted = [signal for signal in signals if signal.severity > Severity.WARNING or signal.importance > BESIDE]
    worst = max((signal.severity for signal in counted), default=Severity.WARNING)
    services = {signal.service for signal in counted if signal.severity is worst}
    return Severity(min(worst + (len(services) >= wide_from), Severity.CRITICAL))


def recent(names: Sequence[str], limit: int) -> tuple[str, ...]:
    """Return each name once, where it stands last, the last ``limit`` of them."""
    return tuple(dict.fromkeys(reversed(names)))[:limit][::-1]


def _severity_of(kind: str) -> Severity:
    return Severity.ERROR if kind in FAILING else Severity.WARNING


def _is_same(one: Signal, other: Signal) -> bool:
    same_host = one.host == other.host or not (one.host and other.host)
    return (one.service, one.kind) == (other.service, other.kind) and same_host
