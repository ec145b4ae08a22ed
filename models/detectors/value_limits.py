"""Values inside lines that are far larger than training ever showed: calls that take long, sizes, queues.

Numbers are compared on a logarithmic scale, in which what takes ten times as long is the same step for fast and for
slow calls.  A single outlier says little; the excess is summed over the window.
"""

from dataclasses import dataclass, field
from typing import Final, Self

import numpy as np

from models.arrays import group_starts, splits
from models.detectors.base import Arrays, TemplateText, rows_of, significant
from models.detectors.number_meaning import meaning_of
from models.features.vocabulary import SPECIAL
from models.features.window_features import WindowFeatures
from models.findings import Finding, to_millisecond
from models.records import BOOL, F32, F64, I64, VALUES

FEW: Final = 30
"""Values of one place in one template that must have been seen, a judgement."""

QUANTILE: Final = 0.995
"""Share of the values seen that are at most the limit: a judgement."""

MOST: Final = 5.0
"""Largest excess of one line, in spreads: a judgement, so that one outlier is not the whole score."""

_LEAST_SPREAD: Final = 0.4
"""Least spread of a logarithm, a judgement: a factor of 1.5."""

_KEPT: Final = 2_000_000
"""Values that training keeps: 40 MB with their places and offsets."""

_SCALE: Final = 1000
"""Excess is summed in thousandths of a spread, as whole numbers."""


class Values:
    """``limit`` and ``spread`` (tokens, VALUES): the quantile of each value, and how far its logarithm spreads."""

    name = "values"

    def __init__(self, limit: F32, spread: F32) -> None:
        self._limit = limit
        self._spread = spread

    def score(self, features: WindowFeatures) -> F64:
        """Return the summed excess of all lines of each window, in spreads."""
        excess = self._excess(features.tokens, features.windows.values).max(axis=1, initial=0.0)
        # Whole numbers add up exactly, so the score is the same in any batch.
        total = splits(np.round(excess * _SCALE).astype(np.int64))
        scores: F64 = (total[features.windows.splits[1:]] - total[features.windows.splits[:-1]]) / _SCALE
        return scores

    def findings(self, features: WindowFeatures, window: int, text: TemplateText) -> list[Finding]:
        """Return the template whose values exceed the usual most, with the median of the values that do."""
        rows = rows_of(features, window)
        tokens, values = features.tokens[rows], features.windows.values[rows]
        excess = self._excess(tokens, values)
        by_token = np.zeros(len(self._limit))
        np.add.at(by_token, tokens, excess.max(axis=1, initial=0.0))
        token = int(by_token.argmax())
        if not by_token[token]:
            return []
        lines = np.flatnonzero(tokens == token)
        column = int(excess[lines].sum(axis=0).argmax())
        lines = lines[excess[lines, column] > 0]
        value = float(np.sort(values[lines, column])[len(lines) // 2])
        template = text(token)
        numbers = int((~np.isnan(values[lines[0]])).sum())
        kind, unit = meaning_of(template, column, numbers, value)
        return [
            Finding(
                kind,
                template,
                value=significant(value),
                usual=significant(float(self._limit[token, column])),
                unit=unit,
                count=len(lines),
                moment=to_millisecond(int(features.windows.time[rows][lines].min())),
            )
        ]

    def _excess(self, tokens: I64, values: F32) -> F64:
        """Return by how many spreads each value (n, VALUES) exceeds what is usual."""
        limit = self._limit[tokens]
        row, column = np.nonzero(values > limit)
        excess = np.zeros(values.shape)
        high = np.log1p(limit[row, column].astype(np.float64))
        step = np.log1p(values[row, column].astype(np.float64)) - high
        excess[row, column] = np.minimum(step / self._spread[tokens[row], column], MOST)
        return excess

    def arrays(self) -> Arrays:
        """Return limits and spreads."""
        return {"limit": self._limit, "spread": self._spread}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Make a detector of what ``arrays`` returned."""
        return cls(np.asarray(arrays["limit"], np.float32), np.asarray(arrays["spread"], np.float32))


@dataclass(slots=True)
class ValueSamples:
    """Collects the values of lines of normal operation; of very many lines only half, a quarter … are kept.

    Which ones is drawn by their offsets: a line's values stay together, and no rhythm of the log matters.
    """

    tokens: int
    _parts: list[tuple[I64, F32, I64]] = field(default_factory=list)
    """Places (token times VALUES plus column), values and offsets."""
    _stride: int = 1

    def __len__(self) -> int:
        """Number of values kept."""
        return sum(len(value) for _, value, __ in self._parts)

    def add(self, features: WindowFeatures, rows: I64) -> None:
        """Add the values of these rows."""
        rows = rows[_drawn(features.windows.offset[rows], self._stride)]
        values = features.windows.values[rows]
        row, column = np.nonzero(values >= 0)
        place = features.tokens[rows[row]] * VALUES + column
        self._parts.append((place, values[row, column], features.windows.offset[rows[row]]))
        if len(self) > _KEPT:
            self._stride *= 2
            self._parts = [_thinned(*part, self._stride) for part in self._parts]

    def fit(self) -> Values:
        """Make a detector: limits where enough values were seen, infinite elsewhere."""
        limit = np.full(self.tokens * VALUES, np.inf, np.float32)
        spread = np.ones(self.tokens * VALUES, np.float32)
        if len(self):
            place, value = (np.concatenate([part[i] for part in self._parts]) for i in (0, 1))
            order = np.lexsort((value, place))
            place, value = place[order], value[order]
            first = group_starts(place)
            for number, group in zip(place[first].tolist(), np.split(value, first[1:]), strict=True):
                if len(group) >= FEW and number >= SPECIAL * VALUES:
                    high = group[int(QUANTILE * (len(group) - 1))]
                    middle = group[len(group) // 2]
                    limit[number] = high
                    spread[number] = max(float(np.log1p(high) - np.log1p(middle)), _LEAST_SPREAD)
        return Values(limit.reshape(-1, VALUES), spread.reshape(-1, VALUES))


def _thinned(place: I64, value: F32, offset: I64, stride: int) -> tuple[I64, F32, I64]:
    kept = _drawn(offset, stride)
    return place[kept], value[kept], offset[kept]


def _drawn(offset: I64, stride: int) -> BOOL:
    """Return which lines (n,) are among one in ``stride``, a power of two; a larger stride draws some of the same."""
    high = (offset.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(32)
    drawn: BOOL = high % np.uint64(stride) == 0
    return drawn
