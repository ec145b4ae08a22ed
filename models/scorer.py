"""Windows → decisions: detectors, one calibrated importance made of their parts, and the lines that weigh most."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from models.bundle import Bundle
from models.detectors.base import Detector
from models.detectors.lstm import LstmDetector
from models.records import BOOL, F32, F64, I64, KeyKind, Pointer, Verdict, WindowBatch
from models.sequences import kind_numbers
from models.verdicts import window_id

LINES: Final = 10
"""Raw lines that a verdict points to."""

FIRES_AT: Final = 0.5
"""Importance at which the expected false alarms are exactly the budget."""

KIND_NAMES: Final = {KeyKind.SOURCE: "source", KeyKind.SESSION: "session"}
_DIGITS: Final = 6


@dataclass(frozen=True, slots=True)
class Decisions:
    """What was decided of a batch of windows, in columns of shape (windows,); ``surprise`` is (rows,).

    ``score`` is -log10 of the windows a day that a tenant would show in normal operation and that are at least so
    anomalous; ``importance`` sets it against the budget.  ``parts`` are the detectors' raw scores.
    """

    windows: WindowBatch
    score: F64
    importance: F64
    fired: BOOL
    parts: Mapping[str, F64]
    surprise: F32

    def verdicts(self, at: Iterable[int] | None = None) -> list[Verdict]:
        """Verdicts on the windows with these numbers, or on all: an object each, so best for the few that matter."""
        chosen = range(len(self.windows)) if at is None else at
        return [self._verdict(i) for i in chosen]

    def _verdict(self, i: int) -> Verdict:
        windows = self.windows
        kind = KIND_NAMES[KeyKind(int(windows.kinds[i]))]
        tenant, key, start = windows.tenants[i], windows.keys[i], int(windows.start[i])
        low, high = int(windows.splits[i]), int(windows.splits[i + 1])
        return Verdict(
            window_id=window_id(tenant, kind, key, start),
            tenant=tenant,
            kind=kind,
            key=key,
            start=start,
            end=int(windows.end[i]),
            events=high - low,
            score=self.score[i].item(),
            importance=self.importance[i].item(),
            fired=bool(self.fired[i]),
            parts={name: raw[i].item() for name, raw in self.parts.items()},
            lines=tuple(self._heaviest(low, high)),
        )

    def _heaviest(self, low: int, high: int) -> Iterable[Pointer]:
        """The window's most surprising lines, most surprising first; ties in the order of rows."""
        order: I64 = np.argsort(-np.nan_to_num(self.surprise[low:high], nan=0.0), kind="stable")[:LINES] + low
        partition, offset = self.windows.partition, self.windows.offset
        return (Pointer(int(partition[row]), int(offset[row])) for row in order.tolist())


class Scorer:
    """Decides windows with one bundle; a pure function of each window."""

    def __init__(self, bundle: Bundle, false_alarms_per_day: float = 1.0) -> None:
        """``false_alarms_per_day`` is the budget per tenant."""
        self.bundle_id = bundle.id
        self._calibration = bundle.calibration
        self._log_budget = float(np.log10(false_alarms_per_day))
        self._detector: Detector = LstmDetector(bundle.onnx, bundle.vocabulary)

    def decide(self, windows: WindowBatch) -> Decisions:
        """Score a batch of windows."""
        if not len(windows):
            none = np.zeros(0)
            return Decisions(windows, none, none, none > 0, {}, np.zeros(0, np.float32))
        scored = self._detector.score(windows)
        log_rate = self._calibration.false_alarms(kind_numbers(windows), np.nan_to_num(scored.raw))
        score = np.round(-log_rate, _DIGITS) + 0.0
        importance = np.round(1.0 / (1.0 + 10.0 ** -np.clip(score + self._log_budget, -300, 300)), _DIGITS)
        surprise = scored.surprise if scored.surprise is not None else windows.surprise
        return Decisions(
            windows, score, importance, importance >= FIRES_AT, {self._detector.name: scored.raw}, surprise
        )
