"""Feed simulated records to ``logs.raw`` at the pace of simulated time."""

import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from models.rfc3339 import SECOND
from stream.kafka.consumer_lag import ConsumerLag
from stream.kafka.consuming import Producer

SLICE_S: Final = 0.05
MAX_BACKLOG: Final = 20_000
"""Messages that may wait to be read: the embedded broker trims what lies too long."""


class RecordLike(Protocol):
    """One record of the simulator: the moment in microseconds, Kafka key and value."""

    @property
    def time(self) -> int:
        """When the line is written, simulated."""

    @property
    def key(self) -> str:
        """Path of the file."""

    @property
    def value(self) -> bytes:
        """The record."""


@dataclass(frozen=True, slots=True)
class SimulatedClock:
    """Simulated time that runs ``speed`` times as fast as real time."""

    start: int
    speed: float
    origin: float

    def now(self) -> int:
        """Microseconds since the epoch, simulated."""
        return self.start + int((time.monotonic() - self.origin) * self.speed * SECOND)


def feed(  # noqa: PLR0913 - all are needed
    records: Iterable[RecordLike],
    producer: Producer,
    topic: str,
    clock: SimulatedClock,
    backlog: ConsumerLag,
    halt: threading.Event,
) -> int:
    """Send records when their time has come; returns how many were sent."""
    count = 0
    for batch in _slices(records, clock, halt):
        for record in batch:
            producer.produce(topic, record.value, record.key.encode(), timestamp=record.time // 1000)
            producer.poll(0)
        count += len(batch)
        if not backlog.wait_until_below(MAX_BACKLOG, 60.0, time.sleep):
            break
    producer.flush()
    return count


def _slices(records: Iterable[RecordLike], clock: SimulatedClock, halt: threading.Event) -> Iterator[list[RecordLike]]:
    """Records grouped by slices of real time, each yielded when its time has come."""
    batch: list[RecordLike] = []
    due = clock.now()
    for record in records:
        while record.time > due:
            if batch:
                yield batch
                batch = []
            if halt.wait(SLICE_S):
                return
            due = clock.now()
        batch.append(record)
    yield batch
