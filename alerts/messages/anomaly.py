"""An anomalous window as grouping sees it: the few fields of a record of ``anomalies`` that decide."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

import orjson

from models.errors import InvalidError
from models.findings import Finding, findings_from_json
from models.records import ALL_SOURCES
from models.rfc3339 import parse_time

DEPLOYMENT: Final = "deployment"
"""Service of a window over everything that names no services."""

SESSIONS: Final = "sessions"
"""Service of a session that names no services."""

NOWHERE: Final = frozenset({DEPLOYMENT, SESSIONS})
"""Placeholders for an unknown service."""

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

ODD: Final = "odd"
"""Kind of failure of a window without detector strengths."""

CLEAR: Final = 3.0
"""Strength from which a detector is a witness of its own: one normal window in 1,000 is as unusual.  A judgement."""

_VAGUE: Final = frozenset({"lstm", "counts", "sets"})
"""Detectors that find *that* a window is unusual, and not what in it."""

_SIGNS: Final = "signs"
"""Detector of signs of failure."""

_VAGUE_DIVISOR: Final = 5
"""The strength of a vague detector is divided by this beside that of others, a judgement."""


@dataclass(frozen=True, slots=True)
class Anomaly:
    """A window that may have fired; ``start`` and ``end`` are event time in microseconds.

    ``services`` has at least one.  They are where the window is, but for windows over everything, which only guess
    (see ``located``).  ``templates`` are ids of those of its heaviest lines.
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

    @property
    def located(self) -> bool:
        """Return whether the services are known."""
        return self.key != ALL_SOURCES and self.services[0] not in NOWHERE

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
            return cls.from_record(orjson.loads(data))
        except ValueError as error:
            raise InvalidError(
                f"not a record of anomalies ({type(error).__name__}: {error})", "see what writes to the topic"
            ) from error

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
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InvalidError(
                f"not a record of anomalies ({type(error).__name__}: {error})", "see what writes to the topic"
            ) from error


def _services(record: dict[str, Any]) -> tuple[str, ...]:
    named = tuple(dict.fromkeys(_text(service) for service in record.get("services") or ()))
    if named:
        return named
    if record["kind"] == _SESSION:
        return (SESSIONS,)
    key = _text(record["key"])
    # The key of a source is service@host, or the service alone; that of everything names none.
    return (DEPLOYMENT if key == ALL_SOURCES else key.partition("@")[0] or key,)


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        msg = f"{value!r} is not a name"
        raise TypeError(msg)
    return value
