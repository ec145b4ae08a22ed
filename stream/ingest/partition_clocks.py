"""The recorded clock: up to which moment of the broker's time each raw partition has been read.

Detect closes idle windows by this clock and never by its own, so that the moment of closing is recorded in
``logs.events`` and a replay repeats it.  While messages come, their time stamps advance it; the clock of a partition
that the broker confirmed to hold nothing new advances with the time that passes.
"""

from collections.abc import Callable
from typing import Final

from models.rfc3339 import SECOND

MARGIN_S: Final = 1.0
"""An idle partition's clock stays this far behind, for messages that are on their way to the broker.  A judgement."""


class PartitionClocks:
    """Clocks of the raw partitions that one ingest worker reads.

    Times are microseconds since the epoch; ``now`` returns seconds of any clock that does not jump.  ``speed`` is how
    fast the messages' time passes: 1 but for a simulation that runs faster.
    """

    def __init__(self, now: Callable[[], float], speed: float = 1.0) -> None:
        self._now = now
        self._speed = speed
        self._clocks: dict[int, int] = {}
        self._broker_minus_local: float | None = None  # microseconds; None until a message has come

    def observe(self, partition: int, timestamp: int) -> None:
        """Advance the clock of a partition to the time stamp of a message that was read; below 0: no time stamp."""
        if timestamp < 0:
            return
        self._clocks[partition] = max(timestamp, self._clocks.get(partition, 0))
        difference = timestamp - self._local()
        known = self._broker_minus_local
        self._broker_minus_local = difference if known is None else max(known, difference)

    def mark_idle(self, partition: int) -> None:
        """Advance the clock of a partition that was just confirmed to hold nothing unread."""
        if self._broker_minus_local is None:
            return
        estimate = int(self._broker_minus_local + self._local() - MARGIN_S * self._speed * SECOND)
        self._clocks[partition] = max(estimate, self._clocks.get(partition, 0))

    def forget(self, partition: int) -> None:
        """Drop the clock of a partition that was revoked."""
        self._clocks.pop(partition, None)

    def read(self) -> dict[int, int]:
        """Return the clock of each partition that has one."""
        return dict(self._clocks)

    def _local(self) -> float:
        """Return the local clock in the messages' microseconds."""
        return self._now() * self._speed * SECOND
