"""Is a false alarm a day one false alarm a day?  Expected against seen, on normal logs."""

from typing import Any, Final

import numpy as np

from models.calibration.fusion import blocks_of
from models.records import F64, I64
from training.evaluate.scored_windows import ScoredWindows

EXPECTED: Final = tuple(10.0 ** (k / 4) for k in range(-8, 13))
"""Budgets a day that are tried: a hundredth to a thousand."""


def reliability(windows: ScoredWindows, score: F64, normal: I64, days: float) -> dict[str, Any]:
    """For each budget, windows a day that reach it among the ``normal`` ones, and stretches of ten minutes with one.

    A fault-free oddity fires in several windows at once, and the calibration counts it once, as the latter do.
    ``score`` (n,) of all windows, ``normal`` (m,) their numbers; where few ``days`` were seen, one window is much.
    """
    chosen = score[normal]
    blocks = blocks_of([windows.tenants[i] for i in normal.tolist()], windows.end[normal])
    points = []
    for expected in EXPECTED:
        fires = chosen >= -np.log10(expected)
        seen = np.count_nonzero(fires) / days if days else 0.0
        stretches = len(np.unique(blocks[fires])) / days if days else 0.0
        points.append({"expected": round(expected, 6), "windows": round(seen, 6), "stretches": round(stretches, 6)})
    return {"days": round(days, 6), "points": points}
