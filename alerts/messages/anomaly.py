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
"""Service of a window over everything that does not say which services it is about."""

SESSIONS: Final = "sessions"
"""Service of a session that does not say which services it went through."""

NOWHERE: Final = frozenset({DEPLOYMENT, SESSIONS})
"""Services that are none."""

_SESSION: Final = "session"

KINDS: Final[Mapping[str, str]] = {
    "silence": "silence",
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
"""Detector → kind of failure; where two are as strong, the first tells more.

``onset`` is not among them: it is no witness beside ``levels``, which counts the same error."""

ODD: Final = "odd"
"""Kind of failure of a window that does not say what is strange about it."""

CLEAR: Final = 3.0
"""Strength from which a detector is a witness of its own: one normal window in a thousand is as strange."""

_TELLING: Final = 5
"""Detectors that only say *that* a window is strange count a fifth beside those that say what is."""
_VAGUE: Final = frozenset({"lstm", "counts", "sets"})


@dataclass(frozen=True, slots=True)
class Anomaly:
    """A window that may have fired; ``start`` and ``end`` are event time in microseconds.

    ``services`` has at least one, and it says where the window is (``located``) but for windows over everything, which
    only guess.  ``templates`` are those of its telling lines.
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
        """Say whether the services are known."""
        return self.key != ALL_SOURCES and self.services[0] not in NOWHERE

    @property
    def witnesses(self) -> int:
        """Return how many detectors that say what is strange find the window so strange that one in 1,000 is.

        Only of windows over everything: one line that a service writes for the first time is an error and a novelty
        among its few, and mostly nothing; among all that a tenant does it is not.
        """
        if self.key != ALL_SOURCES:
            return 0
        return sum(part >= CLEAR for name, part in self.parts.items() if name in KINDS and name not in _VAGUE)

    @property
    def kind(self) -> str:
        """Return the kind of failure: what the strongest detector finds."""
        weights = {
            name: strength / (_TELLING if name in _VAGUE else 1)
            for name in KINDS
            if (strength := self.parts.get(name, 0.0)) > 0
        }
        return KINDS[max(weights, key=weights.__getitem__)] if weights else ODD

    @classmethod
    def from_json(cls, data: bytes | str) -> Self:
        """Read a record of ``anomalies``.  Raises InvalidError when it lacks what grouping needs."""
        try:
            return cls.from_record(orjson.loads(data))
        except ValueError as error:
            raise InvalidError(
                f"not a record of anomalies ({type(error).__name__}: {error})", "see what writes to the topic"
            ) from error

    @classmethod
    def from_record(cls, record: Any) -> Self:
        """Read a window object, as ``tocsin score`` writes it.  Raises InvalidError as ``from_json`` does."""
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
