"""Too many or too few of one template, by what windows of the group normally hold, at this hour where that is known.

Counts are compared after a square root, which makes the spread of Poisson counts the same at any rate (Anscombe,
Biometrika 1948).  Where training spans weeks, each hour of the week has a mean of its own, where it spans days each
hour of the day (UTC): what is much at night may be little at noon.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

import numpy as np

from models.arrays import unique
from models.detectors.base import Arrays, TemplateText
from models.features.normal_samples import Samples
from models.features.window_features import WindowFeatures
from models.findings import Finding, FindingKind
from models.records import F64, I64

_FEW: Final = 20
"""Windows that a group needs for a baseline, a judgement."""

_LEAST_SPREAD: Final = 0.35
"""Least spread of the root of a count: that of a Poisson count is 0.5; a template that is always there exactly n times
has none.  A judgement."""

_HOUR: Final = 3_600_000_000
"""Microseconds."""

_CYCLES: Final = (168, 24, 1)
"""Hours of a cycle, the longest first: a week, a day, none."""

_KNOWN: Final = 2 / 3
"""Share of a cycle's hours that training must have seen twice.  As a fifth of the time is held back, it takes three
days or three weeks.  A judgement."""

_UNBROKEN: Final = 0.5
"""Share of the hours between its first and its last that training must hold, a judgement."""

_PRIOR: Final = 40
"""Windows for which the mean of all hours counts beside those of one hour: ten minutes at a step of
15 s.  A judgement."""

_ROUNDING: Final = 1e-6
"""Tolerance of roots, whose bounds are kept with nine digits; of counts, their squares, a thousand times as
much."""

_DIGITS: Final = 6
"""Decimals of a score: coarser than the rounding errors of different machines."""

_ROWS: Final = 256
"""Windows that are explained at once, which bounds memory."""

_SHOWN: Final = 3
"""Templates that are named of a window, a judgement."""


@dataclass(frozen=True, slots=True)
class _Usual:
    """One group: tokens (v,), the mean root of their counts for each hour of a cycle (hours, v), and how far roots are
    from it: their spread (v,), the lowest and the highest that are usual."""  # noqa: D205, D209

    tokens: I64
    mean: F64
    spread: F64
    low: F64
    high: F64

    def expected(self, end: I64) -> F64:
        """Return the mean root of each token's count in windows that end at these moments (n, v)."""
        means: F64 = self.mean[end // _HOUR % len(self.mean)]
        return means


class Rates:
    """Baselines per group."""

    name = "rates"

    def __init__(self, usual: Mapping[int, _Usual]) -> None:
        self._usual = dict(usual)

    def score(self, features: WindowFeatures) -> F64:
        """Return the largest distance from the mean, in spreads, of counts outside the range seen; NaN without one."""
        scores = np.full(len(features.group), np.nan)
        for group, usual in self._usual.items():
            windows = np.flatnonzero((features.group == group) & features.complete)
            if len(windows):
                scores[windows] = _distances(features, windows, usual)[1].max(axis=1, initial=0.0)
        return np.round(scores, _DIGITS)

    def findings(self, features: WindowFeatures, windows: I64, text: TemplateText) -> list[list[Finding]]:
        """Return the templates that are farthest from what is usual."""
        out: list[list[Finding]] = [[] for _ in windows]
        for number, usual in self._usual.items():
            asked = np.flatnonzero((features.group[windows] == number) & features.complete[windows])
            for start in range(0, len(asked), _ROWS):
                block = asked[start : start + _ROWS]
                findings = _farthest(features, windows[block], usual, text)
                for place, of_window in zip(block.tolist(), findings, strict=True):
                    out[place] = of_window
        return out

    def arrays(self) -> Arrays:
        """Return tokens, means, and spread, low and high of each group."""
        arrays: dict[str, I64 | F64] = {}
        for group, usual in self._usual.items():
            arrays[f"{group}/tokens"] = usual.tokens
            arrays[f"{group}/mean"] = usual.mean
            arrays[f"{group}/range"] = np.stack([usual.spread, usual.low, usual.high])
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Make a detector of what ``arrays`` returned."""
        usual = {}
        for name in arrays:
            group, _, what = name.partition("/")
            if what == "tokens":
                tokens = np.asarray(arrays[name], np.int64)
                mean = np.asarray(arrays[f"{group}/mean"], np.float64)
                if len(mean) not in _CYCLES:
                    raise ValueError(f"a cycle of {len(mean)} hours")
                usual[int(group)] = _Usual(tokens, mean, *np.asarray(arrays[f"{group}/range"], np.float64))
        return cls(usual)

    @classmethod
    def fit(cls, samples: Samples, groups: tuple[int, ...]) -> Self:
        """Mean and spread per template of the groups named; one window in two hundred may lie outside its range."""
        usual = {}
        for group in groups:
            sample = samples.of(group)
            if sample is None or len(sample) < _FEW:
                continue
            counts, n = sample.tally, len(sample)
            tokens, column = np.unique(counts.token, return_inverse=True)
            root = np.sqrt(counts.count.astype(np.float64))
            hours = cycle(sample.end)
            hour = sample.end // _HOUR % hours
            mean = _means(hour[counts.window], column, root, np.bincount(hour, minlength=hours), len(tokens))
            spread, low, high = np.zeros((3, len(tokens)))
            order = np.argsort(column, kind="stable")
            window, roots = counts.window[order], root[order]
            ends = np.cumsum(np.bincount(column))
            for i, (begin, end) in enumerate(zip([0, *ends[:-1].tolist()], ends.tolist(), strict=True)):
                off = -mean[hour, i]
                off[window[begin:end]] += roots[begin:end]
                off.sort()
                spread[i] = max(np.sqrt((off**2).mean()), _LEAST_SPREAD)
                low[i], high[i] = off[n // 200], off[n - 1 - n // 200]
            usual[group] = _Usual(tokens, mean, np.round(spread, 9), np.round(low, 9), np.round(high, 9))
        return cls(usual)


def _distances(features: WindowFeatures, windows: I64, usual: _Usual) -> tuple[F64, F64]:
    """Return counts (n, v), and how many spreads those outside the usual range are away from the mean (n, v)."""
    counts = features.token_counts.take(windows)
    column = np.minimum(np.searchsorted(usual.tokens, counts.token), len(usual.tokens) - 1)
    known = usual.tokens[column] == counts.token
    matrix = np.zeros((len(windows), len(usual.tokens)))
    matrix[counts.window[known], column[known]] = counts.count[known]
    off = np.sqrt(matrix) - usual.expected(features.windows.end[windows])
    outside = (off < usual.low - _ROUNDING) | (off > usual.high + _ROUNDING)
    return matrix, np.where(outside, np.abs(off) / usual.spread, 0.0)


def _farthest(features: WindowFeatures, windows: I64, usual: _Usual, text: TemplateText) -> list[list[Finding]]:
    """Return the findings on windows (n,) of one group."""
    counts, distances = _distances(features, windows, usual)
    means = usual.expected(features.windows.end[windows])
    hours = len(usual.mean)
    out = []
    for window, count, distance, mean in zip(windows.tolist(), counts, distances, means, strict=True):
        seconds = float(features.windows.end[window] - features.windows.start[window]) / 1e6
        columns = np.flatnonzero(distance > 0)
        columns = columns[np.argsort(-distance[columns], kind="stable")[:_SHOWN]]
        low, high = (np.maximum(mean[columns] + bound[columns], 0.0) ** 2 for bound in (usual.low, usual.high))
        above = np.sqrt(count[columns]) > mean[columns] + usual.high[columns]
        # Whole counts within the range, whatever rounding made of its ends.
        bounds = np.where(above, np.floor(high + 1000 * _ROUNDING), np.ceil(low - 1000 * _ROUNDING))
        out.append(
            [
                Finding(
                    FindingKind.RATE_HIGH if is_above else FindingKind.RATE_LOW,
                    text(token),
                    value=value,
                    usual=bound,
                    seconds=seconds,
                    cycle_hours=hours if hours > 1 else 0,
                )
                for token, value, bound, is_above in zip(
                    *(column.tolist() for column in (usual.tokens[columns], count[columns], bounds, above)), strict=True
                )
            ]
        )
    return out


def cycle(end: I64) -> int:
    """Return the hours of the longest cycle that windows which end at these times (n,) show; 1 where there is none."""
    hours = unique(end // _HOUR)
    if len(hours) < _UNBROKEN * (hours[-1] - hours[0] + 1):
        return 1
    return next((n for n in _CYCLES if (np.bincount(hours % n, minlength=n) > 1).mean() >= _KNOWN), 1)


def _means(hour: I64, token: I64, root: F64, windows: I64, tokens: int) -> F64:
    """Return the mean root of each token per hour (hours, tokens), drawn to that of all hours.

    ``hour``, ``token`` and ``root`` are those of the entries, ``windows`` (hours,) counts the windows of each hour.
    """
    hours = len(windows)
    total = np.bincount(hour * tokens + token, weights=root, minlength=hours * tokens).reshape(hours, tokens)
    overall = total.sum(axis=0) / windows.sum()
    mean: F64 = (total + _PRIOR * overall) / (windows[:, None] + _PRIOR)
    return np.round(mean, 9)
