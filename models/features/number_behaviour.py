"""What the numbers at one place of a message are, judged by how they behaved in normal operation.

Durations, sizes and counts measure something; what grows, names or tells the time does not, and soon lies beyond every
number that training saw.  The order of values says more than their distribution: a counter never falls, however many
processes write into one file, while the values of a measure come in any order.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from enum import Enum, auto
from typing import Final

import numpy as np

from models.arrays import group_starts
from models.records import F64, I64

_CLOCK_S: Final = 86_400.0
"""Seconds that a clock may be off: a day, because a single-precision number of nanoseconds is off by minutes, and a
zone by hours."""

_CLOCK_UNITS: Final = (1.0, 1e3, 1e6, 1e9)
"""Seconds, milliseconds, microseconds and nanoseconds since 1970, per second."""

_MOST: Final = 0.95
"""Share of the values that show what they are, a judgement: few are resets or come out of order."""

_CHANGES: Final = 20
"""Changes needed before a few falls may be resets, a judgement."""

_RISES: Final = 3
"""Rises within groups that make a counter of what never falls, a judgement."""

_LOOKED_AT: Final = 2000
"""Values that are put into rising chains, evenly drawn: a judgement, it bounds the time of a training."""

_INTERLEAVED: Final = 0.25
"""Rising chains, as a share of those of the same values in random order, up to which several counters are interleaved.
A judgement: of 2,000 values 85 chains are expected, so some twenty processes or restarts are allowed for."""

_RISING: Final = 0.5
"""The same for values that only seem to rise: a judgement."""

_CHAINS: Final = 6
"""Chains that random order must need for the comparison to say anything, a judgement: some twenty values."""

_CORRELATION: Final = 0.2
"""Least rank correlation with time of what drifts, a judgement: within as little as ten times the span of training
it would leave the range that training saw."""

_STEADY: Final = 0.8
"""Rank correlation with time of what rises as steadily as a counter, with some noise: a judgement."""

_SIGNIFICANT: Final = 3.0
"""Standard deviations of a rank correlation by chance: one place in 700 is taken for drifting."""

_UNIQUE: Final = 0.98
"""Share of different values among whole numbers that are identifiers: a judgement."""

_WIDE: Final = 1000.0
"""Least range of random identifiers such as ports, a judgement: what is smaller was seen in full."""

_EVEN: Final = 0.08
"""How far quantiles of an even distribution may lie from a straight line, in ranges: a judgement, to which the error of
a small sample is added."""

_REPEATED: Final = 4
"""Times that each of a few large numbers comes on average, if these are names: process ids, ports."""

_NAMES_FROM: Final = 100.0
"""Least number that can be a name, a judgement: what is smaller is rather a count."""

_STATUS: Final = (100.0, 599.0)
"""Range of the status codes of HTTP, which are few, large and no names."""

_LARGEST: Final = 1e38
"""Stands for an infinite number, whose differences would be undefined."""


class NumberKind(Enum):
    """What the numbers at one place of a message are."""

    MEASURE = auto()
    CONSTANT = auto()
    """Always the same number."""
    COUNTER = auto()
    """Never falls, but for resets; several counters may be interleaved."""
    DRIFT = auto()
    """Rises over time, with falls between."""
    CLOCK = auto()
    """Seconds, milliseconds … since 1970."""
    IDENTIFIER = auto()
    """Whole numbers that name something: unique, evenly spread over a wide range, or few and large."""


def kind_of(value: F64, time: I64, groupings: Iterable[I64]) -> NumberKind:
    """Return what numbers are by how they behave.

    Args:
        value: numbers (n,), not negative, in the order of time.
        time: event time of each (n,), in microseconds since 1970.
        groupings: ways to tell apart who wrote each number (n,), such as its source: within one of them a counter does
            not fall.
    """
    value = np.minimum(value, _LARGEST)
    if not len(value) or (value == value[0]).all():
        return NumberKind.CONSTANT
    if _is_clock(value, time):
        return NumberKind.CLOCK
    drifts = False
    for group in (np.zeros(len(value), np.int64), *groupings):
        order = np.argsort(group, kind="stable")
        rising = _rising(value[order], group[order])
        if rising is NumberKind.COUNTER:
            return rising
        drifts |= rising is NumberKind.DRIFT
    if drifts:
        return NumberKind.DRIFT
    return NumberKind.IDENTIFIER if _identifies(value) else NumberKind.MEASURE


def _rising(value: F64, group: I64) -> NumberKind:
    """Return COUNTER, DRIFT or MEASURE for values (n,), ordered by group and time."""
    if _never_falls(value, group):
        return NumberKind.COUNTER
    chains, expected = _chains(value, group)
    correlation = _correlation_with_time(value, group)
    if (expected >= 2 * _CHAINS and chains <= _INTERLEAVED * expected) or correlation > _STEADY:
        return NumberKind.COUNTER
    if (expected >= _CHAINS and chains <= _RISING * expected) or correlation > _CORRELATION:
        return NumberKind.DRIFT
    return NumberKind.MEASURE


def _is_clock(value: F64, time: I64) -> bool:
    seconds = time / 1e6
    near = [float((np.abs(value / unit - seconds) < _CLOCK_S).mean()) for unit in _CLOCK_UNITS]
    return max(near) >= _MOST


def _never_falls(value: F64, group: I64) -> bool:
    """Whether values (n,), ordered by group and time, rise within their groups."""
    step = np.diff(value)[np.diff(group) == 0]
    if 2 * len(step) < len(value):
        return False
    rises, falls = int((step > 0).sum()), int((step < 0).sum())
    if not falls:
        # Where hardly anything changes, one rise says enough of all, and nothing of one group among many.
        return rises >= (1 if group[0] == group[-1] else _RISES)
    return rises + falls >= _CHANGES and rises >= _MOST * (rises + falls)


def _chains(value: F64, group: I64) -> tuple[int, int]:
    """Return how many chains that never fall cover the values (n,), group by group, and how many in random order.

    That is the length of the longest falling subsequence (Dilworth 1950): the number of counters that are interleaved,
    or about twice the root of n where order is chance.
    """
    if len(value) > _LOOKED_AT:
        kept = np.linspace(0, len(value) - 1, _LOOKED_AT).round().astype(np.int64)
        value, group = value[kept], group[kept]
    # A fixed order that has nothing to do with that of the values.
    index = np.arange(len(value), dtype=np.uint64)
    mixed = np.lexsort((index * np.uint64(0x9E3779B97F4A7C15) % np.uint64(0xFFFFFFFB), group))
    starts = group_starts(group)[1:]
    parts = zip(np.split(value, starts), np.split(value[mixed], starts), strict=True)
    chains = expected = 0
    for part, shuffled in parts:
        chains += _longest_fall(part)
        expected += _longest_fall(shuffled)
    return chains, expected


def _longest_fall(value: F64) -> int:
    """Length of the longest strictly falling subsequence (patience sorting)."""
    tails: list[float] = []
    for number in (-value).tolist():
        place = bisect_left(tails, number)
        tails[place : place + 1] = [number]
    return len(tails)


def _correlation_with_time(value: F64, group: I64) -> float:
    """Rank correlation with time, within groups, of values (n,) ordered by group and time; 0 if it may be chance."""
    starts = group_starts(group)
    sizes = np.diff(np.append(starts, len(group)))
    member = np.repeat(np.arange(len(starts)), sizes)
    order = np.lexsort((value, member))
    # Equal values share the mean of their ranks: in the order of time they would seem to rise.
    distinct = np.ones(len(value), np.bool_)
    distinct[1:] = (np.diff(value[order]) != 0) | (np.diff(member[order]) != 0)
    tie = np.cumsum(distinct) - 1
    mean_rank = np.bincount(tie, weights=np.arange(len(value))) / np.bincount(tie)
    rank = np.empty(len(value))
    rank[order] = mean_rank[tie]
    middle, size = (starts + (sizes - 1) / 2)[member], sizes[member]
    by_value, by_time = (rank - middle) / size, (np.arange(len(value)) - middle) / size
    spread = float(np.sqrt((by_value**2).sum() * (by_time**2).sum()))
    degrees = len(value) - len(starts)
    if spread == 0.0 or degrees < 1:
        return 0.0
    correlation = float((by_value * by_time).sum()) / spread
    return correlation if correlation * np.sqrt(degrees) > _SIGNIFICANT else 0.0


def _identifies(value: F64) -> bool:
    """Whether values (n,) are whole numbers that name something."""
    if (value == np.round(value)).mean() < _MOST:
        return False
    distinct, count = np.unique(value, return_counts=True)
    return any(_naming(distinct, count, np.sort(value)))


def _naming(distinct: F64, count: I64, ordered: F64) -> Iterator[bool]:
    """Unique numbers; numbers evenly spread over a wide range without a mode; few large ones that come again."""
    n, low, high = len(ordered), float(ordered[0]), float(ordered[-1])
    yield len(distinct) >= _UNIQUE * n
    shares = np.linspace(0.1, 0.9, 9)
    off = np.abs((np.quantile(ordered, shares) - low) / (high - low) - shares).max()
    no_mode = int(count.max()) <= max(3.0, 0.02 * n)
    yield high - low >= _WIDE and no_mode and bool(off <= _EVEN + 0.5 / np.sqrt(n))
    is_status = low >= _STATUS[0] and high <= _STATUS[1]
    yield low >= _NAMES_FROM and not is_status and _REPEATED * len(distinct) <= n
