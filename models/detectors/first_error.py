"""Whether a window over everything ends with an error.

Such a window is judged before what follows the error can tell anything.  How seldom normal operation has an error at
all is evidence of its own: where errors are common this says next to nothing, where there was none it says a lot.  Of
single sources it is not asked: beside the few lines of one service a first error is loud enough.
"""

from typing import Final, Self

import numpy as np

from models.detectors.base import Arrays, Reason
from models.features.sequences import SHARED
from models.features.window_features import WindowFeatures
from models.records import F64, Level

_LAST_US: Final = 1000
"""A window at an error ends with the millisecond of the error."""


class Onset:
    """``level`` is the least one that is an error."""

    name = "onset"

    def __init__(self, level: int = Level.ERROR) -> None:
        self._level = level

    def score(self, facts: WindowFeatures) -> F64:
        """1 where the last millisecond of a window over everything holds an error, else 0; NaN for others."""
        windows = facts.windows
        ends = (windows.level >= self._level) & (windows.time >= windows.end[facts.window] - _LAST_US)
        found = np.bincount(facts.window[ends], minlength=len(windows)) > 0
        return np.where(facts.group == SHARED, found.astype(np.float64), np.nan)

    def reasons(self, facts: WindowFeatures, window: int) -> list[Reason]:
        """None: errors tell of themselves."""
        del facts, window
        return []

    def arrays(self) -> Arrays:
        """The level."""
        return {"level": np.array([self._level], np.int64)}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Read what ``arrays`` gave."""
        return cls(int(arrays["level"][0]))
