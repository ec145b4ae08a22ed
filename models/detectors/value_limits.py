"""Values inside lines that are far larger than training ever showed: calls that take long, sizes, queues.

Numbers are compared on a logarithmic scale, in which what takes ten times as long is the same step for fast and for
slow calls.  A single outlier says little; the excess is summed over the window.
"""

from dataclasses import dataclass, field
from typing import Final, Self

import numpy as np

from models.arrays import group_starts, splits
from models.detectors.base import Arrays, Reason
from models.features.vocabulary import SPECIAL
from models.features.window_features import WindowFeatures
from models.records import BOOL, F32, F64, I64, VALUES

FEW: Final = 30
"""Values of one place in one template that must have been seen."""

QUANTILE: Final = 0.995
MOST: Final = 5.0
"""Largest excess of one line."""

_LEAST_SPREAD: Final = 0.4
_KEPT: Final = 2_000_000
_SCALE: Final = 1000


class Values:
    """``limit`` and ``spread`` (tokens, VALUES): the quantile of each value, and how far its logarithm spreads."""

    name = "values"

    def __init__(self, limit: F32, spread: F32) -> None:
        self._limit = limit
        self._spread = spread

    def score(self, facts: WindowFeatures) -> F64:
        """Summed excess of all lines of each window, in spreads."""
        excess = np.round(self._excess(facts.tokens, facts.windows.values).max(axis=1, initial=0.0) * _SCALE)
        total = splits(excess.astype(np.int64))
        out: F64 = (total[facts.windows.splits[1:]] - total[facts.windows.splits[:-1]]) / _SCALE
        return out

    def reasons(self, facts: WindowFeatures, window: int) -> list[Reason]:
        """The template whose values stand out most."""
        rows = slice(int(facts.windows.splits[window]), int(facts.windows.splits[window + 1]))
        tokens, values = facts.tokens[rows], facts.windows.values[rows]
        excess = self._excess(tokens, values)
        by_token = np.zeros(len(self._limit))
        np.add.at(by_token, tokens, excess.max(axis=1, initial=0.0))
        token = int(by_token.argmax())
        mine = np.flatnonzero(tokens == token)
        if not by_token[token]:
            return []
        column = int(excess[mine].sum(axis=0).argmax())
        shown = np.sort(values[mine, column][excess[mine, column] > 0])
        return [
            Reason(
                f"{len(shown)} of {{0}} with values like {shown[len(shown) // 2]:.3g},"
                f" usually below {self._limit[token, column]:.3g}",
                (token,),
            )
        ]

    def _excess(self, tokens: I64, values: F32) -> F64:
        """By how many spreads each value (n, VALUES) exceeds what is usual."""
        limit = self._limit[tokens]
        row, column = np.nonzero(values > limit)
        out = np.zeros(values.shape)
        high = np.log1p(limit[row, column].astype(np.float64))
        step = np.log1p(values[row, column].astype(np.float64)) - high
        out[row, column] = np.minimum(step / self._spread[tokens[row], column], MOST)
        return out

    def arrays(self) -> Arrays:
        """Limits and spreads."""
        return {"limit": self._limit, "spread": self._spread}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Read what ``arrays`` gave."""
        return cls(np.asarray(arrays["limit"], np.float32), np.asarray(arrays["spread"], np.float32))


@dataclass(slots=True)
class ValueSamples:
    """Collects the values of lines of normal operation; of very many lines only half, a quarter … are kept.

    Which ones is drawn by their offsets: a line's values stay together, and no rhythm of the log matters.
    """

    tokens: int
    _parts: list[tuple[I64, F32, I64]] = field(default_factory=list)
    """Places, values and offsets."""
    _stride: int = 1

    def __len__(self) -> int:
        """Number of values kept."""
        return sum(len(value) for _, value, __ in self._parts)

    def add(self, facts: WindowFeatures, rows: I64) -> None:
        """Add these rows."""
        rows = rows[_drawn(facts.windows.offset[rows], self._stride)]
        values = facts.windows.values[rows]
        row, column = np.nonzero(values >= 0)
        place = facts.tokens[rows[row]] * VALUES + column
        self._parts.append((place, values[row, column], facts.windows.offset[rows[row]]))
        if len(self) > _KEPT:
            self._stride *= 2
            self._parts = [_thinned(*part, self._stride) for part in self._parts]

    def fit(self) -> Values:
        """Limits where enough values were seen, infinite elsewhere."""
        limit = np.full(self.tokens * VALUES, np.inf, np.float32)
        spread = np.ones(self.tokens * VALUES, np.float32)
        if len(self):
            place, value = (np.concatenate([part[i] for part in self._parts]) for i in (0, 1))
            order = np.lexsort((value, place))
            place, value = place[order], value[order]
            first = group_starts(place)
            for at, group in zip(place[first].tolist(), np.split(value, first[1:]), strict=True):
                if len(group) >= FEW and at >= SPECIAL * VALUES:
                    high = group[int(QUANTILE * (len(group) - 1))]
                    middle = group[len(group) // 2]
                    limit[at] = high
                    spread[at] = max(float(np.log1p(high) - np.log1p(middle)), _LEAST_SPREAD)
        return Values(limit.reshape(-1, VALUES), spread.reshape(-1, VALUES))


def _thinned(place: I64, value: F32, offset: I64, stride: int) -> tuple[I64, F32, I64]:
    kept = _drawn(offset, stride)
    return place[kept], value[kept], offset[kept]


def _drawn(offset: I64, stride: int) -> BOOL:
    """Which lines (n,) are among one in ``stride``, a power of two; those among one in twice as many are of them."""
    high = (offset.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(32)
    drawn: BOOL = high % np.uint64(stride) == 0
    return drawn
