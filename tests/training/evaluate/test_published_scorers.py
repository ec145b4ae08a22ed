"""The same figures as the published scorers give, as recorded in ``tests/data/published_scores.json``.

The scorers themselves are not ours to ship.  Where they stand beside the repository, what they print is compared with
the record; ``python -m tests.training.evaluate.test_published_scorers`` records it anew.
"""

import csv
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.rfc3339 import SECOND
from training.evaluate.judges.runs import RunJudge, moment, read_runs
from training.evaluate.judges.sessions import SessionJudge, held_threshold
from training.evaluate.measures import measure
from training.evaluate.scored_windows import ScoredWindows

SCORERS = Path(__file__).parents[4] / "shared" / "eval"
RECORD = Path(__file__).parents[2] / "data" / "published_scores.json"
WEIGHT = 17.5

ZERO = moment("2026-03-02")
NAMES = {
    "AUROC": "auroc",
    "AP": "average_precision",
    "AUROC_early": "auroc_early",
    "AUROC_matched": "auroc_matched",
    "threshold": "fpr5.threshold",
    "precision": "fpr5.precision",
    "recall": "fpr5.recall",
    "F1": "fpr5.f1",
    "FPR": "fpr5.fpr",
    "FPR_warm": "fpr5.fpr_warm",
    "FPR_cold": "fpr5.fpr_cold",
    "FPR_matched": "fpr5.fpr_matched",
    "recall_early": "fpr5.recall_early",
    "false_alerts_per_normal_hour": "fpr5.false_alarms_per_hour",
    "alert_before_activation": "fpr5.before_fault",
    "delay_median_s": "fpr5.delay_median_s",
    "delay_p90_s": "fpr5.delay_p90_s",
    "alerted_before_client": "fpr5.before_client",
    "silent_err_alerted": "fpr5.silent_err_alerted",
}


def scorer(name: str, *arguments: str) -> dict[str, Any]:
    """What a scorer prints."""
    done = subprocess.run([sys.executable, SCORERS / name, *arguments], capture_output=True, check=True, text=True)
    printed: dict[str, Any] = json.loads(done.stdout)
    return printed


def recorded(case: str) -> dict[str, float]:
    """What a scorer has printed for one of the cases below."""
    record: dict[str, float] = json.loads(RECORD.read_text(encoding="utf-8"))[case]
    return record


def text(second: float) -> str:
    """A time as the scorers read it."""
    return str(np.datetime64(ZERO + round(second * SECOND), "us")).replace("T", " ")[:23]


def write_runs(path: Path, rng: np.random.Generator) -> None:
    """Sixty runs of about ten minutes, of every label."""
    fields = "run_id,label,start,end,anomaly_start,client_error,workload_start"
    rows = []
    for number, label in enumerate(rng.choice(["fail", "warm", "cold", "silent_err"], 60, p=[0.4, 0.3, 0.2, 0.1])):
        start = 3600.0 * number
        fault = start + rng.uniform(60, 400)
        end = fault + rng.choice([1.5, 31.0, rng.uniform(5, 300)]) if label == "fail" else start + 700
        noticed = text(min(end, fault + rng.uniform(1, 100))) if rng.random() < 0.8 else ""
        failing = (text(fault), noticed) if label == "fail" else ("", "")
        rows.append((f"r{number}", label, text(start), text(end), *failing, text(start + rng.uniform(0, 30))))
    path.write_text("\n".join([fields, *(",".join(map(str, row)) for row in rows)]) + "\n")


def sessions(keys: list[str]) -> ScoredWindows:
    """Windows of sessions, of which only the keys matter."""
    n = len(keys)
    time, none = np.full(n, ZERO), np.zeros(n, np.bool_)
    return ScoredWindows(["t"] * n, keys, np.full(n, 5, np.int32), time, time, np.zeros(n), {}, none, none, {})


