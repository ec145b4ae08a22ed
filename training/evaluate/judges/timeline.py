"""Windows in order of time per tenant, so that "the highest score between two moments" is a slice."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from models.records import F64, I64
from models.rfc3339 import SECOND

MERGE_US: Final = 60 * SECOND
"""What fires again within this time of an alarm is the same alarm."""

EVER: Final = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class TimelineSpan:
    """Windows of one tenant that end between two moments, both inclusive (microseconds)."""

    tenant: str
    low: int = -EVER
    high: int = EVER


@dataclass(frozen=True, slots=True)
class TimelineMark:
    """Something that happened from one moment to another (seconds since the trace began)."""

    start: float
    end: float
    text: str


@dataclass(frozen=True, slots=True)
class ScoreTrace:
    """A score over time, to be drawn: points (seconds since the begin, score), and what happened meanwhile."""

    title: str
    points: tuple[tuple[float, float], ...]
    marks: tuple[TimelineMark, ...]


class Timeline:
    """The windows of several tenants; ``end`` (n,) is the moment at which a window could be judged."""

    def __init__(self, tenants: Sequence[str], end: I64) -> None:
        codes: dict[str, int] = {}
        code = np.fromiter((codes.setdefault(tenant, len(codes)) for tenant in tenants), np.int64, len(tenants))
        self.order: I64 = np.lexsort((end, code))
        self.end: I64 = end[self.order]
        bounds = np.searchsorted(code[self.order], np.arange(len(codes) + 1))
        self._bounds = {tenant: (int(bounds[i]), int(bounds[i + 1])) for tenant, i in codes.items()}

    def place(self, span: TimelineSpan) -> slice:
        """Where in the order of the timeline the windows of a span stand."""
        first, stop = self._bounds.get(span.tenant, (0, 0))
        ends = self.end[first:stop]
        low = first + int(np.searchsorted(ends, span.low, "left"))
        return slice(low, max(low, first + int(np.searchsorted(ends, span.high, "right"))))

    def places(self) -> list[slice]:
        """All windows of each tenant."""
        return [slice(first, stop) for first, stop in self._bounds.values()]

    def ordered(self, score: F64) -> F64:
        """Scores (n,) of the windows as they came, in the order of the timeline."""
        return score[self.order]


def peaks(score: F64, places: Iterable[slice]) -> F64:
    """Highest score of each place, -inf where there is no window; ``score`` (n,) in the order of the timeline."""
    return np.array([score[place].max() if place.stop > place.start else -np.inf for place in places], np.float64)


def alarms(end: I64, score: F64, threshold: float) -> int:
    """Number of alarms among windows of one tenant in order of time: those within MERGE_US of one are not counted."""
    count, last = 0, -EVER
    for moment in end[score > threshold].tolist():
        if moment - last >= MERGE_US:
            count, last = count + 1, moment
    return count


def highest(step: I64, score: F64, seconds: float) -> tuple[tuple[float, float], ...]:
    """Points of a trace: the highest score (n,) of each ``step`` (n,), ascending, of so many seconds."""
    steps, place = np.unique(step, return_inverse=True)
    best = np.full(len(steps), -np.inf)
    np.maximum.at(best, place, score)
    return tuple(zip((steps * seconds).tolist(), best.tolist(), strict=True))
