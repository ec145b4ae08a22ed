"""Messages of several raw partitions, released in the order of the broker's time, whatever is fetched first.

After an outage a consumer gets megabytes of one partition before the next.  Windows over several sources would then get
the lines of the others too late.  So a partition that is ahead waits until every partition with more to read has come
as far.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

import numpy as np

from models.arrays import unique
from models.records import I64, RawBatch

MAX_BUFFERED: Final = 20_000
"""Messages of one partition in the buffer, above which the partition is to be paused.  A judgement: one full batch of
ingest, a few megabytes."""

PATIENCE_S: Final = 2.0
"""How long a partition that gives nothing, though it has more, may delay the others: its leader may be down.
A judgement."""


class PartitionBuffer:
    """Buffers messages until every other partition has been read as far."""

    def __init__(self, most: int, now: Callable[[], float]) -> None:
        """Release at most ``most`` messages at once; ``now`` is a monotonic clock in seconds."""
        self._most = most
        self._now = now
        self.more = False  # whether the last ``release`` could have given more
        self._buffered = _EMPTY
        self._keys: I64 = np.zeros(0, np.int64)  # per buffered message: its time, never falling within a partition
        self._reached: dict[int, int] = {}  # largest time read, per partition
        self._released_at = now()

    def __len__(self) -> int:
        """Return the number of buffered messages."""
        return len(self._buffered)

    def buffered(self) -> Mapping[int, int]:
        """Return the number of buffered messages per partition."""
        numbers, counts = np.unique(self._buffered.partitions, return_counts=True)
        return dict(zip(numbers.tolist(), counts.tolist(), strict=True))

    def forget(self, partition: int) -> None:
        """Drop the messages of a partition that was revoked."""
        rows = np.flatnonzero(self._buffered.partitions != partition)
        self._buffered, self._keys = select(self._buffered, rows), self._keys[rows]
        self._reached.pop(partition, None)

    def release(self, new: RawBatch, unread: Mapping[int, bool]) -> RawBatch:
        """Add ``new`` and return what may be processed, by time; each partition keeps its order.

        ``unread`` says of every assigned partition whether the broker holds more than was given to ``release``, the new
        messages included.
        """
        raw, keys = self._join(new)
        behind = [self._reached.get(partition, -1) for partition, has_more in unread.items() if has_more]
        limit = min(behind, default=None)
        is_free = np.ones(len(raw), np.bool_) if limit is None else keys <= limit
        if not is_free.any() and len(raw) and self._now() - self._released_at > PATIENCE_S:
            is_free[:] = True
        if is_free.any() or not len(raw):
            self._released_at = self._now()
        rows = np.flatnonzero(is_free)
        rows = rows[np.argsort(keys[rows], kind="stable")]
        self.more = len(rows) > self._most
        rows = rows[: self._most]
        is_released = np.zeros(len(raw), np.bool_)
        is_released[rows] = True
        kept = np.flatnonzero(~is_released)
        self._buffered, self._keys = select(raw, kept), keys[kept]
        return select(raw, rows)

    def _join(self, new: RawBatch) -> tuple[RawBatch, I64]:
        """Return the buffered messages and the new ones, with their keys."""
        keys = new.arrived.copy()
        for partition in unique(new.partitions).tolist():
            rows = np.flatnonzero(new.partitions == partition)
            keys[rows] = np.maximum.accumulate(np.maximum(keys[rows], self._reached.get(partition, -1)))
            self._reached[partition] = int(keys[rows[-1]])
        if not len(self._buffered):
            return new, keys
        joined = RawBatch(
            self._buffered.values + new.values,
            np.concatenate([self._buffered.partitions, new.partitions]),
            np.concatenate([self._buffered.offsets, new.offsets]),
            np.concatenate([self._buffered.arrived, new.arrived]),
        )
        return joined, np.concatenate([self._keys, keys])


def runs(raw: RawBatch) -> Iterator[RawBatch]:
    """Yield stretches of a batch in which no partition's offsets go back, as they do where a topic was made anew."""
    order = np.argsort(raw.partitions, kind="stable")
    goes_back = (np.diff(raw.offsets[order]) <= 0) & (np.diff(raw.partitions[order]) == 0)
    cuts = np.sort(order[1:][goes_back])
    for rows in np.split(np.arange(len(raw)), cuts):
        yield select(raw, rows)


def select(raw: RawBatch, rows: I64) -> RawBatch:
    """Return the messages of these row numbers, in their order."""
    if len(rows) == len(raw) and (np.diff(rows) == 1).all():
        return raw
    values = [raw.values[row] for row in rows.tolist()]
    return RawBatch(values, raw.partitions[rows], raw.offsets[rows], raw.arrived[rows])


_EMPTY: Final = RawBatch([], np.zeros(0, np.int32), np.zeros(0, np.int64), np.zeros(0, np.int64))
