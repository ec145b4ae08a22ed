"""Runs: each a tenant, normal or failing from a known moment on.

The file of runs is a table with the columns ``run_id`` (the tenant), ``label``, ``start``, ``end`` and, for failing
runs, ``anomaly_start`` (taken as one second before the fault became active), and where known ``client_error`` (when
somebody noticed) and ``workload_start`` (which makes phases of runs comparable; default: ``start``).  Labels: ``fail``,
``warm``, ``cold`` or ``normal`` (fresh services or not), and ``silent_err`` for runs that are neither, told apart.

A failing run's score is the highest from ``anomaly_start`` on, a normal run's the highest of all.
"""

import csv
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np

from models.errors import InvalidError
from models.records import F64, I64
from models.rfc3339 import SECOND
from training.evaluate.judges.timeline import ScoreTrace, Timeline, TimelineMark, TimelineSpan, alarms, highest, peaks
from training.evaluate.ranking_metrics import auroc

FAIL: Final = "fail"
NORMAL: Final = ("warm", "cold", "normal")
APART: Final = "silent_err"
BEFORE_FAULT_US: Final = SECOND
"""By how much ``anomaly_start`` precedes the fault."""

LATE_US: Final = 10 * SECOND
"""Early warning is asked of runs in which the client noticed at least so much after the fault …"""

LATE_REST_US: Final = 30 * SECOND
"""… and whose log goes on at least so long."""

_SAMPLED: Final = 3
"""Normal runs that each failing run is compared with; a judgement."""
_SEED: Final = 123
"""Which normal runs are compared, the same in every evaluation."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run; times in microseconds."""

    name: str
    label: str
    start: int
    end: int
    begin: int  # of the workload
    anomaly: int | None = None
    noticed: int | None = None

    @property
    def fault(self) -> int:
        """``anomaly_start`` of a failing run."""
        return self.start if self.anomaly is None else self.anomaly


def read_runs(paths: Sequence[Path]) -> list[Run]:
    """The runs of several tables, in order; raises InvalidError where one cannot be used."""
    out = []
    for path in paths:
        try:
            with path.open(newline="", encoding="utf-8") as file:
                rows = list(csv.DictReader(file))
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidError(f"{path} cannot be read ({error})", "give a table of runs") from error
        for number, row in enumerate(rows, 2):
            try:
                out.append(_run(row))
            except (KeyError, ValueError) as error:
                raise InvalidError(f"{path}, line {number}: {error}", "see `tocsin evaluate --help`") from error
    names = [run.name for run in out]
    if len(set(names)) < len(names):
        raise InvalidError(
            f"{', '.join(map(str, paths))}: a run_id stands there twice", "every run is a tenant of its own"
        )
    if not any(run.label in NORMAL for run in out):
        raise InvalidError(
            f"{', '.join(map(str, paths))}: no run is labelled {', '.join(NORMAL)}", "thresholds need some"
        )
    return out


def _run(row: dict[str, str]) -> Run:
    label = row["label"]
    if label not in {FAIL, APART, *NORMAL}:
        raise ValueError(f"label {label!r} is none of {', '.join((FAIL, *NORMAL, APART))}")
    optional = {name: moment(row[name]) if row.get(name) else None for name in _OPTIONAL}
    if label == FAIL and optional["anomaly_start"] is None:
        raise ValueError("a failing run needs anomaly_start")
    start = moment(row["start"])
    begin = optional["workload_start"]
    return Run(
        row["run_id"],
        label,
        start,
        moment(row["end"]),
        start if begin is None else begin,
        optional["anomaly_start"],
        optional["client_error"],
    )


_OPTIONAL: Final = ("anomaly_start", "client_error", "workload_start")


def moment(text: str) -> int:
    """Microseconds since the epoch of an ISO 8601 time; without a zone it is UTC."""
    parsed = datetime.fromisoformat(text.strip().replace(",", "."))
    parsed = parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    since = parsed - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * SECOND + since.microseconds


