"""When nobody could have seen a fault: no line came, most lines could not be read, the topics could not be read."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from models.errors import TocsinError
from models.rfc3339 import SECOND
from stream.kafka.clients import Broker
from stream.kafka.reader import offsets_at
from stream.kafka.topic_specs import Topics
from stream.ui.memory.follower import PATIENCE_S

log = logging.getLogger(__name__)

STEP_S: Final = 60
"""Seconds of a stretch in which lines are counted: a judgement, a window's length."""

PAST_STEP_S: Final = 600
"""The same of the time before the page was started, each of which costs two requests per partition: a judgement."""

PAST_S: Final = 86_400
"""Seconds before the start of the page that are looked at: a day, as the lanes show at first."""

MOST: Final = 20_000
"""Stretches that are kept: two weeks.  A judgement."""

DEAD_SHARE: Final = 0.5
"""Share of lines that could not be read from which a stretch is blind: as ``dead_limit_share`` has it."""


UNKNOWN: Final = -1
"""Number of lines of a stretch in which the topics could not be read."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """How many lines came from ``begin`` to ``end`` (microseconds, by the broker's clock), and how many were dead."""

    begin: int
    end: int
    lines: int
    dead: int

    @property
    def blindness(self) -> str:
        """Return why nobody could have seen a fault; "" where somebody could."""
        if self.lines < 0:
            return "the topics could not be read"
        if not self.lines:
            return "no line came"
        return f"{self.dead:,} of {self.lines:,} lines could not be read" if self.dead > DEAD_SHARE * self.lines else ""


@dataclass(frozen=True, slots=True)
class BlindTime:
    """A time in which nobody could have seen a fault, in microseconds, and why."""

    begin: int
    end: int
    why: str


class BlindTimes:
    """Counts what comes on ``logs.raw`` and ``logs.dead``, in a thread of its own; any thread may ask."""

    def __init__(self, broker: Broker, topics: Topics, clock: Callable[[], float] = time.time) -> None:
        self._broker = broker
        self._topics = topics
        self._clock = clock
        self._stretches: deque[Stretch] = deque(maxlen=MOST)
        self._halt = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ui-blind-times", daemon=True)
        self._thread.start()

    @property
    def is_counting(self) -> bool:
        """Return whether blind times can be found with this broker, as far as is known."""
        return self._thread.is_alive()

    def close(self) -> None:
        """Stop counting; a request that is under way ends by itself, or with the process."""
        self._halt.set()
        self._thread.join(PATIENCE_S)

    def between(self, since: int, until: int) -> list[BlindTime]:
        """Return the blind times that touch a range (microseconds)."""
        return joined(self._stretches.copy(), since, until)

    def _run(self) -> None:
        try:
            # It has no index of times, and its clock is not that of the lines.
            if self._broker.is_embedded():
                return
        except TocsinError as error:
            log.info("blind times of the past are unknown: %s", error)
        for begin, end in self._spans(int(self._clock())):
            try:
                self._stretches.append(counted(self._broker, self._topics, begin, end))
            except TocsinError:
                # Nothing could be read: what came meanwhile is in the next stretch that can.
                self._stretches.append(Stretch(begin * SECOND, end * SECOND, UNKNOWN, 0))
            if self._halt.is_set():
                return

    def _spans(self, now: int) -> Iterator[tuple[int, int]]:
        """Yield begin and end of each stretch in seconds: of the past, then each when it is over."""
        end = now - now % STEP_S
        yield from ((begin, begin + PAST_STEP_S) for begin in range(end - PAST_S, end, PAST_STEP_S))
        while not self._halt.is_set():
            begin, end = end, end + STEP_S
            if not self._halt.wait(max(0.0, end + 1 - self._clock())):
                yield begin, end


def counted(broker: Broker, topics: Topics, begin: int, end: int) -> Stretch:
    """Return how many lines came from ``begin`` to ``end``, in seconds since 1970 by the broker's clock.

    Raises:
        TransientError: the broker does not answer.
    """
    counts = []
    for topic in (topics.logs_raw, topics.logs_dead):
        first, last = (offsets_at(broker, topic, second * 1000) for second in (begin, end))
        counts.append(sum(last[p] - first[p] for p in first.keys() & last.keys()))
    return Stretch(begin * SECOND, end * SECOND, *counts)


def joined(stretches: Iterable[Stretch], since: int, until: int) -> list[BlindTime]:
    """Return the blind times that touch a range (microseconds); those that follow each other are one."""
    blind: list[BlindTime] = []
    for stretch in stretches:
        why = stretch.blindness
        if not why or stretch.end <= since or stretch.begin >= until:
            continue
        before = blind[-1] if blind else None
        if before is not None and before.end == stretch.begin and before.why == why:
            blind[-1] = BlindTime(before.begin, stretch.end, why)
        else:
            blind.append(BlindTime(stretch.begin, stretch.end, why))
    return blind
