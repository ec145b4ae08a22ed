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
from models.records import BOOL, F64

LABELS: Final = {"normal": False, "anomalous": True}
NO_WINDOW: Final = 0.0


def read_labels(paths: Sequence[Path]) -> dict[str, bool]:
    """Whether each session is anomalous; raises InvalidError where a table cannot be used."""
    out: dict[str, bool] = {}
    for path in paths:
        try:
            with path.open(newline="", encoding="utf-8") as file:
                rows = list(csv.DictReader(file))
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidError(f"{path} cannot be read ({error}); give a table of labels") from error
        for number, row in enumerate(rows, 2):
            if row.get("session") is None or row.get("label") not in LABELS:
                raise InvalidError(f"{path}, line {number}: needs a session and a label, {' or '.join(LABELS)}")
            if row["session"] in out:
                raise InvalidError(f"{path}, line {number}: session {row['session']!r} stands there twice")
            out[row["session"]] = LABELS[row["label"]]
    if not any(anomalous is False for anomalous in out.values()):
        raise InvalidError(f"{', '.join(map(str, paths))}: no session is normal; thresholds need some")
    return out


def session_scores(keys: Sequence[str], sessions: BOOL, score: F64, names: Sequence[str]) -> F64:
    """Worst score of each named session (m,) among windows (n,); ``sessions`` (n,) says which windows are sessions."""
    number = {name: i for i, name in enumerate(names)}
    of = np.fromiter((number.get(key, -1) for key in keys), np.int64, len(keys))
    mine = sessions & (of >= 0)
    out = np.full(len(names), -np.inf)
    np.maximum.at(out, of[mine], score[mine])
    return np.where(out > -np.inf, out, NO_WINDOW)


def held_threshold(normal: F64, quantile: float) -> float:
    """The quantile of normal sessions (m,) that were not trained on: one of their own scores."""
    ordered = np.sort(normal)
    return float(ordered[min(len(ordered) - 1, int(quantile * len(ordered)))])


class SessionJudge:
    """Measures of any score over the windows of these sessions."""

    def __init__(self, labels: Mapping[str, bool], keys: Sequence[str], sessions: BOOL, weight: float = 1.0) -> None:
        """``keys`` and ``sessions`` (n,) are those of the windows."""
        self.weight = weight
        self._names = list(labels)
        self._anomalous = np.fromiter(labels.values(), np.bool_, len(labels))
        self._keys, self._sessions = keys, sessions

    @property
    def counts(self) -> dict[str, int]:
        """Units of each sort, and how many of them no window was found of."""
        known = {key for key, session in zip(self._keys, self._sessions.tolist(), strict=True) if session}
        return {
            "anomalous": int(self._anomalous.sum()),
            "normal": int((~self._anomalous).sum()),
            "without_window": sum(name not in known for name in self._names),
        }

    def units(self, score: F64) -> tuple[F64, F64]:
        """Scores of the anomalous sessions and of the normal ones."""
        found = session_scores(self._keys, self._sessions, score, self._names)
        return found[self._anomalous], found[~self._anomalous]

    def ranking(self, score: F64) -> dict[str, float | None]:
        """Nothing beyond the units."""
        del score
        return {}

    def at(self, score: F64, threshold: float) -> dict[str, float | None]:
        """Nothing beyond the units."""
        del score, threshold
        return {}
