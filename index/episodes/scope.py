"""Which lines belong to an episode: those of its time, without the failures of other episodes."""

from collections.abc import Sequence
from typing import Final, TypeAlias

import numpy as np

from index.episodes.signs import APART_US, grades
from index.episodes.types import LogEpisode
from index.evidence.relevance import Assessment
from index.evidence.request_trace import CLOCK_SKEW_US
from index.lines.log_lines import LogLines
from index.lines.log_records import LogRecords
from index.lines.service_layers import project
from models.rfc3339 import SECOND

CONTEXT_US: Final = 30 * SECOND
"""Microseconds between two episodes of which one may be the cause of the other (a judgement)."""

_FOLLOWS_US: Final = 120 * SECOND
"""Microseconds after an episode in which what the same projects write may follow from it (a judgement)."""

_WARNED_US: Final = 300 * SECOND
"""Microseconds after it in which a warning of the same projects may (a judgement: users try again for minutes)."""

HISTORY_US: Final = 900 * SECOND
"""Microseconds of lines before an episode that show what is usual, as ``EvidenceLimits.before_s``."""

AFTER_US: Final = 60 * SECOND
"""Microseconds of lines after it, as ``EvidenceLimits.after_s``."""

Span: TypeAlias = tuple[int, int]
"""Begin and end of a stretch of time (microseconds)."""


def near(episode: LogEpisode, episodes: Sequence[LogEpisode]) -> list[LogEpisode]:
    """Return an episode, and of others what may belong to it though nothing ties them.

    These are errors in its time, or nearly, and what its projects wrote in its time or soon after, which may follow
    from it; what others wrote earlier or later is theirs.
    """
    projects = {project(sign.service) or sign.service for sign in episode.signs}
    out = [episode]
    for other in episodes:
        own = not projects.isdisjoint(project(sign.service) or sign.service for sign in other.signs)
        if other is not episode and (other.strong or own):
            until = episode.end + (CONTEXT_US if not own else _FOLLOWS_US if other.strong else _WARNED_US)
            signs = [sign for sign in other.signs if sign.end >= episode.start - CONTEXT_US and sign.start <= until]
            out += [LogEpisode(tuple(signs))] if signs else []
    return out


def time_of(episode: LogEpisode, meanwhile: Sequence[LogEpisode]) -> Span:
    """Return the time of an episode with what may belong to it; warnings make it end later, not begin earlier."""
    begin = min(other.start for other in (episode, *meanwhile) if other is episode or other.strong)
    return begin, max(other.end for other in (episode, *meanwhile))


def lines_of(
    material: LogLines, records: LogRecords, what: Assessment, time: Span, episodes: Sequence[LogEpisode]
) -> LogLines:
    """Return the lines around some episodes, without failures that belong to other ones or that are always there."""
    begin, end = time
    strong, weak, always = grades(records, what)
    of = what.groups.of
    failing = (strong | weak)[of]
    outside = (records.time < begin - CLOCK_SKEW_US) | (records.time > end + AFTER_US)
    # A burst is one sign: its records share group and time with the one that stands for them.
    kept = {
        (int(of[sign.row]), sign.start // APART_US) for episode in episodes for sign in episode.signs if sign.row >= 0
    }
    rows = np.flatnonzero(failing & ~outside)
    keys = zip(of[rows].tolist(), (records.time[rows] // APART_US).tolist(), strict=True)
    others = np.zeros(len(records), np.bool_)
    others[rows] = [key not in kept for key in keys]
    left = records.without(material, (failing & outside) | others | always[of])
    return left.scope(None, begin - HISTORY_US, end + AFTER_US)
