"""A range of time against another: which messages are new, gone, more or less frequent."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import log
from typing import Final, Self

from models.errors import InvalidError
from models.rfc3339 import DAY, SECOND, parse_time, time_text
from stream.ui.memory.range_reader import CountedRange, KindCount, LineKind

ROWS: Final = 40
"""Kinds of messages of each sort that are shown, the most telling: a judgement."""

TIMES: Final = 2.0
"""From how many times as frequent on a kind counts as more (or less) frequent: a judgement."""

CERTAIN: Final = 10.83
"""Likelihood ratio from which a difference is no chance, at one in a thousand (chi-squared, one degree of freedom)."""

LONGEST: Final = 7 * DAY
"""Microseconds of a range at most: a judgement, the topic keeps three days by default."""

HOUR: Final = 3_600 * SECOND
"""Microseconds: what is compared with at first."""

_LEVELS: Final = ("critical", "error", "warning", "info", "debug", "")


@dataclass(frozen=True, slots=True)
class CompareQuery:
    """What an address asks to compare: a range with an earlier one, in microseconds; ``service`` "" is all."""

    begin: int
    end: int
    base_begin: int
    base_end: int
    service: str = ""

    @classmethod
    def of(cls, values: Mapping[str, str], newest: int) -> Self:
        """Read the parameters of an address; what it leaves out is the last quarter of an hour, and the hour before.

        Raises:
            InvalidError: one is no time, or a range ends before it begins, or is too long.
        """
        end = read_time(values.get("until"), newest)
        begin = read_time(values.get("since"), end - HOUR // 4)
        base_end = read_time(values.get("base_until"), begin)
        base_begin = read_time(values.get("base_since"), base_end - HOUR)
        checked_range(begin, end)
        checked_range(base_begin, base_end)
        return cls(begin, end, base_begin, base_end, values.get("service", "").strip()[:200])


@dataclass(frozen=True, slots=True)
class Difference:
    """A kind of message in both ranges; ``times`` is how many times as frequent it is, None where it is new or gone."""

    service: str
    level: str
    template: str
    count: int
    before: int
    times: float | None
    first: int
    example: str
    weight: float
    """Likelihood ratio: how far from chance the difference is."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What differs, the most telling first, and how many of each sort there are in all."""

    new: tuple[Difference, ...]
    gone: tuple[Difference, ...]
    more: tuple[Difference, ...]
    fewer: tuple[Difference, ...]
    totals: tuple[int, int, int, int]
    same: int
    services: tuple[str, ...]


def compared(now: CountedRange, before: CountedRange, service: str = "") -> Comparison:
    """Return what differs between a range and an earlier one; ``service`` "" is all."""
    kinds = now.kinds.keys() | before.kinds.keys()
    every = [_difference(kind, now, before) for kind in sorted(kinds) if not service or kind[0] == service]
    new = sorted((d for d in every if not d.before), key=lambda d: (_LEVELS.index(d.level), d.first))
    gone = sorted((d for d in every if not d.count and d.weight >= CERTAIN), key=lambda d: -d.weight)
    both = sorted((d for d in every if d.times is not None and d.weight >= CERTAIN), key=lambda d: -d.weight)
    more = [d for d in both if (d.times or 1.0) >= TIMES]
    fewer = [d for d in both if (d.times or 1.0) <= 1 / TIMES]
    sorts = (new, gone, more, fewer)
    return Comparison(
        new=tuple(new[:ROWS]),
        gone=tuple(gone[:ROWS]),
        more=tuple(more[:ROWS]),
        fewer=tuple(fewer[:ROWS]),
        totals=(len(new), len(gone), len(more), len(fewer)),
        same=len(every) - sum(map(len, sorts)),
        services=tuple(sorted({kind[0] for kind in kinds if kind[0]})),
    )


def likelihood_ratio(count: int, length: float, before: int, before_length: float) -> float:
    """Return how far from chance two counts are: the likelihood ratio of two Poisson rates against one.

    Dunning, "Accurate methods for the statistics of surprise and coincidence", Computational Linguistics 19 (1993).
    """
    total, time = count + before, length + before_length
    expected = ((count, total * length / time), (before, total * before_length / time))
    return 2 * sum(seen * log(seen / mean) for seen, mean in expected if seen)


def _difference(kind: LineKind, now: CountedRange, before: CountedRange) -> Difference:
    nothing = KindCount(0, 0, "")
    here, there = now.kinds.get(kind, nothing), before.kinds.get(kind, nothing)
    length, earlier = (now.end - now.begin) / SECOND, (before.end - before.begin) / SECOND
    times = (here.count / length) / (there.count / earlier) if here.count and there.count else None
    return Difference(
        *kind,
        count=here.count,
        before=there.count,
        times=times,
        first=(here if here.count else there).first,
        example=(here if here.count else there).example,
        weight=likelihood_ratio(here.count, length, there.count, earlier),
    )


def checked_range(begin: int, end: int) -> None:
    """Check a range, in microseconds.

    Raises:
        InvalidError: it ends before it begins, or is longer than a week.
    """
    if not 0 < end - begin <= LONGEST:
        raise InvalidError(f"{time_text(begin)} to {time_text(end)} is no range", "give one of at most seven days")


def read_time(text: str | None, otherwise: int) -> int:
    """Return a time of an address in microseconds, ``otherwise`` where there is none; UTC where it names no zone.

    Raises:
        InvalidError: it is no time.
    """
    if not text or not text.strip():
        return otherwise
    text = text.strip()
    try:
        return parse_time(text if text[-1:] == "Z" or "+" in text[10:] else f"{text}Z")
    except ValueError as error:
        raise InvalidError(f"{text[:40]!r} is no time", f"write {time_text(0)[:19]}Z") from error
