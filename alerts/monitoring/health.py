"""Whether a process is alive and ready, as its loops say themselves: what ``/healthz`` and ``/readyz`` answer.

Alive means that every loop goes on; whether a broker or a sink answers is left out on purpose, for a restart mends
neither.  Ready means that every consumer has heard from its group what it is to read, which may be nothing: one that
stands by for another is ready, too.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

STUCK_S: Final = 300.0
"""Seconds after which a loop that did not go on counts as stuck: ``max.poll.interval.ms`` of our consumers, after which
Kafka takes their partitions away, so that a restart costs nothing any more."""


class LoopHealth:
    """What the loops of one process last said.

    Loops run in threads of their own and the answers in another: every method does one operation of a dictionary,
    which CPython does whole.  A loop is named by its role, or begins with it (``deliver.slack``).
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        """Know of no loop yet; ``now`` returns seconds of a monotonic clock."""
        self._now = now
        self._turned: dict[str, float] = {}
        self._waiting: dict[str, str] = {}

    def turned(self, loop: str) -> None:
        """Note that a loop goes on; from now on it has to."""
        self._turned[loop] = self._now()

    @contextmanager
    def working(self, loop: str) -> Iterator[None]:
        """Note work that has to end; between two pieces of work the loop may rest for as long as it likes."""
        self.turned(loop)
        try:
            yield
        finally:
            self._turned.pop(loop, None)

    def waits(self, loop: str, reason: str = "it has no assignment yet") -> None:
        """Note that a loop is not ready, and why."""
        self._waiting[loop] = reason

    def ready(self, loop: str) -> None:
        """Note that a loop is ready."""
        self._waiting.pop(loop, None)

    def ended(self, role: str) -> None:
        """Forget the loops of a role that has returned."""
        for notes in (self._turned, self._waiting):
            for loop in notes.copy():
                if loop.split(".")[0] == role:
                    notes.pop(loop, None)

    def stuck(self) -> list[str]:
        """Return a sentence for each loop that does not go on."""
        now = self._now()
        ages = {loop: now - turned for loop, turned in self._turned.copy().items()}
        return [f"{loop} has not gone on for {age:.0f} s" for loop, age in sorted(ages.items()) if age > STUCK_S]

    def waiting(self) -> list[str]:
        """Return a sentence for each loop that is not ready."""
        return [f"{loop} is not ready: {reason}" for loop, reason in sorted(self._waiting.copy().items())]
