"""A line in the log once a period: what a role did in it."""

import logging
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

EVERY_S: Final = 60.0
"""Seconds between two lines: a judgement, so that a role that has stopped is noticed within a minute or two."""


class Heartbeat:
    """Counts what a role does, and logs the counts of each period as the facts of one line.

    A period without work is logged as well, with zeros: the line shows that the role lives.  Not thread-safe.
    """

    def __init__(
        self, role: str, log: logging.Logger, every_s: float = EVERY_S, now: Callable[[], float] = time.monotonic
    ) -> None:
        """Begin the first period; ``now`` returns seconds of a monotonic clock."""
        self._role = role
        self._log = log
        self._every_s = every_s
        self._now = now
        self._began = now()
        self._counts: Counter[str] = Counter()

    def add(self, **counts: int) -> None:
        """Add to the counts of this period; their names must not be attributes of a log record, such as ``name``."""
        self._counts.update(counts)

    def tick(self, **state: Any) -> None:
        """Log one line if the period is over, with ``state`` as it is now beside the counts, and begin the next one."""
        seconds = self._now() - self._began
        if seconds < self._every_s:
            return
        facts = {"role": self._role, "seconds": round(seconds, 1), **self._counts, **state}
        self._log.info("%s: work of the last period", self._role, extra=facts)
        self._began += seconds
        self._counts = Counter(dict.fromkeys(self._counts, 0))
