"""The training in a process of its own."""

import threading
from pathlib import Path

from models.rfc3339 import parse_time
from stream.learning.child import arguments, train
from stream.settings.environment import environment

BEGIN = parse_time("2026-11-30T15:20:00Z")


def test_a_command_that_ends_well_is_no_problem_and_its_memory_is_known(tmp_path: Path) -> None:
    """What it said is in the report."""
    training = train(["--version"], environment(), tmp_path / "lesson.log", threading.Event())
    assert training.problem == ""
    assert training.peak_mb > 1
    assert (tmp_path / "lesson.log").read_text().startswith("tocsin ")


def test_a_training_that_fails_says_why_in_its_last_line(tmp_path: Path) -> None:
    """The very text that a person would have seen."""
    args = ["rules", "check", str(tmp_path / "none.yaml")]
    training = train(args, environment(), tmp_path / "lesson.log", threading.Event())
    assert training.problem.startswith("tocsin: ")
    assert "none.yaml" in training.problem


def test_a_worker_that_stops_ends_its_training(tmp_path: Path) -> None:
    """Without waiting for it; there is no bundle then."""
    stop = threading.Event()
    stop.set()
    training = train(
        ["simulate", "--hours", "9999", "--out", str(tmp_path / "long.jsonl")], environment(), tmp_path / "log", stop
    )
    assert training.problem == "the worker stops"


def test_the_command_names_what_is_left_out(tmp_path: Path) -> None:
    """As a person would type it."""
    args = arguments(Path("lines.jsonl"), Path("out"), Path("base"), [(BEGIN, BEGIN + 90_000_000)])
    assert args == [
        *("train", "lines.jsonl", "--out", "out", "--base", "base"),
        *("--leave-out", "2026-11-30T15:20:00.000Z/2026-11-30T15:21:30.000Z"),
    ]
