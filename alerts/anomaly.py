"""An anomalous window as grouping sees it: the few fields of a record of ``anomalies`` that decide."""

from dataclasses import dataclass
from typing import Any, Final, Self

import orjson

from alerts.times import from_text
from models.errors import InvalidError

DEPLOYMENT: Final = "deployment"
"""Service of a window over everything that does not say which services it is about."""

SESSIONS: Final = "sessions"
"""Service of a session that does not say which services it went through."""


@dataclass(frozen=True, slots=True)
class Anomaly:
    """A window that may have fired; ``end`` is event time in microseconds, ``services`` has at least one."""

    id: str
    tenant: str
    services: tuple[str, ...]
    end: int
    importance: float
    fired: bool = True

    @classmethod
    def from_json(cls, data: bytes | str) -> Self:
        """Read a record of ``anomalies``.  Raises InvalidError when it lacks what grouping needs."""
        try:
            record = orjson.loads(data)
            return cls(
                id=_text(record["id"]),
                tenant=_text(record["tenant"]),
                services=_services(record),
                end=from_text(record["end"]),
                importance=float(record["importance"]),
                fired=record["fired"] is True,
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            msg = f"not a record of anomalies ({type(error).__name__}: {error}); see what writes to the topic"
            raise InvalidError(msg) from error


def _services(record: dict[str, Any]) -> tuple[str, ...]:
    named = tuple(dict.fromkeys(_text(service) for service in record.get("services") or ()))
    if named:
        return named
    if record["kind"] == "session":
        return (SESSIONS,)
    key = _text(record["key"])
    # The key of a source is service@host, or the service alone; that of everything names none.
    return (DEPLOYMENT if key == "*" else key.partition("@")[0] or key,)


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        msg = f"{value!r} is not a name"
        raise TypeError(msg)
    return value
