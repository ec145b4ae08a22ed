"""The receipt of one send: a record of the topic ``deliveries``, keyed by the incident's id."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any, Final

from alerts.messages.json_record import JsonName, JsonRecord, Seconds

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


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertPosition:
    """Where an alert stands on ``alerts``, and its digest, by which one that comes twice is recognised."""

    partition: int
    offset: int
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryReceipt:
    """The receipt of one send to one sink."""

    incident_id: str
    sink: str
    sent: SendState
    status: str
    """Of the alert: firing, enriched or resolved."""
    attempt: int
    """1 for the first."""
    time: Annotated[Seconds, JsonName("at")]
    reason: str = ""
    """Why it was not delivered."""
    mendable: bool = False
    """Parked because of a setting: a restart tries again."""
    alert: AlertPosition
    covers: tuple[str, ...] = ()
    """Digests of the alerts that this one took the place of."""
    remote: Mapping[str, Any] = field(default_factory=dict)
    """What stands at the service: its ids, digests of what it was sent."""

    def to_json(self) -> bytes:
        """Return the record as it stands on the topic."""
        return _RECORD.to_json(self)

    @classmethod
    def from_json(cls, data: bytes | str) -> "DeliveryReceipt":
        """Read a record of the topic.

        Raises:
            InvalidError: it is no receipt, or of another version.
        """
        return _RECORD.from_json(data)


_RECORD: Final = JsonRecord(
    DeliveryReceipt, DELIVERY_SCHEMA, "not a receipt of a delivery", "see what writes to the topic"
)
