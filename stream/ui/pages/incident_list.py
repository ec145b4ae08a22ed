"""The first page: what is wrong now, and what is over."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from alerts.incidents.annotations import Annotations
from alerts.messages.alert import Severity
from alerts.messages.wording import SURE, duration, short_id
from models.rfc3339 import DAY, SECOND, time_text
from stream.ui.memory.incident_log import IncidentHead
from stream.ui.memory.memory import Freshness, Memory
from stream.ui.pages.lanes import HOUR, TimeRange, range_of
from stream.ui.pages.query import ListQuery

PAGE: Final = 40
"""Resolved incidents of one page: a judgement, two screens."""

MOST_OPEN: Final = 200
"""Open incidents that the page shows, the worst: a judgement; the headline counts all."""

CHOICES: Final = 300
"""Services and tenants that the filters offer: a judgement, more are found by text."""


RANGES: Final = {"1 h": HOUR, "6 h": 6 * HOUR, "24 h": DAY, "7 d": 7 * DAY}
"""Ranges of time that are a click away, in microseconds."""


@dataclass(frozen=True, slots=True)
class IncidentRow:
    """A line of the list."""

    head: IncidentHead
    short: str
    where: str
    more: int
    """Further services."""
    lasts: str
    sure: str
    silence: str
    """Why nobody is told of it at this moment."""
    votes: int


@dataclass(frozen=True, slots=True)
class ListPage:
    """What the first page shows."""

    query: ListQuery
    headline: str
    calm: bool
    """Nothing is open, and everything can be read."""
    open: tuple[IncidentRow, ...]
    hidden_open: int
    """Open ones beyond ``MOST_OPEN``."""
    resolved: tuple[IncidentRow, ...]
    resolved_count: int
    pages: int
    services: tuple[str, ...]
    tenants: tuple[str, ...]
    health: Freshness
    ranges: tuple[tuple[str, str, bool], ...]
    """Ranges of time to choose: name, address, whether it is the one that is shown."""
    last_end: int
    """When the newest incident that is over ended, in microseconds; 0: there is none."""


def list_page(memory: Memory, query: ListQuery, now: int, *, live: bool = True) -> ListPage:
    """Return the first page at the time ``now`` (microseconds); of files, which are not ``live``, nothing is now."""
    heads = memory.heads()
    annotations = memory.annotations(head.id for head in heads)
    chosen = query.select(heads, annotations, now)
    firing = sorted((h for h in chosen if h.is_open), key=lambda h: (-h.severity, -h.updated, h.id))
    over = sorted((h for h in chosen if not h.is_open), key=lambda h: (-h.end, h.id))
    pages = max(1, -(-len(over) // PAGE))
    begin = (min(query.page, pages) - 1) * PAGE

    def rows(some: list[IncidentHead]) -> tuple[IncidentRow, ...]:
        return tuple(_row(head, annotations.get(head.id, Annotations()), now) for head in some)

    health = memory.health()
    return ListPage(
        query=query,
        headline=_headline(heads, health, live=live),
        calm=live and not health.troubles and not any(head.is_open for head in heads),
        open=rows(firing[:MOST_OPEN]),
        hidden_open=max(0, len(firing) - MOST_OPEN),
        resolved=rows(over[begin : begin + PAGE]),
        resolved_count=len(over),
        pages=pages,
        services=_most_frequent(name for head in heads for name in head.services),
        tenants=_most_frequent(head.tenant for head in heads),
        health=health,
        ranges=_ranges(query, range_of(query, heads, memory.windows().columns()[0], now, live=live)),
        last_end=max((head.end for head in heads if not head.is_open), default=0),
    )


def sureness(confidence: float | None) -> str:
    """Return in words how sure the diagnosis is."""
    if confidence is None:
        return "no diagnosis yet"
    return f"{confidence:.0%} sure" if confidence >= SURE else f"cause unclear ({confidence:.0%})"


def lasts(head: IncidentHead, now: int) -> str:
    """Return how long an incident lasted; an open one goes on, unless its clock is not that of the wall (``now``)."""
    end = now if head.is_open and 0 <= now - head.end < DAY else head.end
    return duration(max(0, (end - head.started) // SECOND))


def _row(head: IncidentHead, said: Annotations, now: int) -> IncidentRow:
    return IncidentRow(
        head=head,
        short=short_id(head.id),
        where=(head.going_on or head.services or ("unknown service",))[0],
        more=max(0, len(head.services) - 1),
        lasts=lasts(head, now),
        sure=sureness(head.confidence),
        silence=said.silence(now),
        votes=len(said.votes),
    )


def _headline(heads: list[IncidentHead], health: Freshness, *, live: bool) -> str:
    firing = [head for head in heads if head.is_open]
    if firing:
        counts = Counter(head.severity for head in firing)
        names = [f"{counts[level]} {level.label}" for level in sorted(Severity, reverse=True) if counts[level]]
        return f"{_counted(len(firing), 'open incident')}{'' if live else ' at the end'}: {', '.join(names)}"
    if not live:
        return f"{_counted(len(heads), 'incident')}, all over by the end"
    return "State unknown: the topics cannot be read" if health.troubles else "Nothing is wrong now"


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def _ranges(query: ListQuery, shown: TimeRange) -> tuple[tuple[str, str, bool], ...]:
    """Return the ranges that end where the one that is shown ends; what is shown at first has no times."""
    length = shown.end - shown.begin
    until = time_text(shown.end) if query.until else ""
    choices = [
        (name, query.link(since=time_text(shown.end - size), until=until, page=1), abs(size - length) < SECOND)
        for name, size in RANGES.items()
    ]
    chosen = bool(query.since or query.until)
    first = ("Newest", query.link(since="", until="", page=1), not chosen)
    return (first, *choices)


def _most_frequent(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(name for name, _ in Counter(names).most_common(CHOICES) if name))