def runs_case(folder: Path, min_post: int) -> tuple[dict[str, float], list[str]]:
    """Random windows with many ties, some runs without any: our figures, and how to ask the scorer for its own."""
    rng = np.random.default_rng(5 + min_post)
    table, points = folder / "runs.csv", folder / "points.csv"
    write_runs(table, rng)
    runs = read_runs([table])
    tenants, end, score = [], [], []
    for run in runs[2:]:
        for step in range(run.start, run.end, 15 * SECOND):
            bad = run.label == "fail" and step > run.fault
            tenants.append(run.name)
            end.append(step + int(rng.integers(0, 15_000)) * 1000)
            score.append(round(float(rng.exponential(1.0) + bad * rng.exponential(1.5)), 1))
    with points.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["run_id", "timestamp", "score"])
        writer.writerows(zip(tenants, [text((e - ZERO) / SECOND) for e in end], score, strict=True))
    ours = measure(RunJudge(runs, tenants, np.array(end), min_post), np.array(score), {})
    command = ["score_runs.py", "--runs", str(table), "--points", str(points), "--min-post", str(min_post)]
    return {name: ours[figure] for name, figure in NAMES.items()}, command


def sessions_case(folder: Path) -> tuple[dict[str, float], list[str]]:
    """Weighted normals, ties, sessions of several windows and of none: the same for sessions."""
    rng = np.random.default_rng(9)
    labels = {f"s{i}": bool(rng.random() < 0.3) for i in range(500)}
    keys, score = [], []
    for name, anomalous in list(labels.items())[5:]:
        for _ in range(int(rng.integers(1, 4))):
            keys.append(name)
            score.append(round(float(rng.normal(2.0 * anomalous, 1.0)), 1))
    calib = np.round(rng.normal(0, 1, 200), 1)
    judge = SessionJudge(labels, sessions(keys), WEIGHT)
    positive, normal = judge.units(np.array(score))
    command = ["score_sessions.py", "--weight-normal", str(WEIGHT)]
    for name, values in (("--abnormal", positive), ("--normal", normal), ("--calib", calib)):
        path = folder / name.strip("-")
        path.write_text("".join(f"{value!r}\n" for value in values.tolist()))
        command += [name, str(path)]
    figures = measure(judge, np.array(score), {"held": held_threshold(calib, 0.995)})
    ours = {name: figures[f"held.{name.lower()}"] for name in ("threshold", "precision", "recall", "F1", "FPR")}
    return ours | {"AUROC": figures["auroc"], "best_F1_oracle": figures["best.f1"]}, command


def case_of(name: str, folder: Path) -> tuple[dict[str, float], list[str]]:
    """Make a case."""
    return sessions_case(folder) if name == "sessions" else runs_case(folder, int(name.removeprefix("runs ")))


def theirs(names: Sequence[str], command: list[str]) -> dict[str, float]:
    """Ask the scorer for some figures."""
    printed = scorer(*command)
    return {name: printed[name] for name in names}


CASES = ["runs 0", "runs 30", "sessions"]


@pytest.mark.parametrize("name", CASES)
def test_figures_are_those_of_the_published_scorers(tmp_path: Path, name: str) -> None:
    """Every figure of a scorer is the same."""
    ours, _ = case_of(name, tmp_path)
    assert ours == pytest.approx(recorded(name), abs=2e-6)


@pytest.mark.beside
@pytest.mark.skipif(not SCORERS.is_dir(), reason="the published scorers are not here")
@pytest.mark.parametrize("name", CASES)
def test_the_record_is_what_the_scorers_print(tmp_path: Path, name: str) -> None:
    """Or the test above would compare with something else."""
    ours, command = case_of(name, tmp_path)
    assert recorded(name) == pytest.approx(theirs(list(ours), command), abs=1e-12)


def main() -> None:
    """Record what the scorers print."""
    record = {}
    for name in CASES:
        with tempfile.TemporaryDirectory() as folder:
            ours, command = case_of(name, Path(folder))
            record[name] = theirs(list(ours), command)
    RECORD.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
