"""Raw partitions side by side: lines are let through in the order of the broker's time, whatever is fetched first.

After an outage a consumer gets megabytes of one partition before the next.  Windows over several sources would find the
lines of the others too late then.  So what is ahead waits until every partition with more to read has come as far.
"""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from models.records import I64, RawBatch

MAX_BUFFERED: Final = 20_000
"""Messages of one partition that may wait; past these it is to be paused."""

PATIENCE_S: Final = 2.0
"""A partition that gives nothing for so long is waited for no longer: its leader may be down."""


class PartitionBuffer:
    """Holds messages back."""

    def __init__(self, most: int, now: Callable[[], float]) -> None:
        """``most`` messages are let through at once; ``now`` is a monotonic clock in seconds."""
        self._most = most
        self._now = now
        self.more = False  # whether the last ``release`` could have given more
        self._buffered = _EMPTY
        self._key: I64 = np.zeros(0, np.int64)
        self._reached: dict[int, int] = {}  # largest time read, per partition
        self._moved_at = now()

    def __len__(self) -> int:
        """Number of messages that wait."""
        return len(self._buffered)

    def buffered(self) -> Mapping[int, int]:
        """Number of messages that wait, per partition."""
        numbers, counts = np.unique(self._buffered.partitions, return_counts=True)
        return dict(zip(numbers.tolist(), counts.tolist(), strict=True))

    def forget(self, partition: int) -> None:
        """Drop what waits of a partition that was revoked."""
        kept = np.flatnonzero(self._buffered.partitions != partition)
        self._buffered, self._key = select(self._buffered, kept), self._key[kept]
        self._reached.pop(partition, None)

    def release(self, new: RawBatch, unread: Mapping[int, bool]) -> RawBatch:
        """Add messages and take what may go on, by time; each partition keeps its order.

        ``unread`` says of every assigned partition whether more lies on the broker than was given to ``release``, the
        new messages included.
        """
        held, key = self._join(new)
        waiting = [self._reached.get(partition, -1) for partition, more in unread.items() if more]
        limit = min(waiting, default=None)
        free = np.ones(len(held), np.bool_) if limit is None else key <= limit
        if not free.any() and len(held) and self._now() - self._moved_at > PATIENCE_S:
            free[:] = True
        if free.any() or not len(held):
            self._moved_at = self._now()
        chosen = np.flatnonzero(free)
        chosen = chosen[np.argsort(key[chosen], kind="stable")]
        self.more = len(chosen) > self._most
        chosen = chosen[: self._most]
        free[:] = False
        free[chosen] = True
        kept = np.flatnonzero(~free)
        self._buffered, self._key = select(held, kept), key[kept]
        return select(held, chosen)

    def _join(self, new: RawBatch) -> tuple[RawBatch, I64]:
        """All messages that wait and the new ones, with times that never fall within a partition."""
        key = new.arrived.copy()
        for partition in np.unique(new.partitions).tolist():
            mine = np.flatnonzero(new.partitions == partition)
            key[mine] = np.maximum.accumulate(np.maximum(key[mine], self._reached.get(partition, -1)))
            self._reached[partition] = int(key[mine[-1]])
        if not len(self._buffered):
            return new, key
        held = RawBatch(
            self._buffered.values + new.values,
            np.concatenate([self._buffered.partitions, new.partitions]),
            np.concatenate([self._buffered.offsets, new.offsets]),
            np.concatenate([self._buffered.arrived, new.arrived]),
        )
        return held, np.concatenate([self._key, key])


def select(raw: RawBatch, at: np.ndarray[tuple[int], np.dtype[np.int64]]) -> RawBatch:
    """The messages at these positions."""
    if len(at) == len(raw) and (np.diff(at) == 1).all():
        return raw
    return RawBatch([raw.values[i] for i in at.tolist()], raw.partitions[at], raw.offsets[at], raw.arrived[at])


_EMPTY: Final = RawBatch([], np.zeros(0, np.int32), np.zeros(0, np.int64), np.zeros(0, np.int64))
