"""Sessions: each a correlation id whose whole life is normal or anomalous.

The file of labels is a table with the columns ``session`` (the key of its windows, which for records with ``trace_id``
is that id) and ``label`` (``normal`` or ``anomalous``).  A session's score is that of its worst window, 0 where it has
none.  Where normal sessions were thinned out, ``weight`` says how many real ones each stands for.
"""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from models.errors import InvalidError
from models.features.sequences import SHARED
from models.records import F64, I64
from models.rfc3339 import SECOND
from training.evaluate.scored_windows import ScoredWindows

LABELS: Final = {"normal": False, "anomalous": True}
NO_WINDOW: Final = 0.0
"""Score of a session without a window of its own: below every fired one."""
SESSION_KINDS: Final = tuple(range(1, SHARED))


def read_labels(paths: Sequence[Path]) -> dict[str, bool]:
    """Whether each session is anomalous; raises InvalidError where a table cannot be used."""
    out: dict[str, bool] = {}
    for path in paths:
        try:
            with path.open(newline="", encoding="utf-8") as file:
                rows = list(csv.DictReader(file))
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidError(f"{path} cannot be read ({error})", "give a table of labels") from error
        for number, row in enumerate(rows, 2):
            if row.get("session") is None or row.get("label") not in LABELS:
                raise InvalidError(f"{path}, line {number}: needs a session and a label, {' or '.join(LABELS)}")
            if row["session"] in out:
                raise InvalidError(f"{path}, line {number}: session {row['session']!r} stands there twice")
            out[row["session"]] = LABELS[row["label"]]
    if not any(anomalous is False for anomalous in out.values()):
        raise InvalidError(f"{', '.join(map(str, paths))}: no session is normal", "thresholds need some")
    return out


def held_threshold(normal: F64, quantile: float, *, decades: bool = False) -> float:
    """The quantile of normal sessions (m,) that were not trained on: one of their own scores.

    Of too few for the quantile the largest score is exceeded more often than asked for.  Where scores count ``decades``
    of how rare a window is, the threshold lies so many above it as are missing.
    """
    ordered = np.sort(normal)
    largest = float(ordered[min(len(ordered) - 1, int(quantile * len(ordered)))])
    missing = -np.log10((len(ordered) + 1) * (1.0 - quantile)) if decades and quantile < 1.0 else 0.0
    return largest + max(0.0, float(missing))


class SessionJudge:
    """Measures of any score over the windows of these sessions."""

    def __init__(self, labels: Mapping[str, bool], windows: ScoredWindows, weight: float = 1.0) -> None:
        self.weight = weight
        self._anomalous = np.fromiter(labels.values(), np.bool_, len(labels))
        self._windows = windows
        number = {name: i for i, name in enumerate(labels)}
        session = np.isin(windows.kinds, SESSION_KINDS).tolist()
        of = [number.get(key, -1) if is_session else -1 for key, is_session in zip(windows.keys, session, strict=True)]
        self._of: I64 = np.array(of, np.int64)

    @property
    def counts(self) -> dict[str, int]:
        """Units of each sort, and how many of them no window was found of."""
        return {
            "anomalous": int(self._anomalous.sum()),
            "normal": int((~self._anomalous).sum()),
            "without_window": len(self._anomalous) - len(np.unique(self._of[self._of >= 0])),
        }

    def units(self, score: F64) -> tuple[F64, F64]:
        """Scores of the anomalous sessions and of the normal ones."""
        peak = worst(self._of, score, len(self._anomalous))
        return peak[self._anomalous], peak[~self._anomalous]

    def normal_windows(self) -> tuple[I64, float]:
        """Windows of normal sessions, and the days from the first to the last of them."""
        rows = np.flatnonzero((self._of >= 0) & ~self._anomalous[self._of])
        span = self._windows.end[rows].max() - self._windows.start[rows].min() if len(rows) else 0
        return rows, float(span) / SECOND / 86_400

    def trace(self, score: F64, threshold: float) -> None:
        """Sessions have no time of their own to draw."""
        del score, threshold

    def ranking(self, score: F64) -> dict[str, float | None]:
        """Nothing beyond the units."""
        del score
        return {}

    def at(self, score: F64, threshold: float) -> dict[str, float | None]:
        """Nothing beyond the units."""
        del score, threshold
        return {}


def worst(of: I64, score: F64, sessions: int) -> F64:
    """Highest score (sessions,) among the windows (n,) of each; ``of`` (n,) is the session of a window, or -1."""
    out = np.full(sessions, -np.inf)
    np.maximum.at(out, of[of >= 0], score[of >= 0])
    return np.where(out > -np.inf, out, NO_WINDOW)
