"""The interface of detectors: window features in, raw scores and findings out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from models.features.window_features import WindowFeatures
from models.findings import Finding
from models.records import F32, F64, I64

Arrays: TypeAlias = Mapping[str, npt.NDArray[np.generic]]

TemplateText: TypeAlias = Callable[[int], str]
"""Token → masked text of its template; "" for a token that stands for templates which training did not see."""


def rows_of(features: WindowFeatures, window: int) -> slice:
    """Return where the rows of one window stand."""
    return slice(int(features.windows.splits[window]), int(features.windows.splits[window + 1]))


def by_window(rows: I64, splits: I64, windows: I64) -> list[I64]:
    """Return which of these rows, ascending, each of some windows (m,) holds: window i ``splits[i]:splits[i + 1]``."""
    first = np.searchsorted(rows, splits[windows]).tolist()
    last = np.searchsorted(rows, splits[windows + 1]).tolist()
    return [rows[start:stop] for start, stop in zip(first, last, strict=True)]


def significant(number: float) -> float:
    """Return a number with six significant digits, which is what a float32 holds; an infinite one as the largest."""
    largest = float(np.finfo(np.float32).max)
    return float(f"{min(max(number, -largest), largest):.6g}")


@dataclass(frozen=True, slots=True)
class RawScores:
    """Raw scores of windows, shape (windows,), any scale, higher is more anomalous; NaN where there is no baseline.

    A sequence detector also fills ``surprise`` (rows,): the negative log-likelihood of each event in nats.
    """

    raw: F64
    surprise: F32 | None = None


class Detector(Protocol):
    """A detector beside the LSTM.

    It must be a pure function of each window: neither the other windows of a batch nor earlier batches count.
    """

    @property
    def name(self) -> str:
        """Name under which its contribution is shown."""

    def score(self, features: WindowFeatures) -> F64:
        """Return the raw scores of all windows (n,), NaN where there is no baseline to compare with."""

    def findings(self, features: WindowFeatures, windows: I64, text: TemplateText) -> list[list[Finding]]:
        """Return what makes each of these windows (m,) score as it does, the weightiest first.

        A list is empty where nothing stands out.  In a storm most of a batch is asked for, so what can be worked out
        for all of them is worked out once.
        """

    def arrays(self) -> Arrays:
        """Return all that was learnt, as arrays to keep in a bundle."""

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Make a detector of what ``arrays`` returned."""
