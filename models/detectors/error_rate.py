"""Errors: more lines of level ERROR and above, or of tracebacks, than the group normally shows."""

from typing import Final, Self

import numpy as np

from models.detectors.base import Arrays, TemplateText, by_window
from models.features.normal_samples import Samples
from models.features.window_features import WindowFeatures
from models.findings import Finding, FindingKind, to_millisecond
from models.records import F64, I64, Level

_DIGITS: Final = 6
"""Decimals of a score: coarser than the rounding errors of different machines."""

_LEAST_RATE: Final = 0.01
"""Least mean number of errors of a window, a judgement: what was never seen may still come once in 100 windows."""


def errors_of(features: WindowFeatures) -> I64:
    """Return the number of error lines of each window (n,); a traceback counts as one more."""
    windows = features.windows
    counts: I64 = windows.sums(windows.count * (windows.level >= Level.ERROR)) + (windows.continuations > 0)
    return counts


class Levels:
    """``rate`` (groups,) is the mean number of error lines of a window."""

    name = "levels"

    def __init__(self, rate: F64) -> None:
        self._rate = rate

    def score(self, features: WindowFeatures) -> F64:
        """Return the deviance of a Poisson count above its mean, in nats; 0 where there is no error."""
        count = errors_of(features).astype(np.float64)
        rate = np.where(features.group >= 0, self._rate[features.group], _LEAST_RATE)
        above = count > rate
        ratio = np.where(above, count / rate, 1.0)
        deviance = np.where(above, count * np.log(ratio) - (count - rate), 0.0)
        return np.asarray(np.round(deviance, _DIGITS), np.float64)

    def findings(self, features: WindowFeatures, windows: I64, text: TemplateText) -> list[list[Finding]]:
        """Return how many errors there are, and how many are usual."""
        del text
        errors = np.flatnonzero(features.windows.level >= Level.ERROR)
        times = [features.windows.time[rows] for rows in by_window(errors, features.windows.splits, windows)]
        counts, groups = (column[windows].tolist() for column in (errors_of(features), features.group))
        return [self._errors(*of_window) for of_window in zip(counts, groups, times, strict=True)]

    def _errors(self, count: int, group: int, times: I64) -> list[Finding]:
        """Return the finding on so many errors of a group's window, whose lines have these times (n,)."""
        if not count:
            return []
        rate = float(f"{self._rate[group]:.2g}") if group >= 0 else 0.0
        moment = to_millisecond(int(times.min())) if len(times) else None
        return [Finding(FindingKind.ERRORS, value=float(count), usual=rate, moment=moment)]

    def arrays(self) -> Arrays:
        """Return the rates."""
        return {"rate": self._rate}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Make a detector of what ``arrays`` returned."""
        return cls(np.asarray(arrays["rate"], np.float64))

    @classmethod
    def fit(cls, samples: Samples, groups: int) -> Self:
        """Take the mean of each group, at least ``_LEAST_RATE``."""
        rate = np.full(groups, _LEAST_RATE)
        for group in samples.groups():
            sample = samples.of(group)
            if sample is not None and len(sample):
                rate[group] = max(float(sample.errors.mean()), _LEAST_RATE)
        return cls(rate)
