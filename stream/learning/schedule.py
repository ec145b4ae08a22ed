"""When a worker that has no bundle learns, and from what: pure functions of what has been seen.

The first lesson comes after some minutes of logs, later ones after hours and then daily.  Each learns from all that
``logs.raw`` still holds, so what runs hourly or nightly is known from the lesson on that saw it.  Stretches in which
windows fired are left out: they are not how this cloud normally is.  Times are microseconds since 1970 by the broker's
clock.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from models.records import NO_TIME
from models.rfc3339 import SECOND

Span: TypeAlias = tuple[int, int]
"""Begin and end of a stretch of time."""

HOUR: Final = 3600 * SECOND

LATER: Final = (2 * HOUR, 12 * HOUR)
"""Span of the logs at the second and third lesson: judgements.  Two hours hold what runs hourly twice; half a day tells
quiet from busy."""

DAILY: Final = 24 * HOUR
"""Between later lessons: a judgement, so that a release is known a day after it was rolled out."""

LONGEST: Final = 72 * HOUR
"""Longest stretch that a lesson learns from, which is how long ``logs.raw`` keeps lines; from three days on rates know
the hour of the day."""

MARGIN: Final = 60 * SECOND
"""Left out before and after each window that fired: the length of a window.  A fault begins before it shows."""

MOST_LEFT_OUT: Final = 0.5
"""Share of a stretch that may be left out: a judgement.  Faults are rare; a lesson that would miss more waits."""

PATIENCE: Final = LATER[0]
"""What has fired most of the time for so long is how this cloud is, and is learned with all else: a judgement."""


@dataclass(frozen=True, slots=True)
class LearningProgress:
    """What was learned so far; NO_TIME where it has not happened.

    ``since`` is the time of the first line that was seen, ``learned`` the end of the logs that ``bundle`` (the name of
    its folder) learned from, ``tried`` when a lesson was last begun, ``problem`` why that one made no bundle.
    """

    since: int = NO_TIME
    learned: int = NO_TIME
    bundle: str = ""
    tried: int = NO_TIME
    problem: str = ""

    @property
    def known_us(self) -> int:
        """Span of this cloud's logs that the bundle in use has learned from; 0 before the first lesson."""
        return self.learned - self.since if self.bundle else 0

    def succeeded(self, learned: int, bundle: str) -> "LearningProgress":
        """Return the progress after a lesson from the logs up to ``learned``."""
        return replace(self, learned=learned, bundle=bundle, tried=learned, problem="")

    def failed(self, tried: int, problem: str) -> "LearningProgress":
        """Return the progress after a lesson that made no bundle."""
        return replace(self, tried=tried, problem=problem)


def next_lesson(progress: LearningProgress, after: int) -> int:
    """Return when the next lesson is due, NO_TIME while no line was seen; ``after`` is the span of the first one."""
    if progress.since == NO_TIME:
        return NO_TIME
    milestones = (after, *(span for span in LATER if span > after))
    ahead = [progress.since + span for span in milestones if span > progress.known_us]
    due = ahead[0] if ahead else progress.learned + DAILY
    return max(due, progress.tried + after) if progress.problem else due


def stretch(progress: LearningProgress, now: int) -> Span:
    """Return the stretch that a lesson which begins at ``now`` learns from."""
    return max(progress.since, now - LONGEST), now


def left_out(fired: Iterable[Span], span: Span) -> tuple[Span, ...]:
    """Return the parts of ``span`` around windows that fired, without overlaps, in order."""
    parts: list[Span] = []
    for begin, end in sorted(fired):
        low, high = max(begin - MARGIN, span[0]), min(end + MARGIN, span[1])
        if low >= high:
            continue
        if parts and low <= parts[-1][1]:
            parts[-1] = (parts[-1][0], max(high, parts[-1][1]))
        else:
            parts.append((low, high))
    return tuple(parts)


def share(parts: Iterable[Span], span: Span) -> float:
    """Return the share of ``span``, from 0 to 1, that its ``parts`` cover; they do not overlap."""
    return sum(end - begin for begin, end in parts) / max(span[1] - span[0], 1)
