"""The receipt of one send: what ``deliveries`` carries, keyed by the incident's id."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Self

import orjson

from alerts.messages.alert import check_schema
from models.errors import InvalidError
from models.rfc3339 import SECOND, parse_time, time_text

DELIVERY_SCHEMA: Final = "tocsin.delivery/1"


class SendState(StrEnum):
    """What became of a send."""

    SENDING = "sending"
    """About to be sent; written first where a repetition would be seen by people."""
    STEP = "step"
    """A step is done, more are to come."""
    DELIVERED = "delivered"
    RETRY = "retry"
    PARKED = "parked"


@dataclass(frozen=True, slots=True)
class DeliveryReceipt:
    """One receipt; ``at`` in seconds since the epoch."""

    incident_id: str
    sink: str
    sent: SendState
    status: str
    """Of the alert: firing, enriched or resolved."""
    digest: str
    """Of the alert, so that one that comes twice is known."""
    partition: int
    offset: int
    """Where the alert stands on ``alerts``."""
    attempt: int
    at: float
    reason: str = ""
    mendable: bool = False
    covers: tuple[str, ...] = ()
    """Digests of the alerts that this one took the place of."""
    remote: Mapping[str, Any] = field(default_factory=dict)
    """What stands at the service: its ids, digests of what it was told."""

    def to_json(self) -> bytes:
        """Return the record as it stands on the topic."""
        return orjson.dumps(
            {
                "schema": DELIVERY_SCHEMA,
                "incident_id": self.incident_id,
                "sink": self.sink,
                "sent": self.sent.value,
                "status": self.status,
                "attempt": self.attempt,
                "at": time_text(int(self.at * SECOND)),
                "reason": self.reason,
                "mendable": self.mendable,
                "alert": {"partition": self.partition, "offset": self.offset, "digest": self.digest},
                "covers": list(self.covers),
                "remote": dict(self.remote),
            },
        )

    @classmethod
    def from_json(cls, data: bytes | str) -> Self:
        """Read a record of the topic.  Raises InvalidError when it is none, or of another version."""
        try:
            record = orjson.loads(data)
            check_schema(record, DELIVERY_SCHEMA)
            alert = record["alert"]
            return cls(
                incident_id=record["incident_id"],
                sink=record["sink"],
                sent=SendState(record["sent"]),
                status=record["status"],
                digest=alert["digest"],
                partition=int(alert["partition"]),
                offset=int(alert["offset"]),
                attempt=int(record["attempt"]),
                at=parse_time(record["at"]) / SECOND,
                reason=record["reason"],
                mendable=record["mendable"] is True,
                covers=tuple(record["covers"]),
                remote=dict(record["remote"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InvalidError(
                f"not a receipt of a delivery ({type(error).__name__}: {error})", "see what writes to the topic"
            ) from error
