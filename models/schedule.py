"""Which bundle judges which window: each the one that was due at its time, whenever a worker hears of the change.

A window's time is its end, or when the frame that closes it was stored, if that is earlier: a clock that is ahead must
not bring a bundle before it is due.  Both are on record, so a replay comes to the same.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from models.arrays import ranges
from models.records import BOOL, F32, I64, WindowBatch
from models.scorer import Decisions, Scorer
from models.windows.batches import take


class ScorerSchedule(Protocol):
    """Bundles by the time from which each is due."""

    def due(self, times: I64) -> Sequence[tuple[Scorer, BOOL]]:
        """Return the scorers that are due at some times (n,) in microseconds, earlier ones first, each with its times.

        Every time belongs to exactly one scorer; one without a time may be left out.
        """

    def before(self, scorer: Scorer) -> Scorer | None:
        """Return the scorer that stands in for one that cannot judge; None where there is no other."""

    def give_up(self, scorer: Scorer, error: Exception) -> None:
        """Take note that a scorer failed on windows on which the one before it did not."""


@dataclass(frozen=True, slots=True)
class OneScorer:
    """A schedule in which nothing changes."""

    scorer: Scorer

    def due(self, times: I64) -> Sequence[tuple[Scorer, BOOL]]:
        """Return the one scorer for all times."""
        return [(self.scorer, np.ones(len(times), np.bool_))]

    def before(self, scorer: Scorer) -> Scorer | None:  # noqa: ARG002 - there is but one
        """Return None."""
        return None

    def give_up(self, scorer: Scorer, error: Exception) -> None:
        """Do nothing: nobody stands in for it."""


@dataclass(frozen=True, slots=True)
class JointDecisions:
    """What several bundles decided of one batch: ``parts`` are decisions and the numbers in the batch that they are of.

    ``surprise`` is that of all rows (rows,), in nats.
    """

    windows: WindowBatch
    surprise: F32
    parts: Sequence[tuple[Decisions, I64]]


def decide_by_schedule(
    schedule: ScorerSchedule, windows: WindowBatch, times: I64, foreign_until: Callable[[str], I64]
) -> JointDecisions:
    """Let each window be decided by the bundle that is due at its time (n,), in microseconds.

    ``foreign_until`` gives for a version of templates what ``Scorer.decide`` takes, by window (n,).  Where a bundle
    fails, the one before it decides, and the schedule is told; what both fail on is raised.
    """
    due = [(scorer, np.flatnonzero(chosen)) for scorer, chosen in schedule.due(times)]
    groups = [(scorer, numbers) for scorer, numbers in due if len(numbers)]
    if len(groups) <= 1:
        scorer, numbers = (groups or due)[-1]
        decided = _decide(schedule, scorer, windows, foreign_until)
        return JointDecisions(windows, decided.surprise, [(decided, numbers)])
    surprise, parts = windows.surprise.copy(), []
    for scorer, numbers in groups:
        part = take(replace(windows, surprise=surprise), numbers)
        decided = _decide(schedule, scorer, part, _chosen(foreign_until, numbers))
        rows = ranges(windows.splits[numbers], windows.splits[numbers + 1])
        surprise[rows] = decided.surprise
        # An event is new in one window, which an earlier bundle may have judged: a later one goes by that surprise.
        _spread(surprise, windows.row_ids, rows)
        parts.append((decided, numbers))
    return JointDecisions(windows, surprise, parts)


def _chosen(foreign_until: Callable[[str], I64], numbers: I64) -> Callable[[str], I64]:
    return lambda version: foreign_until(version)[numbers]


def _decide(
    schedule: ScorerSchedule, scorer: Scorer, windows: WindowBatch, foreign_until: Callable[[str], I64]
) -> Decisions:
    try:
        return scorer.decide(windows, foreign_until(scorer.templates_version))
    except Exception as error:
        other = schedule.before(scorer)
        if other is None:
            raise
        # Where the windows are to blame, and not the bundle, this fails as well.
        decided = other.decide(windows, foreign_until(other.templates_version))
        schedule.give_up(scorer, error)
        return decided


def _spread(surprise: F32, row_ids: I64, rows: I64) -> None:
    """Give what has no surprise yet that of the same row among ``rows``."""
    known = rows[~np.isnan(surprise[rows])]
    unknown = np.flatnonzero(np.isnan(surprise))
    if not len(known) or not len(unknown):
        return
    order = np.argsort(row_ids[known], kind="stable")
    ids, values = row_ids[known][order], surprise[known][order]
    place = np.maximum(np.searchsorted(ids, row_ids[unknown], "right") - 1, 0)
    surprise[unknown] = np.where(ids[place] == row_ids[unknown], values[place], np.nan)
