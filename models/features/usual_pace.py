"""How long calls of a service usually take, minute by minute: a slow minute is told from one slow call.

The logarithm of a duration is normal within a minute, and the means of minutes are normal around that of all; a mean
of few minutes is judged by Student's t.  All calls of a minute wait for the same things, so that a minute counts as one
observation, however many calls it has.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from models.features.sequences import SHARED
from models.features.window_features import WindowFeatures
from models.records import F64, I64, VALUES

FEW: Final = 30
"""Durations of one place that must have been seen, a judgement."""

MINUTES: Final = 6
"""Minutes in which they must have been seen, a judgement."""

CALLS: Final = 3
"""Calls of a window that show a pace, a judgement: one or two may be odd ones."""

BLOCK_S: Final = 600.0
"""Seconds in which one such pace of any service is expected where the surprise is 0: a block of calibration."""

_LEAST_SPREAD: Final = 0.4
"""Least spread of a minute's mean logarithm, a judgement: a factor of 1.5, as load changes more within a day than in
the minutes that were seen."""

_TOKENS: Final = 1 << 24
"""More tokens than any vocabulary has."""

_MINUTE_US: Final = 60_000_000
_KEPT: Final = 2000
"""Minutes of a place that are kept, a judgement: a day and a half."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Places (m,): ``code`` ascending, ``floor`` that is added to durations before the logarithm.

    ``mean`` is that of the logarithms, ``within`` their variance in a minute, ``between`` that of minutes' means, known
    from ``freedom`` + 1 minutes.
    """

    code: I64
    floor: F64
    mean: F64
    within: F64
    between: F64
    freedom: F64

    def surprise(self, features: WindowFeatures) -> tuple[I64, I64, F64, F64]:
        """Return window, place, mean logarithm and surprise of all that sources' windows show enough of.

        The surprise is in nats below once in ``BLOCK_S``, 0 where the pace is usual.  Shapes (k,).
        """
        window, place, count, total = self._sums(features)
        mean = total / count
        spread = np.sqrt(np.maximum(self.between[place], _LEAST_SPREAD**2) + self.within[place] / count)
        z, freedom = (mean - self.mean[place]) / spread, self.freedom[place]
        # An upper bound of the tail of Student's t from its density; tight where it is small.
        tail = np.log(np.maximum(z, 1.0) * (1.0 - 1.0 / freedom) * np.sqrt(2.0 * np.pi))
        tail += (freedom - 1.0) / 2.0 * np.log1p(z * z / freedom)
        nats = tail - np.log(max(len(self.code), 1) * BLOCK_S * 1e6 / _MINUTE_US)
        return window, place, mean, np.where(z > 1.0, np.maximum(nats, 0.0), 0.0)

    def _sums(self, features: WindowFeatures) -> tuple[I64, I64, F64, F64]:
        """Window, place, number of calls and sum of their logarithms, where there are ``CALLS``."""
        values = features.windows.values
        group = features.group[features.window]
        judged = (group > SHARED) & features.complete[features.window]
        row, column = np.nonzero((values >= 0) & judged[:, None])
        code = code_of(group[row], features.tokens[row], column)
        place = np.minimum(np.searchsorted(self.code, code), len(self.code) - 1)
        known = self.code[place] == code if len(self.code) else np.zeros(len(code), np.bool_)
        row, column, place = row[known], column[known], place[known]
        taken = np.log(values[row, column].astype(np.float64) + self.floor[place])
        pair, of = np.unique(features.window[row] * max(len(self.code), 1) + place, return_inverse=True)
        # Whole numbers add up exactly, so the sum is the same in any batch.
        count, total = np.bincount(of, minlength=len(pair)), np.zeros(len(pair), np.int64)
        np.add.at(total, of, np.round(taken * 1e6).astype(np.int64))
        enough = count >= CALLS
        window, place = np.divmod(pair[enough], max(len(self.code), 1))
        return window, place, count[enough].astype(np.float64), total[enough] / 1e6

    def table(self) -> F64:
        """Return all columns as one table (6, m)."""
        return np.stack([self.code.astype(np.float64), self.floor, self.mean, self.within, self.between, self.freedom])

    @classmethod
    def from_table(cls, table: F64) -> "Pace":
        """Make what ``table`` returned."""
        return cls(table[0].astype(np.int64), *table[1:])


@dataclass(slots=True)
class PaceSamples:
    """Collects durations of normal operation per minute; ``floors`` are those of the first values of each token."""

    floors: Sequence[Sequence[float]]
    _minutes: dict[int, dict[int, tuple[float, float, float]]] = field(default_factory=dict)
    _known: I64 = field(init=False)
    """Number of floors of each token."""

    def __post_init__(self) -> None:
        """Count floors once."""
        self._known = np.array([len(floors) for floors in self.floors], np.int64)

    def add(self, features: WindowFeatures, rows: I64) -> None:
        """Add these rows of sources' windows, each line once."""
        windows = features.windows
        shown = windows.values[rows] >= 0
        shown &= np.arange(VALUES) < self._known[features.tokens[rows]][:, None]
        shown &= (features.group[features.window[rows]] > SHARED)[:, None]
        index, column = np.nonzero(shown)
        row = rows[index]
        tokens, group = features.tokens[row], features.group[features.window[row]]
        floor = np.array([self.floors[t][c] for t, c in zip(tokens.tolist(), column.tolist(), strict=True)], np.float64)
        taken = np.log(windows.values[row, column].astype(np.float64) + floor)
        tenant = np.array([zlib.crc32(name.encode()) for name in windows.tenants], np.int64)
        minute = tenant[features.window[row]] << 31 ^ windows.time[row] // _MINUTE_US
        codes = code_of(group, tokens, column)
        for code, when, value in zip(codes.tolist(), minute.tolist(), taken.tolist(), strict=True):
            minutes = self._minutes.setdefault(code, {})
            if when in minutes or len(minutes) < _KEPT:
                n, total, squares = minutes.get(when, (0.0, 0.0, 0.0))
                minutes[when] = (n + 1.0, total + value, squares + value * value)

    def fit(self) -> Pace:
        """Fit the places of which enough was seen."""
        places = [place for code in sorted(self._minutes) if (place := self._fit(code))]
        table = np.array(places, np.float64).reshape(-1, 6).T
        return Pace.from_table(np.round(table, 6))

    def _fit(self, code: int) -> tuple[float, ...] | None:
        minutes = np.array(sorted(self._minutes[code].values()), np.float64)
        n, total, squares = minutes.T
        if n.sum() < FEW or len(n) < MINUTES:
            return None
        means = total / n
        within = max(float((squares - total * means).sum()), 0.0) / max(float(n.sum()) - len(n), 1.0)
        between = max(float(means.var(ddof=1)) - within * float((1.0 / n).mean()), 0.0)
        token, column = token_of(code)
        return code, self.floors[token][column], total.sum() / n.sum(), within, between, len(n) - 1


def code_of(group: I64, token: I64, column: I64) -> I64:
    """Number of a place: the values in one column of one token, written by one group's service."""
    code: I64 = (group * _TOKENS + token) * VALUES + column
    return code


def token_of(code: int) -> tuple[int, int]:
    """Token and column of a place."""
    token, column = divmod(code, VALUES)
    return token % _TOKENS, column
