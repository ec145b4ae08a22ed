"""What detect holds of one partition of ``logs.events``: open windows, and the place from which to rebuild them.

Frames go in, decisions come out.  The commit of a partition is a pair: the offset from which its windows can be
rebuilt, and, as the commit's metadata, what the frames behind it do not tell: up to which offset verdicts have been
given, and how far the raw partitions had been read.  After a crash the frames between the two only rebuild windows.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Final

import orjson

from models.errors import FatalError
from models.records import EventFrame
from models.scorer import Decisions, Scorer
from models.windows import Mark, WindowConfig, WindowCounts, WindowStore

SCHEMA: Final = "tocsin.shard/1"


@dataclass(frozen=True, slots=True)
class ShardState:
    """Where a shard stands: ``mark`` is where to read again, ``done`` the first offset without verdicts."""

    mark: Mark
    done: int

    def metadata(self) -> str:
        """The commit's metadata."""
        raw = {str(p): [offset, clock] for p, (offset, clock) in self.mark.raw.items()}
        return orjson.dumps({"schema": SCHEMA, "done": self.done, "clock": self.mark.clock, "raw": raw}).decode()

    @classmethod
    def restore(cls, offset: int, metadata: str) -> "ShardState | None":
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
            return cls(Mark(offset, int(known["clock"]), raw), int(known["done"]))
        except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError, ValueError) as error:
            message = (
                f"the commit at offset {offset} of logs.events is not detect's ({metadata[:80]!r}: {error}); "
                "another program uses its consumer group: choose another TOCSIN_TOPIC_PREFIX, or reset the group"
            )
            raise FatalError(message) from error


class Shard:
    """Windows of one partition; not thread-safe."""

    def __init__(
        self,
        config: WindowConfig,
        scorer: Scorer,
        state: ShardState | None,
        timed: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        """Go on from ``state``, or begin anew; ``timed`` is entered around every scoring of a batch of windows."""
        self._store = WindowStore(config, state.mark if state else None)
        self._scorer = scorer
        self._timed = timed
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

    def take(self, offset: int, frame: EventFrame) -> Decisions | None:
        """Decisions on the windows that this frame closes; None for a frame that had them before the restart."""
        self.next = offset + 1
        closed = self._store.add(frame, offset)
        if not len(closed):
            return None
        # Windows closed a second time may be cut short, and their verdicts are out; but their events' surprise is
        # needed by the windows that follow.
        with self._timed():
            decided = self._scorer.decide(closed)
        self._store.remember(closed, decided.surprise)
        return None if offset < self._done else decided

    def state(self) -> ShardState | None:
        """What to commit once all verdicts so far are delivered."""
        mark = self._store.restart_mark()
        return None if mark is None else ShardState(mark, max(self._done, self.next))
