"""Windows of normal operation that thresholds come from, and which of their time looks like faults.

Logs that people take for normal hold some: what is clearly one must neither be learnt nor set a threshold.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from models.calibration.fusion import COMMON, Fusion, fit_extremes, joint
from models.calibration.tails import Calibration, fit_tail
from models.detectors.ensemble import SCORE_SCALE
from models.detectors.error_rate import Levels
from models.detectors.first_error import Onset
from models.features.sequences import SHARED
from models.records import BOOL, F64, I32, I64

FAULTY: Final = 0.01
"""Share of sound blocks that may be taken for faulty ones (0.003, 0.01 and 0.03 tried: 0.003 misses faults)."""

MIN_BLOCKS: Final = 20
"""Fewer blocks than this do not show what is usual."""

_ROUNDS: Final = 6
"""Most rounds of leaving out and fitting again: two sets could take turns for ever; a judgement."""
_SPEAK_OF_ERRORS: Final = (Levels.name, Onset.name)


@dataclass(frozen=True, slots=True)
class HeldOutScores:
    """Windows of normal operation: kinds, blocks, whether their services are live (n,), raw scores (n,) by detector.

    ``grid`` (n,) says which end with a step, and not with an error.
    """

    kinds: I32
    blocks: I64
    live: BOOL
    grid: BOOL
    raws: Mapping[str, F64]

    def __len__(self) -> int:
        return len(self.kinds)

    def take(self, rows: I64) -> "HeldOutScores":
        """The windows with these numbers."""
        raws = {name: raw[rows] for name, raw in self.raws.items()}
        return HeldOutScores(self.kinds[rows], self.blocks[rows], self.live[rows], self.grid[rows], raws)


def tails(scores: HeldOutScores, without: I64) -> dict[str, Calibration]:
    """Tail of each detector per kind of window, from all blocks but some; signs of failure have none.

    A window at an error is one look more at what the windows around it show, so only what asks for them takes them in.
    """
    usable = scores.live & ~np.isin(scores.blocks, without)
    parts = {}
    for name, raw in scores.raws.items():
        if name not in SCORE_SCALE:
            continue
        by_kind = {}
        counts = usable & (scores.grid | (name == Onset.name)) & ~np.isnan(raw)
        for kind in np.unique(scores.kinds[counts]).tolist():
            by_kind[kind] = fit_tail(raw[counts & (scores.kinds == kind)], SCORE_SCALE[name])
        if by_kind:
            parts[name] = Calibration(by_kind)
    return parts


def suspect_blocks(scores: HeldOutScores, days: float) -> I64:
    """Blocks (k,), ascending, that look like faults: far beyond all others taken together, and with errors.

    Judged by the windows over everything.  Tails are fitted again without what was found, as faults widen them, until
    nothing more is found.  What is odd but has no errors stays: a job of once a day is no fault.
    """
    shared = scores.take(np.flatnonzero(scores.kinds == SHARED))
    suspects = np.zeros(0, np.int64)
    if len(np.unique(shared.blocks)) < MIN_BLOCKS:
        return suspects
    for _ in range(_ROUNDS):
        strengths = Fusion(tails(shared, suspects), {}).strengths(shared.kinds, shared.raws)
        strength = joint(strengths, len(shared))
        extremes = fit_extremes(strength, shared.blocks, days)
        errors = np.zeros(len(shared), np.bool_)
        for name in _SPEAK_OF_ERRORS:
            errors |= strengths.get(name, np.zeros(len(shared))) > COMMON
        beyond = strength > extremes.loc - extremes.scale * np.log(FAULTY)
        before, suspects = suspects, np.unique(shared.blocks[errors & beyond])
        if np.array_equal(before, suspects):
            break
    return suspects
