"""The windows of one partition of ``logs.events``, and the checkpoint from which to rebuild them after a crash.

A partition's Kafka commit holds two things.  Its offset is where to read again so that the open windows are rebuilt.
Its metadata is what the frames from there on do not tell: the first offset whose verdicts have not been published, and
how far the raw partitions had been read before.  After a crash the frames between the two offsets only rebuild windows.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Final, cast

import numpy as np
import orjson

from models.errors import FatalError
from models.records import I64, NO_TIME, EventFrame, WindowBatch
from models.schedule import JointDecisions, ScorerSchedule, decide_by_schedule
from models.scorer import Decisions
from models.windows.config import WindowConfig
from models.windows.scoring import score_together
from models.windows.store import RestartMark, WindowCounts, WindowStore

SCHEMA: Final = "tocsin.shard/1"
"""Name and version of the commit's metadata."""


MOST_VERSIONS: Final = 4
"""Versions of templates that a partition remembers, the last read: commits have little room.  A judgement: more than
two meet only where bundles change faster than windows end."""


@dataclass(frozen=True, slots=True)
class PartitionCheckpoint:
    """Where a partition stands: ``mark`` is where to read again, ``done`` the first offset without verdicts.

    ``versions`` are the templates that frames were made with, each with the time of its latest event (microseconds).
    """

    mark: RestartMark
    done: int
    versions: Mapping[str, int] = field(default_factory=dict)

    def metadata(self) -> str:
        """The commit's metadata, as JSON."""
        raw = {str(number): [offset, clock] for number, (offset, clock) in self.mark.raw.items()}
        record = {"schema": SCHEMA, "done": self.done, "clock": self.mark.clock, "raw": raw}
        return orjson.dumps(record | ({"versions": dict(self.versions)} if self.versions else {})).decode()

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
            versions = {str(version): int(time) for version, time in fields.get("versions", {}).items()}
            return cls(RestartMark(offset, int(fields["clock"]), raw), int(fields["done"]), versions)
        except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError, ValueError) as error:
            raise FatalError(
                f"the commit at offset {offset} of logs.events is not detect's ({metadata[:80]!r}: {error})",
                "another program uses its consumer group: choose another TOCSIN_TOPIC_PREFIX, or reset the group",
            ) from error


@dataclass(frozen=True, slots=True)
class ReadFrame:
    """A frame of ``logs.events``, when Kafka stored it (microseconds), and the templates that it was made with."""

    offset: int
    stored: int
    frame: EventFrame
    version: str = ""


class PartitionWindows:
    """Windows of one partition; not thread-safe."""

    def __init__(self, config: WindowConfig, state: PartitionCheckpoint | None) -> None:
        """Go on from ``state``, or begin anew where it is None."""
        self._store = WindowStore(config, state.mark if state else None)
        self._done = state.done if state else 0
        self._versions = dict(state.versions) if state else {}
        self.next = state.mark.offset if state else 0

    @property
    def store(self) -> WindowStore:
        """The open windows."""
        return self._store

    @property
    def reach(self) -> int:
        """The offset behind all frames that were read, before the restart or after."""
        return max(self._done, self.next)

    @property
    def counts(self) -> WindowCounts:
        """What happened to rows so far."""
        return self._store.counts

    def take(self, read: ReadFrame) -> tuple[WindowBatch, bool]:
        """Return the windows that a frame closes, and whether verdicts on them are to be published.

        Those of a frame that had its verdicts before the restart are not: its windows may be cut short.
        """
        self.next = read.offset + 1
        if len(read.frame.rows):
            latest = max(self._versions.pop(read.version, NO_TIME), cast("int", read.frame.rows["time"].max()))
            self._versions[read.version] = latest
            if len(self._versions) > MOST_VERSIONS:
                del self._versions[next(iter(self._versions))]
        return self._store.add(read.frame, read.offset), read.offset >= self._done

    def foreign_until(self, version: str) -> int:
        """Return the time (microseconds) of the last event that was read with other templates than these."""
        return max((time for other, time in self._versions.items() if other != version), default=NO_TIME)

    def state(self) -> PartitionCheckpoint | None:
        """What to commit once all verdicts so far are delivered."""
        mark = self._store.restart_mark()
        return None if mark is None else PartitionCheckpoint(mark, self.reach, dict(self._versions))


def decide(
    schedule: ScorerSchedule,
    frames: Sequence[tuple[PartitionWindows, ReadFrame]],
    timed: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> list[tuple[Decisions, I64]]:
    """Score the windows that frames of different partitions close, in one batch for each bundle that is due.

    Scoring a batch has a fixed cost, so partitions share one.  ``timed`` is entered around it.

    Returns:
        Decisions, of one bundle each, and which of their windows have verdicts to be published; none where no window
        closes.
    """
    closed = [(partition, read, *partition.take(read)) for partition, read in frames]
    sizes = [len(windows) for _, _, windows, _ in closed]
    times = np.concatenate([np.minimum(windows.end, read.stored) for _, read, windows, _ in closed])
    is_published = np.repeat([published for _, _, _, published in closed], sizes)

    def foreign_until(version: str) -> I64:
        return np.repeat(np.array([part.foreign_until(version) for part, _, _, _ in closed], np.int64), sizes)

    def score(windows: WindowBatch) -> JointDecisions:
        with timed() if len(windows) else nullcontext():
            return decide_by_schedule(schedule, windows, times, foreign_until)

    decided = score_together([(partition.store, windows) for partition, _, windows, _ in closed], score)
    return [(decisions, np.flatnonzero(is_published[numbers])) for decisions, numbers in decided.parts if len(numbers)]
