"""What a ranking is worth: figures of units (runs, sessions, stretches of time) that are anomalous or normal.

A unit is flagged where its score is above a threshold.  All arrays are float64 of shape (units,), higher is more
anomalous, -inf for a unit that has no window.  ``weight`` is what one normal unit counts beside an anomalous one.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from models.records import F64

ROC_POINTS: Final = 200
"""Points of a curve that are kept: as many as a plot 460 pixels wide can show."""


@dataclass(frozen=True, slots=True)
class Confusion:
    """How many units were flagged: all of them shares or means, 0 where nothing was flagged."""

    precision: float
    recall: float
    f1: float
    fpr: float


def confusion(positive: F64, normal: F64, threshold: float, weight: float = 1.0) -> Confusion:
    """Flagged units at a threshold; needs at least one unit of each sort."""
    hit = float(np.count_nonzero(positive > threshold))
    false = float(np.count_nonzero(normal > threshold))
    precision = hit / (hit + weight * false) if hit else 0.0
    recall = hit / len(positive)
    f1 = 2.0 * precision * recall / (precision + recall) if hit else 0.0
    return Confusion(precision, recall, f1, false / len(normal))


def auroc(positive: F64, normal: F64) -> float | None:
    """Probability that an anomalous unit ranks above a normal one, ties counting half; None without both sorts."""
    if not len(positive) or not len(normal):
        return None
    ordered = np.sort(normal)
    below = np.searchsorted(ordered, positive, "left") + np.searchsorted(ordered, positive, "right")
    return float(below.sum()) / (2.0 * len(positive) * len(normal))


def average_precision(positive: F64, normal: F64, weight: float = 1.0) -> float | None:
    """Mean precision over the anomalous units, each at its own score; None without both sorts."""
    if not len(positive) or not len(normal):
        return None
    hits = len(positive) - np.searchsorted(np.sort(positive), positive, "left")
    false = len(normal) - np.searchsorted(np.sort(normal), positive, "left")
    return float((hits / (hits + weight * false)).mean())


def threshold_at(normal: F64, fpr: float) -> float:
    """The score that about ``fpr`` of the normal units exceed: the nearest of their own."""
    ordered = np.sort(normal)
    last = len(ordered) - 1
    return float(ordered[min(last, max(0, round((1.0 - fpr) * last)))])


def best_threshold(positive: F64, normal: F64, weight: float = 1.0) -> float:
    """The threshold with the best F1, which nobody can know beforehand; the highest one where several are best."""
    scores = np.unique(np.concatenate([positive, normal]))[::-1]
    scores = scores[scores > -np.inf]
    if not len(scores):
        return np.inf
    hits = len(positive) - np.searchsorted(np.sort(positive), scores, "left")
    false = len(normal) - np.searchsorted(np.sort(normal), scores, "left")
    f1 = 2.0 * hits / (hits + weight * false + len(positive))
    return float(np.nextafter(scores[int(np.argmax(f1))], -np.inf))


def roc(positive: F64, normal: F64) -> list[tuple[float, float]]:
    """Points (false positive rate, recall) from (0, 0) to (1, 1), at most about ROC_POINTS of them."""
    scores = np.unique(np.concatenate([positive, normal]))[::-1]
    hits = (len(positive) - np.searchsorted(np.sort(positive), scores, "left")) / len(positive)
    false = (len(normal) - np.searchsorted(np.sort(normal), scores, "left")) / len(normal)
    points = [(0.0, 0.0), *zip(false.tolist(), hits.tolist(), strict=True)]
    corners = [
        point
        for before, point, after in zip([points[0], *points], points, [*points[1:], points[-1]], strict=False)
        if not (before[0] == point[0] == after[0] or before[1] == point[1] == after[1])
        or point in (points[0], points[-1])
    ]
    if len(corners) <= ROC_POINTS:
        return corners
    corner = np.unique(np.linspace(0, len(corners) - 1, ROC_POINTS).round().astype(int))
    return [corners[i] for i in corner.tolist()]
