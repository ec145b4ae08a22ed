"""All figures of one score on one set, and what each of them means.

A measure's name is its own, or ``<threshold>.<measure>`` where it depends on a threshold.  Thresholds:

- ``budget``: what the product does: it fires where one false alarm a day and tenant, or fewer, are expected.
- ``hourly``: the same with a budget of 24 a day.
- ``held``: a quantile of what was held back from training, all of it normal.
- ``fpr5``, ``fpr1``: what 5 and 1 % of the set's own normal units exceed.
- ``best``: the best F1 that any threshold has; nobody can know it beforehand.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Final, Protocol

import numpy as np

from models.records import F64, I64
from training.evaluate.judges.timeline import ScoreTrace
from training.evaluate.ranking_metrics import auroc, average_precision, best_threshold, confusion, threshold_at

SHARES: Final[Mapping[str, float]] = {"fpr5": 0.05, "fpr1": 0.01}
THRESHOLDS: Final[Mapping[str, str]] = {
    "budget": "1 a day",
    "hourly": "1 an hour",
    "held": "held back",
    "fpr5": "5 % FPR",
    "fpr1": "1 % FPR",
    "best": "best",
}
"""Thresholds by what people call them."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What people call a measure; ``better`` is +1 where more is better, -1 where less is, 0 where neither.

    ``bounded`` measures are shares between 0 and 1.
    """

    text: str
    better: int
    bounded: bool = True


MEASURES: Final[Mapping[str, Meaning]] = {
    "auroc": Meaning("AUROC", 1),
    "auroc_early": Meaning("early AUROC", 1),
    "auroc_matched": Meaning("AUROC at equal phase", 1),
    "average_precision": Meaning("average precision", 1),
    "threshold": Meaning("threshold", 0, bounded=False),
    "precision": Meaning("precision", 1),
    "recall": Meaning("recall", 1),
    "f1": Meaning("F1", 1),
    "fpr": Meaning("false positive rate", -1),
    "fpr_warm": Meaning("false positive rate, warm", -1),
    "fpr_cold": Meaning("false positive rate, cold", -1),
    "fpr_normal": Meaning("false positive rate, normal", -1),
    "fpr_matched": Meaning("false positive rate at equal phase", -1),
    "false_alarms_per_hour": Meaning("false alarms an hour", -1, bounded=False),
    "recall_early": Meaning("recall before the client noticed", 1),
    "before_client": Meaning("alerted before the client", 1),
    "before_fault": Meaning("alerted before the fault", -1),
    "silent_err_alerted": Meaning("silent errors alerted", 0),
    "delay_median_s": Meaning("median delay, s", -1, bounded=False),
    "delay_p90_s": Meaning("90 % delay, s", -1, bounded=False),
    "fired_windows": Meaning("windows that fire", -1, bounded=False),
    "fired_of_a_service": Meaning("most of one service", -1, bounded=False),
    "told": Meaning("faults told", 1),
    "own": Meaning("faults told by an incident of their own", 1),
    "right": Meaning("faults whose cause is told rightly", 1),
    "told_delay_median_s": Meaning("median delay until told, s", -1, bounded=False),
    "false_incidents": Meaning("incidents outside faults", -1, bounded=False),
    "alerts_per_incident": Meaning("alerts an incident", -1, bounded=False),
    "pages_per_day": Meaning("pages a day", -1, bounded=False),
}


def meaning(name: str) -> Meaning:
    """Meaning of a measure with or without threshold; those of single fault kinds end in ``:kind``."""
    threshold, _, rest = name.rpartition(".")
    plain, _, kind = rest.partition(":")
    known = MEASURES[plain]
    text = known.text + (f", {kind}" if kind else "")
    return replace(known, text=f"{text} at {THRESHOLDS[threshold]}" if threshold else text)


class Judge(Protocol):
    """What was to be found among windows, whichever score is asked."""

    weight: float
    """What one normal unit counts beside an anomalous one."""

    @property
    def counts(self) -> dict[str, int]:
        """How many units of each sort there are."""

    def units(self, score: F64) -> tuple[F64, F64]:
        """Scores of anomalous and of normal units, from those of the windows (n,)."""

    def normal_windows(self) -> tuple[I64, float]:
        """Windows of normal time, and how many days that was."""

    def trace(self, score: F64, threshold: float) -> ScoreTrace | None:
        """A stretch worth drawing, None where there is none."""

    def ranking(self, score: F64) -> dict[str, float | None]:
        """More measures that need no threshold."""

    def at(self, score: F64, threshold: float) -> dict[str, float | None]:
        """More measures at a threshold."""


def measure(judge: Judge, score: F64, given: Mapping[str, float | None]) -> dict[str, float]:
    """All measures of a score (n,) by name, without those that have no value.

    ``given`` are the thresholds that do not come from the set itself, None where there is none.
    """
    positive, normal = judge.units(score)
    out = {
        "auroc": auroc(positive, normal),
        "average_precision": average_precision(positive, normal, judge.weight),
        **judge.ranking(score),
    }
    thresholds = dict(given)
    if len(normal):
        thresholds |= {name: threshold_at(normal, share) for name, share in SHARES.items()}
    if len(positive) and len(normal):
        thresholds["best"] = best_threshold(positive, normal, judge.weight)
    for name, threshold in thresholds.items():
        if threshold is None:
            continue
        measures: dict[str, float | None] = {"threshold": threshold if np.isfinite(threshold) else None}
        if len(positive) and len(normal):
            measures |= asdict(confusion(positive, normal, threshold, judge.weight))
        elif len(normal):
            measures["fpr"] = float((normal > threshold).mean())
        measures |= judge.at(score, threshold)
        out |= {f"{name}.{key}": value for key, value in measures.items()}
    return {name: round(value, 6) for name, value in out.items() if value is not None}
