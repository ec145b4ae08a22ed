"""The topic ``changes``: deploys and changed configuration, written by people and pipelines, read for explanations."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final, Self

import orjson

from alerts.messages.alert import Alert, Severity, Status
from alerts.sinks.base import CHANGE
from models.errors import InvalidError
from models.rfc3339 import parse_time, time_text
from stream.kafka.clients import Broker
from stream.kafka.reader import read_newest
from stream.kafka.writer import write

SCHEMA: Final = "tocsin.change/1"
NEWEST: Final = 2_000
"""Changes that are read, at most: a judgement, explanations look at the last hour."""

EVERYTHING: Final = "everything"
"""What was changed where no service is named."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """A change; ``time`` in microseconds, no ``tenant`` for everyone's.

    Its JSON is read and written by hand, not by ``JsonRecord``: other tools write the topic, so no schema is demanded
    and whatever they put into a text field is read as text; a ``tenant`` that is None is left out.
    """

    time: int
    service: str
    text: str
    tenant: str | None = None

    def to_json(self) -> bytes:
        """Return the record of the topic."""
        record = {"schema": SCHEMA, "time": time_text(self.time), "service": self.service, "text": self.text}
        return orjson.dumps(record | ({} if self.tenant is None else {"tenant": self.tenant}))

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """Read a record of the topic: ``time`` (RFC 3339), ``text``, and where known ``service`` and ``tenant``.

        Raises:
            InvalidError: it is none.
        """
        try:
            record = orjson.loads(data)
            tenant = record.get("tenant")
            change = cls(
                parse_time(record["time"]),
                str(record.get("service", "")),
                str(record["text"]),
                None if tenant is None else str(tenant),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InvalidError(
                f"not a change ({type(error).__name__}: {error})", "write changes with `tocsin change`"
            ) from error
        if not change.text.strip():
            raise InvalidError("not a change: it says nothing", "write changes with `tocsin change`")
        return change

    def to_alert(self) -> Alert:
        """Return it as sinks are sent it; equal for one that was announced twice."""
        return Alert(
            incident_id=blake2b(self.to_json(), digest_size=16).hexdigest(),
            episode=time_text(self.time),
            status=Status.RESOLVED,
            severity=Severity.WARNING,
            tenant=self.tenant or "",
            services=(self.service or EVERYTHING,),
            summary=f"{self.service}: {self.text}" if self.service else self.text,
            started=self.time,
            updated=self.time,
            kind=CHANGE,
            page=False,
        )


def announce(broker: Broker, topic: str, change: Announcement) -> None:
    """Write a change and wait until Kafka has it.

    Raises:
        InvalidError: it names no service, or says nothing.
        TransientError: Kafka does not take it.
    """
    if not change.service.strip() or not change.text.strip():
        raise InvalidError("a change needs the service and a text", "tell what was changed")
    write(broker, topic, change.to_json(), change.service.encode())


def read_changes(broker: Broker, topic: str) -> Iterator[Announcement]:
    """Yield the newest changes; what others wrote there that is none is left out."""
    for record in read_newest(broker, topic, NEWEST):
        with suppress(InvalidError):
            yield Announcement.from_json(record.value or b"")
