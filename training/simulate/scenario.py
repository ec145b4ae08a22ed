"""What a simulation is made from and what comes out: scenario, faults, records."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from models.errors import InvalidError
from models.rfc3339 import SECOND


class FaultKind(StrEnum):
    """What can go wrong."""

    ERROR_BURST = "error_burst"
    """Errors with tracebacks: the service loses its database or its message queue."""
    HANG = "hang"
    """A step never ends: instances of one host wait for their network until nova gives up."""
    SKIP = "skip"
    """A step is missing: the network interface is not plugged, volumes are not announced; all else works."""
    SLOW = "slow"
    """Calls take 10 to 30 times as long."""
    SILENCE = "silence"
    """A service stops working and writing, without a word."""
    RETRIES = "retries"
    """Connections break again and again, calls are repeated until they succeed."""
    NEW_MESSAGE = "new_message"
    """A message that normal operation never writes."""
    QUEUE_DOWN = "queue_down"
    """The message queue is gone, for every service that uses it."""
    DATABASE_DOWN = "database_down"
    """The database is gone, likewise."""
    KEYSTONE_DOWN = "keystone_down"
    """Keystone is gone: no API can check a token."""
    RACK_DOWN = "rack_down"
    """All hosts of a rack stop at once."""


OF_ONE_SERVICE: Final = (
    FaultKind.ERROR_BURST,
    FaultKind.HANG,
    FaultKind.SKIP,
    FaultKind.SLOW,
    FaultKind.SILENCE,
    FaultKind.RETRIES,
    FaultKind.NEW_MESSAGE,
)
"""Kinds that befall one service on one host; the others have a cause that many share."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One injected fault, which is also its ground truth.

    ``service`` is ``<host>/<service>``, as source windows name it, or what many share (``common_causes``).  Times
    are in microseconds.
    """

    kind: FaultKind
    service: str
    start: int
    end: int
    detail: str


@dataclass(frozen=True, slots=True)
class Scenario:
    """One simulated cloud over one stretch of time: the same scenario gives the same bytes.

    ``start`` must know its zone, ``rate`` multiplies the workload (not the periodic tasks), ``debug`` adds DEBUG lines.
    """

    seed: int
    start: datetime
    duration_s: float
    rate: float = 1.0
    computes: int = 3
    faults: tuple[Fault, ...] = ()
    tenant: str | None = None
    debug: bool = False

    @property
    def first(self) -> int:
        """Start in microseconds."""
        return micros(self.start)

    @property
    def end(self) -> int:
        """End in microseconds, exclusive."""
        return self.first + round(self.duration_s * SECOND)


@dataclass(frozen=True, slots=True)
class SimRecord:
    """One line as Fluent Bit ships it.

    ``time`` is when the line is written (microseconds, simulated; never falls over a stream), ``key`` the path of its
    file, ``value`` the JSON record.
    """

    time: int
    key: str
    value: bytes


def micros(moment: datetime) -> int:
    """Microseconds since the epoch of an aware datetime."""
    if moment.tzinfo is None:
        raise InvalidError("the start of a scenario needs a time zone: use datetime(…, tzinfo=UTC)")
    return round(moment.timestamp() * SECOND)
