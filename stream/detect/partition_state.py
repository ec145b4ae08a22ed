"""What detect holds of one partition of ``logs.events``: open windows, and the place from which to rebuild them.

Frames go in, decisions come out.  The commit of a partition is a pair: the offset from which its windows can be
rebuilt, and, as the commit's metadata, what the frames behind it do not tell: up to which offset verdicts have been
given, and how far the raw partitions had been read.  After a crash the frames between the two only rebuild windows.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import orjson

from models.errors import FatalError
from models.records import F32, I64, EventFrame, WindowBatch
from models.scorer import Decisions, Scorer
from models.windows.closing import concat
from models.windows.store import RestartMark, WindowConfig, WindowCounts, WindowStore

SCHEMA: Final = "tocsin.shard/1"
_SHARD_BITS: Final = 40
"""Where the number of the shard stands in the ids of rows that are scored together."""


@dataclass(frozen=True, slots=True)
class PartitionCheckpoint:
    """Where a shard stands: ``mark`` is where to read again, ``done`` the first offset without verdicts."""

    mark: RestartMark
    done: int

    def metadata(self) -> str:
        """The commit's metadata."""
        raw = {str(p): [offset, clock] for p, (offset, clock) in self.mark.raw.items()}
        return orjson.dumps({"schema": SCHEMA, "done": self.done, "clock": self.mark.clock, "raw": raw}).decode()

    @classmethod
    def restore(cls, offset: int, metadata: str) -> "PartitionCheckpoint | None":
        """The state that was committed at ``offset``; None where nothing was.

        Raises:
            FatalError: the metadata is not ours.
        """
        if offset < 0:
            return None
        try:
            record = orjson.loads(metadata)
            known = {SCHEMA: record}[record["schema"]]
            raw = {int(p): (int(last), int(clock)) for p, (last, clock) in known["raw"].items()}
            return cls(RestartMark(offset, int(known["clock"]), raw), int(known["done"]))
        except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError, ValueError) as error:
            raise FatalError(
                f"the commit at offset {offset} of logs.events is not detect's ({metadata[:80]!r}: {error})",
                "another program uses its consumer group: choose another TOCSIN_TOPIC_PREFIX, or reset the group",
            ) from error


class PartitionWindows:
    """Windows of one partition; not thread-safe."""

    def __init__(self, config: WindowConfig, state: PartitionCheckpoint | None) -> None:
        """Go on from ``state``, or begin anew."""
        self._store = WindowStore(config, state.mark if state else None)
        self._done = state.done if state else 0
        self.next = state.mark.offset if state else 0

    @property
    def store(self) -> WindowStore:
        """The open windows."""
        return self._store

    @property
    def counts(self) -> WindowCounts:
        """What happened to rows so far."""
        return self._store.counts

    def close(self, offset: int, frame: EventFrame) -> tuple[WindowBatch, bool]:
        """Windows that this frame closes, and whether their verdicts are still to be told.

        Those of a frame that had its verdicts before the restart are not: they may be cut short.
        """
        self.next = offset + 1
        return self._store.add(frame, offset), offset >= self._done

    def remember(self, closed: WindowBatch, surprise: F32) -> None:
        """Keep what the windows' events (rows,) were found to be: the windows that follow need it."""
        self._store.remember(closed, surprise)

    def state(self) -> PartitionCheckpoint | None:
        """What to commit once all verdicts so far are delivered."""
        mark = self._store.restart_mark()
        return None if mark is None else PartitionCheckpoint(mark, max(self._done, self.next))


def decide(
    scorer: Scorer,
    frames: Sequence[tuple[PartitionWindows, int, EventFrame]],
    timed: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> tuple[Decisions, I64] | None:
    """Decisions on the windows that frames of different shards close, and which of them to tell; None if none closes.

    Scoring a batch costs the same again and again, so shards share one.  ``timed`` is entered around it.
    """
    closed = [(shard, *shard.close(offset, frame)) for shard, offset, frame in frames]
    closed = [each for each in closed if len(each[1])]
    if not closed:
        return None
    batches = [replace(batch, row_ids=batch.row_ids + (n << _SHARD_BITS)) for n, (_, batch, _) in enumerate(closed)]
    with timed():
        decided = scorer.decide(concat(batches))
    ends = np.cumsum([len(batch.time) for batch in batches])
    for (shard, batch, _), surprise in zip(closed, np.split(decided.surprise, ends[:-1]), strict=True):
        shard.remember(batch, surprise)
    told = np.repeat([tell for _, _, tell in closed], [len(batch) for batch in batches])
    return decided, np.flatnonzero(told)
