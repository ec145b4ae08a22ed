"""What a detector is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt

from models.features.window_features import WindowFeatures
from models.records import F32, F64

Arrays = Mapping[str, npt.NDArray[np.generic]]


@dataclass(frozen=True, slots=True)
class RawScores:
    """Raw scores of windows, shape (windows,), any scale, higher is more anomalous; NaN where it has no say.

    A sequence detector also fills ``surprise`` (rows,): the negative log-likelihood of each event in nats.
    """

    raw: F64
    surprise: F32 | None = None


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a window stands out: a sentence with ``{0}``, ``{1}``, … for the templates of ``tokens``."""

    text: str
    tokens: tuple[int, ...] = ()


class Detector(Protocol):
    """A detector beside the LSTM.  Must be a pure function of each window: neither the others nor the past count."""

    @property
    def name(self) -> str:
        """Name under which its contribution is shown."""

    def score(self, facts: WindowFeatures) -> F64:
        """Raw scores of all windows (n,), NaN where it has no say."""

    def reasons(self, facts: WindowFeatures, window: int) -> list[Reason]:
        """Why this window scores as it does, weightiest first; empty where nothing stands out."""

    def arrays(self) -> Arrays:
        """What was learnt, as arrays to keep in a bundle."""

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Read what ``arrays`` gave."""
