"""Errors: more lines of level ERROR and above, or of tracebacks, than the group normally shows."""

from typing import Final, Self

import numpy as np

from models.arrays import splits
from models.detectors.base import Arrays, Reason
from models.features.normal_samples import Samples
from models.features.window_features import WindowFeatures
from models.records import F64, I64, Level

_DIGITS: Final = 6
_LEAST_RATE: Final = 0.01


def errors_of(facts: WindowFeatures) -> I64:
    """Number of error lines of each window (n,); a traceback counts as one more."""
    windows = facts.windows
    total = splits((windows.level >= Level.ERROR).astype(np.int64))
    out: I64 = total[windows.splits[1:]] - total[windows.splits[:-1]] + (windows.continuations > 0)
    return out


class Levels:
    """``rate`` (groups,) is the mean number of error lines of a window."""

    name = "levels"

    def __init__(self, rate: F64) -> None:
        self._rate = rate

    def score(self, facts: WindowFeatures) -> F64:
        """Deviance of a Poisson count above its mean, in nats; 0 where there is no error."""
        count = errors_of(facts).astype(np.float64)
        rate = np.where(facts.group >= 0, self._rate[facts.group], _LEAST_RATE)
        above = count > rate
        ratio = np.where(above, count / rate, 1.0)
        deviance = np.where(above, count * np.log(ratio) - (count - rate), 0.0)
        return np.asarray(np.round(deviance, _DIGITS), np.float64)

    def reasons(self, facts: WindowFeatures, window: int) -> list[Reason]:
        """How many, and how many are usual."""
        count = int(errors_of(facts)[window])
        if not count:
            return []
        rate = float(self._rate[facts.group[window]]) if facts.group[window] >= 0 else 0.0
        return [Reason(f"{count} error line{'s' if count > 1 else ''}, usually {rate:.2g}")]

    def arrays(self) -> Arrays:
        """Rates."""
        return {"rate": self._rate}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Read what ``arrays`` gave."""
        return cls(np.asarray(arrays["rate"], np.float64))

    @classmethod
    def fit(cls, samples: Samples, groups: int) -> Self:
        """Mean per group, at least a hundredth: what was never seen may still be."""
        rate = np.full(groups, _LEAST_RATE)
        for group in samples.groups():
            sample = samples.of(group)
            if sample is not None and len(sample):
                rate[group] = max(float(sample.errors.mean()), _LEAST_RATE)
        return cls(rate)
