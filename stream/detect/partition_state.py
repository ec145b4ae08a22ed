"""The windows of one partition of ``logs.events``, and the checkpoint from which to rebuild them after a crash.

A partition's Kafka commit holds two things.  Its offset is where to read again so that the open windows are rebuilt.
Its metadata is what the frames from there on do not tell: the first offset whose verdicts have not been published, and
how far the raw partitions had been read before.  After a crash the frames between the two offsets only rebuild windows.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Final

import numpy as np
import orjson

from models.errors import FatalError
from models.records import I64, NO_TIME, EventFrame, WindowBatch
from models.scorer import Decisions, Scorer
from models.windows.config import WindowConfig
from models.windows.scoring import StoreInput, step_together
from models.windows.store import RestartMark, WindowCounts, WindowStore

SCHEMA: Final = "tocsin.shard/1"
"""Name and version of the commit's metadata."""


@dataclass(frozen=True, slots=True)
class PartitionCheckpoint:
    """Where a partition stands: ``mark`` is where to read again, ``done`` the first offset without verdicts."""

    mark: RestartMark
    done: int

    def metadata(self) -> str:
        """The commit's metadata, as JSON."""
        raw = {str(number): [offset, clock] for number, (offset, clock) in self.mark.raw.items()}
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
            fields = {SCHEMA: record}[record["schema"]]
            raw = {int(number): (int(last), int(clock)) for number, (last, clock) in fields["raw"].items()}
            return cls(RestartMark(offset, int(fields["clock"]), raw), int(fields["done"]))
        except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError, ValueError) as error:
            raise FatalError(
                f"the commit at offset {offset} of logs.events is not detect's ({metadata[:80]!r}: {error})",
                "another program uses its consumer group: choose another TOCSIN_TOPIC_PREFIX, or reset the group",
            ) from error


class PartitionWindows:
    """Windows of one partition; not thread-safe."""

    def __init__(self, config: WindowConfig, state: PartitionCheckpoint | None) -> None:
        """Go on from ``state``, or begin anew where it is None."""
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

    def take(self, offset: int, frame: EventFrame) -> tuple[StoreInput, bool]:
        """The frame at ``offset`` as the store's next input, and whether verdicts on what it closes are published.

        Those of a frame that had its verdicts before the restart are not: its windows may be cut short.
        """
        self.next = offset + 1
        return StoreInput(self._store, frame, offset), offset >= self._done

    def state(self) -> PartitionCheckpoint | None:
        """What to commit once all verdicts so far are delivered."""
        mark = self._store.restart_mark()
        return None if mark is None else PartitionCheckpoint(mark, max(self._done, self.next))


def decide(
    scorer: Scorer,
    frames: Sequence[tuple[PartitionWindows, int, EventFrame]],
    timed: Callable[[], AbstractContextManager[object]] = nullcontext,
    foreign_until: int = NO_TIME,
) -> tuple[Decisions, I64] | None:
    """Score the windows that frames of different partitions close, in one batch.

    Scoring a batch has a fixed cost, so partitions share one.  ``timed`` is entered around it.  ``foreign_until`` is
    that of ``Scorer.decide``.

    Returns:
        Decisions and the numbers of the windows whose verdicts are to be published; None where no window closes.
    """

    def score(windows: WindowBatch) -> Decisions:
        with timed() if len(windows) else nullcontext():
            return scorer.decide(windows, foreign_until)

    taken = [partition.take(offset, frame) for partition, offset, frame in frames]
    decided, closed = step_together([store_input for store_input, _ in taken], score)
    if not len(decided.windows):
        return None
    is_published = np.repeat([publish for _, publish in taken], [len(windows) for windows in closed])
    return decided, np.flatnonzero(is_published)
