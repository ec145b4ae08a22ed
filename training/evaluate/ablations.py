"""Scores to compare: the fused one, each detector alone, all but one of them, and trivial rules.

Fewer detectors are fused anew: the strengths of the same windows are joined without the others, and how often that is
reached by chance is fitted again on the normal windows that were held back.  Nothing is trained for it.  Without such
windows the bundle's own fit stays, which promises too little for fewer detectors but ranks windows of one kind alike.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from models.calibration.fusion import Fusion, fit_fused
from models.records import F64
from training.evaluate.scored_windows import ScoredWindows
from training.evaluate.trained_bundles import Trained

FUSED: Final = "fused"
DIGITS: Final = 6
"""Decimals of a score, as the scorer rounds its own."""
RULES: Final = ("any ERROR line", "unseen template", "flag everything")
RULE_THRESHOLD: Final = 0.5
"""A rule says 0 or 1; anything between separates them."""

BUDGET: Final = float(np.nextafter(0.0, -1.0))
"""Just below the score of one expected false alarm a day, so that what is above it fires."""

HOURLY: Final = float(np.nextafter(-np.log10(24.0), -2.0))
"""The same of one an hour."""

SCALE: Final[Mapping[str, float]] = {"budget": BUDGET, "hourly": HOURLY}


@dataclass(frozen=True, slots=True)
class Variant:
    """A score of the windows of a set (n,), and of the held-back ones (m,) where there are any.

    ``group`` is ``fused``, ``alone``, ``without`` or ``rule``; ``thresholds`` are those that its scale itself has.
    """

    name: str
    group: str
    score: F64
    held_out: F64 | None
    thresholds: Mapping[str, float]


def variants(trained: Trained, windows: ScoredWindows) -> Iterator[Variant]:
    """All of them, one at a time."""
    held_out = trained.held_out
    yield Variant(FUSED, FUSED, windows.score, held_out.windows.score if held_out else None, SCALE)
    names = sorted(trained.bundle.calibration.parts)
    for name in names:
        yield _part(name, "alone", (name,), trained, windows)
    for name in names if len(names) > 1 else ():
        yield _part(f"without {name}", "without", tuple(other for other in names if other != name), trained, windows)
    for rule in RULES:
        score = _rule(rule, windows)
        yield Variant(
            rule,
            "rule",
            score,
            _rule(rule, held_out.windows) if held_out else None,
            dict.fromkeys(SCALE, RULE_THRESHOLD),
        )


def _part(name: str, group: str, kept: tuple[str, ...], trained: Trained, windows: ScoredWindows) -> Variant:
    held_out = trained.held_out
    fusion = trained.bundle.calibration
    if held_out is not None:
        chosen = _only(held_out.windows.strengths, kept)
        fusion = Fusion(fusion.parts, fit_fused(held_out.windows.kinds, held_out.blocks, chosen, held_out.days))
    return Variant(
        name, group, _fused(fusion, windows, kept), _fused(fusion, held_out.windows, kept) if held_out else None, SCALE
    )


def _fused(fusion: Fusion, windows: ScoredWindows, kept: tuple[str, ...]) -> F64:
    """As ``models.scorer`` makes its score."""
    rate = fusion.false_alarms(windows.kinds, _only(windows.strengths, kept))
    return np.asarray(np.round(-rate, DIGITS) + 0.0, np.float64)


def _only(strengths: Mapping[str, F64], kept: tuple[str, ...]) -> dict[str, F64]:
    return {name: strengths[name] for name in kept if name in strengths}


def _rule(rule: str, windows: ScoredWindows) -> F64:
    if rule == RULES[0]:
        return windows.errors.astype(np.float64)
    if rule == RULES[1]:
        return windows.unseen.astype(np.float64)
    return np.ones(len(windows))
