"""The same figures as the scorers that published them, which stand beside the repository; skipped where they do not."""

import csv
import json
import subprocess
import sys
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
pytestmark = pytest.mark.skipif(not SCORERS.is_dir(), reason="the published scorers are not here")

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
    found: dict[str, Any] = json.loads(done.stdout)
    return found


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


@pytest.mark.parametrize("min_post", [0, 30])
def test_runs_are_measured_as_published(tmp_path: Path, min_post: int) -> None:
    """Random windows with many ties, some runs without any: every figure of the scorer is the same."""
    rng = np.random.default_rng(5 + min_post)
    table, points = tmp_path / "runs.csv", tmp_path / "points.csv"
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
    expected = scorer("score_runs.py", "--runs", str(table), "--points", str(points), "--min-post", str(min_post))
    found = measure(RunJudge(runs, tenants, np.array(end), min_post), np.array(score), {})
    assert {name: found[ours] for name, ours in NAMES.items()} == pytest.approx(
        {name: expected[name] for name in NAMES}, abs=2e-6
    )


def test_sessions_are_measured_as_published(tmp_path: Path) -> None:
    """Weighted normals, ties, sessions of several windows and of none: every figure of the scorer is the same."""
    rng = np.random.default_rng(9)
    labels = {f"s{i}": bool(rng.random() < 0.3) for i in range(500)}
    keys, score = [], []
    for name, anomalous in list(labels.items())[5:]:
        for _ in range(int(rng.integers(1, 4))):
            keys.append(name)
            score.append(round(float(rng.normal(2.0 * anomalous, 1.0)), 1))
    calib = np.round(rng.normal(0, 1, 200), 1)
    judge = SessionJudge(labels, sessions(keys), 17.5)
    positive, normal = judge.units(np.array(score))
    for name, values in (("a", positive), ("n", normal), ("c", calib)):
        (tmp_path / name).write_text("".join(f"{value!r}\n" for value in values.tolist()))
    files = {name: str(tmp_path / name) for name in "anc"}
    expected = scorer(
        "score_sessions.py", "--normal", files["n"], "--abnormal", files["a"], "--calib", files["c"],
        "--weight-normal", "17.5",
    )  # fmt: skip
    found = measure(judge, np.array(score), {"held": held_threshold(calib, 0.995)})
    ours = {name: found[f"held.{name.lower()}"] for name in ("threshold", "precision", "recall", "F1", "FPR")}
    ours |= {"AUROC": found["auroc"], "best_F1_oracle": found["best.f1"]}
    assert ours == pytest.approx(expected, abs=2e-6)
