"""Too many or too few of one template, by what windows of the group normally hold.

Counts are compared after a square root, which makes the spread of Poisson counts the same at any rate (Anscombe,
Biometrika 1948).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

import numpy as np

from models.detectors.base import Arrays, Reason
from models.facts import Facts
from models.records import F64, I64
from models.samples import Samples

_FEW: Final = 20
_LEAST_SPREAD: Final = 0.35
"""The spread of the root of a Poisson count is 0.5; a template that is always there exactly n times has none."""

_DIGITS: Final = 6
_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class _Usual:
    """One group: tokens (v,), mean and spread of the root of their counts, and the range that was seen."""

    tokens: I64
    mean: F64
    spread: F64
    low: I64
    high: I64


class Rates:
    """Baselines per group."""

    name = "rates"

    def __init__(self, usual: Mapping[int, _Usual]) -> None:
        self._usual = dict(usual)

    def score(self, facts: Facts) -> F64:
        """Largest distance from the mean in spreads, of counts outside the range seen; NaN without a baseline."""
        out = np.full(len(facts.group), np.nan)
        for group, usual in self._usual.items():
            at = np.flatnonzero((facts.group == group) & facts.sound)
            if len(at):
                out[at] = self._distances(facts, at, usual)[1].max(axis=1, initial=0.0)
        return np.round(out, _DIGITS)

    def reasons(self, facts: Facts, window: int) -> list[Reason]:
        """The templates that are farthest from what is usual."""
        usual = self._usual.get(int(facts.group[window]))
        if usual is None or not facts.sound[window]:
            return []
        count, distance = (part[0] for part in self._distances(facts, np.array([window]), usual))
        seconds = (facts.windows.end[window] - facts.windows.start[window]) / 1e6
        return [
            Reason(
                f"{int(count[i])} of {{0}} in {seconds:.0f} s, usually {usual.low[i]} to {usual.high[i]}",
                (int(usual.tokens[i]),),
            )
            for i in np.argsort(-distance, kind="stable")[:_SHOWN].tolist()
            if distance[i] > 0
        ]

    @staticmethod
    def _distances(facts: Facts, at: I64, usual: _Usual) -> tuple[F64, F64]:
        tally = facts.tally.take(at)
        place = np.minimum(np.searchsorted(usual.tokens, tally.token), len(usual.tokens) - 1)
        known = usual.tokens[place] == tally.token
        count = np.zeros((len(at), len(usual.tokens)))
        count[tally.window[known], place[known]] = tally.count[known]
        outside = (count < usual.low) | (count > usual.high)
        return count, np.where(outside, np.abs(np.sqrt(count) - usual.mean) / usual.spread, 0.0)

    def arrays(self) -> Arrays:
        """Tokens, mean and spread, low and high per group."""
        out = {}
        for group, usual in self._usual.items():
            out[f"{group}/tokens"] = usual.tokens
            out[f"{group}/usual"] = np.stack([usual.mean, usual.spread, usual.low, usual.high])
        return out

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Read what ``arrays`` gave."""
        usual = {}
        for name in arrays:
            group, _, what = name.partition("/")
            if what == "tokens":
                mean, spread, low, high = np.asarray(arrays[f"{group}/usual"], np.float64)
                tokens = np.asarray(arrays[name], np.int64)
                usual[int(group)] = _Usual(tokens, mean, spread, low.astype(np.int64), high.astype(np.int64))
        return cls(usual)

    @classmethod
    def fit(cls, samples: Samples, groups: tuple[int, ...]) -> Self:
        """Mean and spread per template of the groups named; one window in two hundred may lie outside its range."""
        usual = {}
        for group in groups:
            sample = samples.of(group)
            if sample is None or len(sample) < _FEW:
                continue
            tally, n = sample.tally, len(sample)
            tokens, place = np.unique(tally.token, return_inverse=True)
            root = np.sqrt(tally.count.astype(np.float64))
            mean = np.bincount(place, weights=root, minlength=len(tokens)) / n
            square = np.bincount(place, weights=tally.count.astype(np.float64), minlength=len(tokens)) / n
            spread: F64 = np.maximum(np.sqrt(np.maximum(square - mean**2, 0.0)), _LEAST_SPREAD)
            low, high = np.zeros(len(tokens), np.int64), np.zeros(len(tokens), np.int64)
            order = np.argsort(place, kind="stable")
            for i, counts in enumerate(np.split(tally.count[order], np.cumsum(np.bincount(place))[:-1])):
                every = np.sort(np.concatenate([np.zeros(n - len(counts), np.int64), counts]))
                low[i], high[i] = every[n // 200], every[n - 1 - n // 200]
            usual[group] = _Usual(tokens, np.round(mean, 9), np.round(spread, 9), low, high)
        return cls(usual)
