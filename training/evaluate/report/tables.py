"""Which measures are shown first, and as text for a terminal."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from training.evaluate.measures import THRESHOLDS, meaning

_HEARD: Final = (
    "told",
    "own",
    "right",
    "told_delay_median_s",
    "false_incidents",
    "alerts_per_incident",
    "pages_per_day",
)
_OF_STREAMS: Final = (
    "auroc",
    "fpr5.recall",
    "fpr1.recall",
    "budget.recall",
    "budget.delay_median_s",
    "budget.false_alarms_per_hour",
    "budget.fired_windows",
    "budget.fired_of_a_service",
    "hourly.recall",
    "hourly.false_alarms_per_hour",
    "best.f1",
    "best.false_alarms_per_hour",
    *_HEARD,
)

COLUMNS: Final[Mapping[str, Sequence[str]]] = {
    "runs": (
        "auroc",
        "auroc_early",
        "fpr5.recall",
        "fpr1.recall",
        "budget.f1",
        "budget.false_alarms_per_hour",
        "held.f1",
        "held.false_alarms_per_hour",
        "held.before_client",
        "held.delay_median_s",
        "fpr5.f1",
        "fpr5.false_alarms_per_hour",
        "best.f1",
        "best.false_alarms_per_hour",
        *_HEARD,
    ),
    "sessions": ("auroc", "fpr5.recall", "fpr1.recall", "held.f1", "held.precision", "held.recall", "best.f1"),
    "simulator": _OF_STREAMS,
    "chains": _OF_STREAMS,
}

_SHORT: Final[Mapping[str, str]] = {
    "false_alarms_per_hour": "FA/h",
    "before_client": "before",
    "delay_median_s": "delay",
    "fired_windows": "fired",
    "fired_of_a_service": "of one",
    "auroc": "AUROC",
    "auroc_early": "early",
    "f1": "F1",
    "told_delay_median_s": "told after",
    "false_incidents": "false",
    "alerts_per_incident": "alerts",
    "pages_per_day": "pages/d",
}


def columns(result: Mapping[str, Any]) -> list[str]:
    """Columns of a set that any of its rows has a value for."""
    there = {name for row in result["variants"] for name in row["measures"]}
    return [name for name in COLUMNS[result["kind"]] if name in there]


def value_text(name: str, value: float) -> str:
    """A measure with the digits that it deserves."""
    if meaning(name).bounded:
        return f"{value:.3f}"
    return f"{value:.2f}" if abs(value) < 100 else f"{value:.0f}"  # noqa: PLR2004 - a matter of looks


def as_text(result: Mapping[str, Any]) -> str:
    """A set's table: means over the seeds."""
    shown = columns(result)
    head = [["", *(_head(name)[0] for name in shown)], [result["name"], *(_head(name)[1] for name in shown)]]
    rows = [
        [
            row["name"],
            *(value_text(name, row["measures"][name]["mean"]) if name in row["measures"] else "" for name in shown),
        ]
        for row in result["variants"]
    ]
    widths = [max(len(row[i]) for row in head + rows) for i in range(len(shown) + 1)]
    lines = [
        "  ".join(cell.ljust(width) if i == 0 else cell.rjust(width) for i, (cell, width) in enumerate(cells))
        for cells in (list(zip(row, widths, strict=True)) for row in head + rows)
    ]
    counts = ", ".join(f"{count} {name}" for name, count in result["counts"].items())
    return "\n".join([*(line.rstrip() for line in lines), f"({counts}; {result['windows']:,} windows)"])


def _head(name: str) -> tuple[str, str]:
    threshold, _, plain = name.rpartition(".")
    return THRESHOLDS.get(threshold, ""), _SHORT.get(plain, plain)
