"""What a detector is."""

from dataclasses import dataclass
from typing import Protocol

from models.records import F32, F64, WindowBatch


@dataclass(frozen=True, slots=True)
class Scored:
    """Raw scores of windows, shape (windows,), any scale, higher is more anomalous; NaN where it has no say.

    A sequence detector also fills ``surprise`` (rows,): the negative log-likelihood of each event in nats.
    """

    raw: F64
    surprise: F32 | None = None


class Detector(Protocol):
    """Scores windows.  Must be a pure function of each window: neither the others in the batch nor the past count."""

    @property
    def name(self) -> str:
        """Name under which its contribution is shown."""

    def score(self, windows: WindowBatch) -> Scored:
        """Raw scores of all windows of the batch."""
