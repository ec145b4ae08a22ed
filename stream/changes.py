"""The topic ``changes``: deploys and changed configuration, written by people and pipelines, read for explanations."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import orjson

from alerts.times import from_text, to_text
from models.errors import InvalidError
from stream.broker.clients import Broker
from stream.broker.reading import read_newest
from stream.broker.writing import write

SCHEMA: Final = "tocsin.change/1"
NEWEST: Final = 2_000
"""Changes that are looked at."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """A change; ``time`` in microseconds, no ``tenant`` for everyone's."""

    time: int
    service: str
    text: str
    tenant: str | None = None

    def to_json(self) -> bytes:
        """Return the record of the topic."""
        record = {"schema": SCHEMA, "time": to_text(self.time), "service": self.service, "text": self.text}
        return orjson.dumps(record | ({} if self.tenant is None else {"tenant": self.tenant}))


def announce(broker: Broker, topic: str, change: Announcement) -> None:
    """Write a change and wait until Kafka has it.

    Raises:
        InvalidError: it names no service, or says nothing.
        TransientError: Kafka does not take it.
    """
    if not change.service.strip() or not change.text.strip():
        raise InvalidError("a change needs the service and a text; tell what was changed")
    write(broker, topic, change.to_json(), change.service.encode())


def read_changes(broker: Broker, topic: str) -> Iterator[Announcement]:
    """Yield the newest changes; what others wrote there that is none is left out.

    A record is a JSON object: ``time`` (RFC 3339), ``text``, and where known ``service`` and ``tenant``.
    """
    for record in read_newest(broker, topic, NEWEST):
        try:
            told = orjson.loads(record.value or b"")
            tenant = told.get("tenant")
            yield Announcement(
                from_text(told["time"]),
                str(told.get("service", "")),
                str(told["text"]),
                None if tenant is None else str(tenant),
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            continue
