"""From when on which bundle judges in shadow: records among those of its windows on ``anomalies.shadow``.

A shadow that fires nothing says so by having begun.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self

import orjson

from stream.kafka.clients import Broker
from stream.kafka.reader import Record
from stream.kafka.writer import write

SCHEMA: Final = "tocsin.shadow/1"
_KEY: Final = b"shadow"


@dataclass(frozen=True, slots=True)
class ShadowStart:
    """A worker judges in shadow by a bundle (id); ``model`` is ``NAME@vNN``, or the bundle's folder."""

    bundle: str
    model: str

    def to_json(self) -> bytes:
        """Return the record of the topic."""
        return orjson.dumps({"schema": SCHEMA, "bundle": self.bundle, "model": self.model})

    @classmethod
    def from_json(cls, data: bytes) -> Self | None:
        """Read a record of the topic; None for another, such as a window."""
        record = orjson.loads(data)
        return cls(record["bundle"], record["model"]) if record.get("schema") == SCHEMA else None


@dataclass(frozen=True, slots=True)
class ShadowStretch:
    """A bundle judged in shadow from ``since`` to ``until``, by the broker's clock in microseconds.

    ``until`` is None where it still does.
    """

    start: ShadowStart
    since: int
    until: int | None = None


def announce_shadow(broker: Broker, topic: str, start: ShadowStart) -> None:
    """Write that a worker begins.

    Raises:
        TransientError: Kafka does not take it.
    """
    write(broker, topic, start.to_json(), _KEY)


def shadow_stretches(records: Iterable[Record]) -> list[ShadowStretch]:
    """Return which bundle judged when, the last one last; further workers of a bundle, or restarts, begin nothing."""
    stretches: list[ShadowStretch] = []
    for record in records:
        start = ShadowStart.from_json(record.value or b"{}")
        if start is None or (stretches and stretches[-1].start == start):
            continue
        since = record.timestamp * 1000
        if stretches:
            last = stretches.pop()
            stretches.append(ShadowStretch(last.start, last.since, since))
        stretches.append(ShadowStretch(start, since))
    return stretches
