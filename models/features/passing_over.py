"""Windows without the lines that say nothing of the state of a cloud: new texts of little weight.

Somebody switched on debug messages, or an upgrade brought new ones: all else is judged as if these were not there.
"""

from typing import Final

import numpy as np

from models.features.vocabulary import NEW
from models.features.window_features import WindowFeatures
from models.records import BOOL, F64, MARKS, Level, RowFlag
from models.windows.batches import without

_BAD: Final = MARKS & ~RowFlag.START
"""Marks of bad news."""


def is_weak(features: WindowFeatures, weak_level: int, rows: slice | None = None) -> BOOL:
    """Whether each row (rows,) is a new text of little weight: of a known level, at most ``weak_level``.

    So is one that training saw, though rarely, if it is no error.
    Bad news is never weak above DEBUG, such as a request that is refused for the first time: how usual that is,
    calibration tells.  Beside a new text that is not weak, only DEBUG is: what else is new belongs to that news.
    ``rows`` are those of some whole windows, all where it is None.
    """
    rows = slice(None) if rows is None else rows
    new: BOOL = features.tokens[rows] == NEW
    if not new.any():
        return new
    level, window = features.windows.level[rows], features.window[rows]
    bad = (features.windows.marks[rows] & _BAD > 0) & (level != Level.DEBUG)
    # Few lines are new, and only of these it is asked.
    seen = np.zeros(len(new), np.bool_)
    seen[new] = features.vocabulary.is_rare(features.windows.template[rows][new])
    seen &= level < Level.ERROR
    low: BOOL = new & (seen | ((level <= weak_level) & (level != Level.UNKNOWN))) & ~bad
    if not low.any():
        return low
    news = np.bincount(window[new & ~low], minlength=len(features.windows)) > 0
    weak: BOOL = low & ~(news[window] & (level != Level.DEBUG))
    return weak


def judged(features: WindowFeatures, weak_level: int) -> WindowFeatures:
    """Return the features of the windows without their weak rows; of the same windows where there are none."""
    weak = is_weak(features, weak_level)
    if not weak.any():
        return features
    return features.of_rows(without(features.windows, weak))


def known_share(features: WindowFeatures, weak_level: int) -> F64:
    """Share of each window's lines (n,) above DEBUG that are not weak; 1 where there are none."""
    shown = features.windows.level != Level.DEBUG
    weak = is_weak(features, weak_level) & shown
    windows = features.windows
    share: F64 = 1.0 - windows.sums(windows.count * weak) / np.maximum(windows.sums(windows.count * shown), 1)
    return share
