"""Send simulated records to ``logs.raw`` at the pace of simulated time."""

import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from models.rfc3339 import SECOND
from stream.kafka.consumer_lag import ConsumerLag
from stream.kafka.consuming import Producer

SLICE_S: Final = 0.05
"""Real seconds between two batches.  A judgement."""

MAX_LAG: Final = 20_000
"""Unread messages of a partition at which sending pauses: the embedded broker keeps 5 MB.  A judgement."""

MAX_PAUSE_S: Final = 60.0
"""Longest pause, after which sending ends: ingest does not read any more.  A judgement."""


class RecordLike(Protocol):
    """One record of the simulator: time in microseconds, Kafka key and value."""

    @property
    def time(self) -> int:
        """Simulated time at which the line is written."""

    @property
    def key(self) -> str:
        """Path of the log file."""

    @property
    def value(self) -> bytes:
        """The raw record."""


@dataclass(frozen=True, slots=True)
class SimulatedClock:
    """Simulated time, which passes ``speed`` times as fast as real time.

    ``start`` is the simulated time (microseconds) at ``origin``, a time of the monotonic clock (seconds).
    """

    start: int
    speed: float
    origin: float

    def now(self) -> int:
        """Return the simulated time in microseconds since the epoch."""
        return self.start + int((time.monotonic() - self.origin) * self.speed * SECOND)


def feed(  # noqa: PLR0913 - all are needed
    records: Iterable[RecordLike],
    producer: Producer,
    topic: str,
    clock: SimulatedClock,
    lag: ConsumerLag,
    halt: threading.Event,
) -> int:
    """Send each record at its time; return how many were sent."""
    count = 0
    for batch in _slices(records, clock, halt):
        for record in batch:
            producer.produce(topic, record.value, record.key.encode(), timestamp=record.time // 1000)
            producer.poll(0)
        count += len(batch)
        if not lag.wait_until_below(MAX_LAG, MAX_PAUSE_S, time.sleep):
            break
    producer.flush()
    return count


def _slices(records: Iterable[RecordLike], clock: SimulatedClock, halt: threading.Event) -> Iterator[list[RecordLike]]:
    """Yield the records in batches, each at its time."""
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
