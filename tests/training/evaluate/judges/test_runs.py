"""Measures of runs: figures worked out by hand."""

from pathlib import Path

import numpy as np
import pytest

from models.errors import InvalidError
from models.rfc3339 import SECOND
from training.evaluate.judges.runs import RunJudge, moment, read_runs
from training.evaluate.measures import measure

TABLE = """run_id,label,start,end,anomaly_start,client_error,workload_start
a,fail,2026-03-02 00:00:00,2026-03-02 00:10:00,2026-03-02 00:05:00,2026-03-02T00:06:00.000Z,2026-03-02 00:01:00
b,fail,2026-03-02 00:00:00,2026-03-02 00:05:20,2026-03-02 00:05:00,,2026-03-02 00:01:00
c,warm,2026-03-02 00:00:00,2026-03-02 01:00:00,,,2026-03-02 00:01:00
d,cold,2026-03-02 00:00:00,2026-03-02 01:00:00,,,2026-03-02 00:01:00
e,silent_err,2026-03-02 00:00:00,2026-03-02 00:10:00,2026-03-02 00:05:00,,
"""
ZERO = moment("2026-03-02")

# Tenant, second at which the window ends, score.
WINDOWS = [
    ("a", 100, 9.0),  # before its fault: does not find it
    ("a", 299, 0.5),
    ("a", 345, 2.0),
    ("a", 360, 5.0),
    ("a", 500, 3.0),
    ("b", 310, 1.0),
    ("c", 60, 1.5),
    ("c", 100, 4.0),
    ("c", 150, 4.5),  # within a minute of the alarm before: the same one
    ("c", 160, 4.5),  # a minute after it: another one
    ("d", 320, 0.25),
    ("e", 400, 4.1),
]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Give the file of runs."""
    path = tmp_path / "runs.csv"
    path.write_text(TABLE)
    return path


def measured(table: Path, min_post_s: float = 0.0) -> dict[str, float]:
    """All measures of the windows, in a shuffled order, with 3.5 as the budget's threshold."""
    order = np.random.default_rng(1).permutation(len(WINDOWS)).tolist()
    tenants = [WINDOWS[i][0] for i in order]
    end = np.array([ZERO + WINDOWS[i][1] * SECOND for i in order])
    score = np.array([WINDOWS[i][2] for i in order])
    return measure(RunJudge(read_runs([table]), tenants, end, min_post_s), score, {"budget": 3.5, "held": 0.3})


def test_units_rank_as_worked_out_by_hand(table: Path) -> None:
    """Failing 5 and 1 against normal 4.5 and 0.25: three of four pairs are in order."""
    found = measured(table)
    assert found["auroc"] == 0.75
    assert found["average_precision"] == pytest.approx((1 + 2 / 3) / 2, abs=1e-6)
    # Early: a's highest until the client noticed is 5; c and d show nothing from 00:05 to 00:06 but 0.25.
    assert found["auroc_early"] == 1.0
    # Equal phase: a against c and d from 00:05 on, b until 00:05:20: nothing of c, 0.25 of d.
    assert found["auroc_matched"] == 1.0


def test_figures_at_the_budget_are_those_worked_out_by_hand(table: Path) -> None:
    """At 3.5: a is found and b is not, c fires twice in two hours of normal runs and d never."""
    found = {name.partition(".")[2]: value for name, value in measured(table).items() if name.startswith("budget.")}
    assert found == {
        "threshold": 3.5,
        "precision": 0.5,
        "recall": 0.5,
        "f1": 0.5,
        "fpr": 0.5,
        "fpr_warm": 1.0,
        "fpr_cold": 0.0,
        "fpr_matched": 0.0,
        "false_alarms_per_hour": 1.0,
        "silent_err_alerted": 1.0,
        "recall_early": 1.0,
        "delay_median_s": 59.0,
        "delay_p90_s": 59.0,
        "before_client": 0.5,
        "before_fault": 0.5,
    }


def test_thresholds_are_taken_from_where_they_say(table: Path) -> None:
    """The highest normal run bounds both shares of so few; the best flags both failing runs and one normal one."""
    found = measured(table)
    assert found["held.threshold"] == 0.3
    assert found["fpr5.threshold"] == found["fpr1.threshold"] == 4.5
    assert found["fpr5.recall"] == 0.5
    assert found["best.threshold"] == 1.0
    assert found["best.f1"] == 0.8


def test_a_run_that_ends_at_once_counts_only_where_asked(table: Path) -> None:
    """With at least 30 s after the fault, b is left out and a alone is found."""
    found = measured(table, 30.0)
    assert found["budget.recall"] == 1.0
    assert found["auroc"] == 1.0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (TABLE.replace("warm", "odd"), "line 4: label 'odd'"),
        (TABLE.replace("2026-03-02 00:05:00,2026-03-02T00:06:00.000Z", ","), "needs anomaly_start"),
        (TABLE.replace("b,fail", "a,fail"), "twice"),
        (TABLE.replace("warm", "silent_err").replace("cold", "silent_err"), "thresholds need some"),
        (TABLE.replace("run_id", "run"), "run_id"),
        (TABLE.replace("2026-03-02 01:00:00", "later"), "later"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_in_words(tmp_path: Path, text: str, said: str) -> None:
    """The message names the line and what is wrong with it."""
    path = tmp_path / "runs.csv"
    path.write_text(text)
    with pytest.raises(InvalidError, match=said):
        read_runs([path])
