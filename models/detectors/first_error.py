"""Whether a window over everything ends with an error.

Such a window is scored before lines that follow the error can add anything.  How seldom normal operation has an error
at all is evidence of its own: where errors are common this means next to nothing, where there was none it means a lot.
Windows of single sources are left out: beside the few lines of one service a first error scores high enough.
"""

from typing import Final, Self

import numpy as np

from models.detectors.base import Arrays, TemplateText
from models.features.sequences import SHARED
from models.features.window_features import WindowFeatures
from models.findings import Finding
from models.records import F64, I64, Level

_LAST_US: Final = 1000
"""Microseconds: a window that is closed by an error ends with the millisecond of the error."""


class Onset:
    """``level`` is the least one that is an error."""

    name = "onset"

    def __init__(self, level: int = Level.ERROR) -> None:
        self._level = level

    def score(self, features: WindowFeatures) -> F64:
        """Return 1 where the last millisecond of a window over everything holds an error, else 0; NaN for others."""
        windows = features.windows
        at_end = (windows.level >= self._level) & (windows.time >= windows.end[features.window] - _LAST_US)
        ends_with_error = np.bincount(features.window[at_end], minlength=len(windows)) > 0
        return np.where(features.group == SHARED, ends_with_error.astype(np.float64), np.nan)

    def findings(self, features: WindowFeatures, windows: I64, text: TemplateText) -> list[list[Finding]]:
        """Return nothing: the detector of error rates reports the same error with its number."""
        del features, text
        return [[] for _ in windows]

    def arrays(self) -> Arrays:
        """Return the level."""
        return {"level": np.array([self._level], np.int64)}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Make a detector of what ``arrays`` returned."""
        return cls(int(arrays["level"][0]))
