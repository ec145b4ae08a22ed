"""An anomalous window as grouping sees it: the few fields of a record of ``anomalies`` that decide."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Self

import orjson

from alerts.messages.backends import INFRASTRUCTURE
from models.errors import InvalidError
from models.findings import SILENCES, Finding, FindingKind, findings_from_json
from models.records import ALL_SOURCES
from models.rfc3339 import parse_time

_SESSION: Final = "session"

KINDS: Final[Mapping[str, str]] = {
    "silence": "silence",
    "signs": "errors",
    "levels": "errors",
    "values": "values",
    "followups": "missing",
    "novelty": "novelty",
    "transitions": "order",
    "rates": "rate",
    "lstm": "sequence",
    "counts": "rate",
    "sets": "rate",
}
"""Detector → kind of failure; of two that are equally strong, the first is taken.

``onset`` is not among them: ``levels`` counts the same error."""

KIND_OF_FINDING: Final[Mapping[FindingKind, str]] = {
    FindingKind.SILENT: "silence",
    FindingKind.HOST_SILENT: "silence",
    FindingKind.CRITICAL: "errors",
    FindingKind.ERRORS: "errors",
    FindingKind.FIRST_ERRORS: "errors",
    FindingKind.RESTARTS: "errors",
    FindingKind.NEW_MESSAGE: "novelty",
    FindingKind.NEW_HERE: "novelty",
    FindingKind.SLOW: "values",
    FindingKind.REFUSED: "values",
    FindingKind.REFUSALS: "values",
    FindingKind.LARGE_VALUE: "values",
    FindingKind.MISSING_FOLLOW_UP: "missing",
    FindingKind.FEWER_FOLLOW_UPS: "missing",
    FindingKind.RATE_HIGH: "rate",
    FindingKind.RATE_LOW: "rate",
}
"""What a finding tells → kind of failure; the others only say that no normal window is quite like this one."""

ODD: Final = "odd"
"""Kind of failure of a window without detector strengths."""

CLEAR: Final = 3.0
"""Strength from which a detector is a witness of its own: one normal window in 1,000 is as unusual.  A judgement."""

_VAGUE: Final = frozenset({"lstm", "counts", "sets"})
"""Detectors that find *that* a window is unusual, and not what in it."""

_SIGNS: Final = "signs"
"""Detector of signs of failure."""

BESIDE: Final = 0.5
"""Importance of a window for its places but the loudest, the least that fires: how much it is theirs is unknown."""

_VAGUE_DIVISOR: Final = 5
"""The strength of a vague detector is divided by this beside that of others, a judgement."""


@dataclass(frozen=True, slots=True)
class Anomaly:
    """A window that may have fired, or its share of one place; times are event time in microseconds.

    ``services`` has at least one, "" where nothing is known.  ``places`` say of a window of several sources where that
    comes from which makes it unusual, ``service@host`` each, the loudest first.  ``templates`` are ids of those of its
    heaviest lines, ``names`` the backends and projects that the new ones among them name.
    """

    id: str
    tenant: str
    services: tuple[str, ...]
    end: int
    importance: float
    fired: bool = True
    start: int = 0
    key: str = ""
    session: bool = False
    parts: Mapping[str, float] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()
    templates: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    """Empty in records of versions that did not write them."""
    places: tuple[str, ...] = ()
    """Empty in records of versions that did not write them."""
    names: frozenset[str] = frozenset()
    new_templates: tuple[str, ...] | None = None
    """Those of ``templates`` that training did not see, once ``with_names`` has found out."""

    @property
    def own_templates(self) -> tuple[str, ...]:
        """Return the templates that speak of this place: by them things that belong together are known.

        The heaviest lines of a window over everything may come from anywhere: of these only new messages count, and
        only where it has a single place.
        """
        if self.key != ALL_SOURCES:
            return self.templates if self.new_templates is None else self.new_templates
        return (self.new_templates or ()) if len(self.places) == 1 else ()

    @property
    def located(self) -> bool:
        """Return whether the place is known: a window over everything without places only guesses."""
        return bool(self.services[0]) and (self.key != ALL_SOURCES or bool(self.places))

    @property
    def place(self) -> str:
        """Return ``service@host`` of the first place, or the service alone."""
        if self.places:
            return self.places[0]
        is_source = not self.session and service_of_place(self.key) == self.services[0]
        return self.key if is_source else self.services[0]

    @property
    def host(self) -> str:
        """Return the host of the first place, "" where it is unknown."""
        return _parted(self.place)[1]

    @property
    def hosts(self) -> tuple[tuple[str, str], ...]:
        """Return service and host of each place, of a request all in which it fails; nothing for what only guesses."""
        if not self.located:
            return ()
        return tuple(_parted(place) for place in (self.places or (self.place,)))

    @property
    def witnesses(self) -> int:
        """Return how many detectors, vague ones aside, have a strength of at least ``CLEAR``.

        It is 0 but for windows over everything.  Among the few lines of one service a first error counts as an error
        and as a new message, so two witnesses mean little; among all lines of a tenant they do not.  A sign of failure
        counts twice: what it means is known beforehand, and nothing else need be unusual.
        """
        if self.key != ALL_SOURCES:
            return 0
        clear = [name for name, part in self.parts.items() if part >= CLEAR and name in KINDS and name not in _VAGUE]
        return len(clear) + (_SIGNS in clear)

    def shares(self) -> tuple["Anomaly", ...]:
        """Return what the window says of each of its places; a window of one source, or of a request, has one share.

        A window over everything is no place: it counts for those that made it fire, and fully for the loudest only.
        All places of a host that is quiet as a whole are one share.
        """
        if self.session and self.places:
            services = dict.fromkeys((*map(service_of_place, self.places), *self.services))
            return (replace(self, services=tuple(services)),)
        if self.key != ALL_SOURCES or not self.places:
            return (self,)
        quiet = {finding.host for finding in self.findings if finding.kind is FindingKind.HOST_SILENT}
        shares: dict[str, list[str]] = {}
        for place in self.places:
            host = _parted(place)[1]
            shares.setdefault(f"@{host}" if host in quiet else place, []).append(place)
        return tuple(self._share(places, is_first=number == 0) for number, places in enumerate(shares.values()))

    def _share(self, places: Sequence[str], *, is_first: bool) -> "Anomaly":
        services, host = tuple(map(service_of_place, places)), _parted(places[0])[1]
        # What is said of another place by name is not said of this one.
        own = tuple(f for f in self.findings if f.service in {"", *services} and f.host in {"", host})
        share = replace(self, services=services, places=tuple(places), findings=own)
        if len(self.places) > 1:
            # Which of them wrote a message is unknown: the loudest may, unless it is silent, have named a backend.
            writes = is_first and not any(finding.kind in SILENCES for finding in own)
            share = replace(share, names=self.names & INFRASTRUCTURE if writes else frozenset(), new_templates=())
        return share if is_first else replace(share, importance=min(self.importance, BESIDE), parts={}, reasons=())

    def with_names(self, names_of: Callable[[str], frozenset[str] | None]) -> "Anomaly":
        """Return it with what its new messages name.

        Args:
            names_of: What the text of a template names, by the template's id; None for one that training saw.
        """
        named = {template: names for template in self.templates if (names := names_of(template)) is not None}
        return replace(self, names=frozenset().union(*named.values()), new_templates=tuple(named))

    @property
    def kind(self) -> str:
        """Return the kind of failure: that of the strongest detector."""
        weights = {
            name: strength / (_VAGUE_DIVISOR if name in _VAGUE else 1)
            for name in KINDS
            if (strength := self.parts.get(name, 0.0)) > 0
        }
        return KINDS[max(weights, key=weights.__getitem__)] if weights else ODD

    @classmethod
    def from_json(cls, data: bytes | str) -> Self:
        """Read a record of ``anomalies``.

        Raises:
            InvalidError: it lacks what grouping needs.
        """
        try:
            record = orjson.loads(data)
        except ValueError as error:
            raise _not_a_window(error) from error
        return cls.from_record(record)

    @classmethod
    def from_record(cls, record: Any) -> Self:
        """Read a window object, as ``tocsin score`` writes it.

        Raises:
            InvalidError: it lacks what grouping needs.
        """
        try:
            end = parse_time(record["end"])
            return cls(
                id=_text(record["id"]),
                tenant=_text(record["tenant"]),
                services=_services(record),
                end=end,
                importance=float(record["importance"]),
                fired=record["fired"] is True,
                start=parse_time(record["start"]) if record.get("start") else end,
                key=_text(record["key"]),
                session=record["kind"] == _SESSION,
                parts={_text(name): float(part) for name, part in (record.get("parts") or {}).items()},
                reasons=tuple(map(_text, record.get("reasons") or ())),
                templates=tuple(map(_text, record.get("templates") or ())),
                findings=findings_from_json(record.get("findings")),
                places=tuple(dict.fromkeys(map(_text, record.get("places") or ()))),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise _not_a_window(error) from error


def _not_a_window(error: Exception) -> InvalidError:
    return InvalidError(f"not a record of anomalies ({type(error).__name__}: {error})", "see what writes to the topic")


def _services(record: dict[str, Any]) -> tuple[str, ...]:
    named = tuple(dict.fromkeys(_text(service) for service in record.get("services") or ()))
    if named:
        return named
    key = _text(record["key"])
    # The key of a source is service@host, or the service alone; that of everything, or of a request, names none.
    return ("" if key == ALL_SOURCES or record["kind"] == _SESSION else service_of_place(key) or key,)


def service_of_place(place: str) -> str:
    """Return the service of ``service@host``."""
    return place.partition("@")[0]


def _parted(place: str) -> tuple[str, str]:
    service, _, host = place.partition("@")
    return service, host


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        msg = f"{value!r} is not a name"
        raise TypeError(msg)
    return value
