"""The recorded clock: up to which moment of the broker's time each raw partition has been read.

Detect closes idle windows by this clock and never by its own, so that the moment of closing stands in ``logs.events``
and a replay repeats it.  While messages come, their time stamps move it; a partition that was asked and had nothing new
moves with the time that passes.
"""

from collections.abc import Callable
from typing import Final

from models.rfc3339 import SECOND

MARGIN_S: Final = 1.0
"""A quiet partition's clock stays this far behind, for messages that are on their way."""


class PartitionClocks:
    """Clocks of the raw partitions that one ingest reads; times in microseconds, ``now`` in seconds of any clock.

    ``speed`` is how fast the messages' time passes: 1 but for a simulation that runs faster.
    """

    def __init__(self, now: Callable[[], float], speed: float = 1.0) -> None:
        self._now = now
        self._speed = speed
        self._clocks: dict[int, int] = {}
        self._base: float | None = None

    def heard(self, partition: int, timestamp: int) -> None:
        """A message with this time stamp was read."""
        if timestamp < 0:
            return
        self._clocks[partition] = max(timestamp, self._clocks.get(partition, 0))
        base = timestamp - self._passed()
        self._base = base if self._base is None else max(self._base, base)

    def quiet(self, partition: int) -> None:
        """The partition was just seen to hold nothing that has not been read."""
        if self._base is None:
            return
        estimate = int(self._base + self._passed() - MARGIN_S * self._speed * SECOND)
        self._clocks[partition] = max(estimate, self._clocks.get(partition, 0))

    def forget(self, partition: int) -> None:
        """The partition went to another ingest."""
        self._clocks.pop(partition, None)

    def read(self) -> dict[int, int]:
        """Clock of each partition that has one."""
        return dict(self._clocks)

    def _passed(self) -> float:
        return self._now() * self._speed * SECOND
