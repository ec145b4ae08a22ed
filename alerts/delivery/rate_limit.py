"""How fast a service is asked, and how long to wait after a failure; pure, with time and chance as arguments."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from alerts.sinks.base import Rate

FIRST_S: Final = 0.5
"""Seconds after the first failure: a judgement, a restarted service is back about then."""

LONGEST_S: Final = 30.0
"""Seconds after many failures: a judgement, an alert is late by no more once the service is back."""

DOUBLINGS: Final = 10
"""Doublings after which the wait is capped in any case, so that the power stays a small number."""


def backoff(attempt: int, chance: float, first_s: float = FIRST_S, longest_s: float = LONGEST_S) -> float:
    """Return how long to wait after the ``attempt``-th failure in a row (1 is the first); ``chance`` in 0 to 1.

    Half of it is chance, so that workers that failed together do not come back together.
    """
    full = min(longest_s, first_s * 2.0 ** min(attempt - 1, DOUBLINGS))
    return full * (0.5 + 0.5 * chance)


@dataclass(slots=True)
class RateLimiter:
    """When the next request may go out: a token bucket, and a pause after failures."""

    rate: Rate
    now: float
    chance: Callable[[], float]
    failures: int = 0
    """In a row."""
    _tokens: float = field(init=False)
    _not_before: float = 0.0

    def __post_init__(self) -> None:
        """Begin with one token: a process that is killed again and again must not burst each time."""
        self._tokens = min(1.0, float(self.rate.burst))

    def wait(self, now: float) -> float:
        """Return the seconds until a request may go out; 0 for now."""
        self._fill(now)
        token = 0.0 if self._tokens >= 1 else (1 - self._tokens) / self.rate.per_second
        return max(token, self._not_before - now, 0.0)

    def take(self, now: float) -> None:
        """A request goes out."""
        self._fill(now)
        self._tokens = max(self._tokens - 1, 0.0)

    def failed(self, now: float, after: float | None) -> None:
        """The service did not take it; ``after`` is what it asked for."""
        self.failures += 1
        pause = backoff(self.failures, self.chance())
        # Never earlier than it asked; a little later, and not all at once.
        wait = pause if after is None else after + min(0.1 * after, 1.0) * self.chance()
        self._not_before = max(self._not_before, now + wait)

    def worked(self) -> None:
        """The service took it."""
        self.failures = 0

    def _fill(self, now: float) -> None:
        grown = max(now - self.now, 0.0) * self.rate.per_second
        self._tokens = min(self._tokens + grown, float(self.rate.burst))
        self.now = now