class RunJudge:
    """Measures of any score over the windows of these runs."""

    weight = 1.0

    def __init__(self, runs: Sequence[Run], tenants: Sequence[str], end: I64, min_post_s: float = 0.0) -> None:
        """``min_post_s``: failing runs count only if their log goes on so long after the fault."""
        least = round((min_post_s + 1) * SECOND) if min_post_s else 0
        self.failing = [run for run in runs if run.label == FAIL and run.end - run.fault >= least]
        self.normal = [run for run in runs if run.label in NORMAL]
        self.timeline = Timeline(tenants, end)
        self._failing = [self._place(run.name, run.fault) for run in self.failing]
        self._normal = [self._place(run.name) for run in self.normal]
        self._apart = [self._place(run.name) for run in runs if run.label == APART]
        self._hours = sum(run.end - run.start for run in self.normal) / SECOND / 3600
        rng = random.Random(_SEED)  # noqa: S311 - which runs are compared is no secret
        self._matched = self._normal_beside([(run, run.end) for run in self.failing], rng)
        late = [(run, run.noticed) for run in self.failing if run.noticed is not None and _is_late(run, run.noticed)]
        self._early = [self._place(run.name, run.fault, noticed) for run, noticed in late]
        self._early_normal = self._normal_beside(late, rng)

    @property
    def counts(self) -> dict[str, int]:
        """Units of each sort."""
        labels = {label: sum(run.label == label for run in self.normal) for label in NORMAL}
        return {
            "failing": len(self.failing),
            **{label: count for label, count in labels.items() if count},
            "silent_err": len(self._apart),
            "noticed_late": len(self._early),
        }

    def units(self, score: F64) -> tuple[F64, F64]:
        """Scores of the failing runs and of the normal ones; ``score`` (n,) of the windows as they came."""
        ordered = self.timeline.ordered(score)
        return peaks(ordered, self._failing), peaks(ordered, self._normal)

    def normal_windows(self) -> tuple[I64, float]:
        """Windows of normal runs, and how many days these took."""
        return np.concatenate([self.timeline.order[windows] for windows in self._normal]), self._hours / 24

    def trace(self, score: F64, threshold: float) -> ScoreTrace | None:
        """The failing run that is found after the median delay, or else the first one."""
        ordered = self.timeline.ordered(score)
        delays = []
        for run, windows in zip(self.failing, self._failing, strict=True):
            moments = self.timeline.end[windows][ordered[windows] > threshold]
            if len(moments) and run.noticed is not None:
                delays.append((int(moments[0]) - run.fault, run.name, run))
        if not self.failing:
            return None
        run = sorted(delays, key=lambda delay: delay[:2])[len(delays) // 2][2] if delays else self.failing[0]
        windows = self._place(run.name)
        second = (self.timeline.end[windows] - run.start) // SECOND
        marks = [TimelineMark((run.fault - run.start) / SECOND, (run.end - run.start) / SECOND, "fault")]
        if run.noticed is not None:
            noticed = (run.noticed - run.start) / SECOND
            marks.append(TimelineMark(noticed, noticed, "client notices"))
        return ScoreTrace(run.name, highest(second, ordered[windows], 1.0), tuple(marks))

    def ranking(self, score: F64) -> dict[str, float | None]:
        """Measures beyond those of the units that need no threshold."""
        ordered = self.timeline.ordered(score)
        positive = peaks(ordered, self._failing)
        return {
            "auroc_matched": auroc(positive, peaks(ordered, self._matched)),
            "auroc_early": auroc(peaks(ordered, self._early), peaks(ordered, self._early_normal)),
        }

    def at(self, score: F64, threshold: float) -> dict[str, float | None]:
        """Measures beyond those of the units at a threshold."""
        ordered = self.timeline.ordered(score)
        out: dict[str, float | None] = {}
        normal = peaks(ordered, self._normal) > threshold
        labels = np.array([run.label for run in self.normal])
        for label in sorted(set(labels.tolist())) if len(set(labels.tolist())) > 1 else ():
            out[f"fpr_{label}"] = float(normal[labels == label].mean())
        out["fpr_matched"] = _share(peaks(ordered, self._matched) > threshold)
        out["false_alarms_per_hour"] = self._alarms(ordered, threshold) / self._hours if self._hours else None
        out["silent_err_alerted"] = _share(peaks(ordered, self._apart) > threshold)
        out["recall_early"] = _share(peaks(ordered, self._early) > threshold)
        return out | self._delays(ordered, threshold)

    def _alarms(self, ordered: F64, threshold: float) -> int:
        return sum(alarms(self.timeline.end[windows], ordered[windows], threshold) for windows in self._normal)

    def _delays(self, ordered: F64, threshold: float) -> dict[str, float | None]:
        if not self.failing:
            return {}
        delays, before_client, before_fault = [], 0, 0
        for run, windows in zip(self.failing, self._failing, strict=True):
            moments = self.timeline.end[windows][ordered[windows] > threshold]
            if len(moments):
                first = int(moments[0])
                delays.append(max(0, first - run.fault - BEFORE_FAULT_US) / SECOND)
                before_client += run.noticed is not None and first <= run.noticed
            earlier = self._place(run.name, high=run.fault - 1)
            before_fault += bool((ordered[earlier] > threshold).any())
        delays.sort()
        return {
            "delay_median_s": delays[len(delays) // 2] if delays else None,
            "delay_p90_s": delays[int(len(delays) * 0.9)] if delays else None,
            "before_client": before_client / len(self.failing),
            "before_fault": before_fault / len(self.failing),
        }

    def _normal_beside(self, stretches: Sequence[tuple[Run, int]], rng: random.Random) -> list[slice]:
        """The same stretch of the workload in some normal runs: does the score tell more than the phase?"""
        return [self._beside(run, normal, until) for run, until in stretches for normal in self._some_normal(rng)]

    def _place(self, name: str, low: int | None = None, high: int | None = None) -> slice:
        span = TimelineSpan(name)
        return self.timeline.place(
            TimelineSpan(name, span.low if low is None else low, span.high if high is None else high)
        )

    def _beside(self, run: Run, normal: Run, until: int) -> slice:
        """The stretch of a normal run at the phase in which ``run`` was from its fault to a moment."""
        low = normal.begin + run.fault - run.begin
        return self._place(normal.name, low, low + until - run.fault)

    def _some_normal(self, rng: random.Random) -> list[Run]:
        return rng.sample(self.normal, min(_SAMPLED, len(self.normal)))


def _is_late(run: Run, noticed: int) -> bool:
    return run.end - run.fault >= LATE_REST_US + BEFORE_FAULT_US and noticed - run.fault >= LATE_US + BEFORE_FAULT_US


def _share(flags: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> float | None:
    return float(flags.mean()) if len(flags) else None
