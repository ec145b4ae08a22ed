"""The regression gate: two evaluations of the same sets, and what got worse."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from models.errors import InvalidError
from training.evaluate.evaluate import SCHEMA
from training.evaluate.measures import meaning
from training.evaluate.report.tables import value_text

LEAST: Final = 0.05
"""Measures that are no shares may change by so much, however small they are."""


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How much worse is not worse: ``share`` for measures between 0 and 1, a ``part`` of the old value for others."""

    share: float = 0.01
    part: float = 0.1


def read_evaluation(path: Path) -> dict[str, Any]:
    """Read an evaluation; raises InvalidError where it is none."""
    path = path / "evaluation.json" if path.is_dir() else path
    try:
        evaluation = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise InvalidError(f"{path} cannot be read ({error})", "give what `tocsin evaluate` wrote") from error
    if not isinstance(evaluation, dict) or evaluation.get("schema") != SCHEMA:
        raise InvalidError(f"{path} is no evaluation of schema {SCHEMA!r}", "make it again with `tocsin evaluate`")
    return evaluation


def worse(old: Mapping[str, Any], new: Mapping[str, Any], tolerance: Tolerance, groups: Iterable[str]) -> list[str]:
    """One line per measure of the old evaluation that got worse, or that the new one lacks.

    Only rows of ``groups`` are compared.  Means over the seeds count; where the old seeds differ by more than the
    tolerance, so much is tolerated.
    """
    there = {(name, row): measures for name, row, measures in _rows(new, groups)}
    out = []
    for name, row, measures in _rows(old, groups):
        before = there.get((name, row))
        if before is None:
            out.append(f"{name}, {row}: is missing")
            continue
        out += [line for measure in measures if (line := _worse(name, row, measure, measures, before, tolerance))]
    return out


def _rows(evaluation: Mapping[str, Any], groups: Iterable[str]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    wanted = set(groups)
    for result in evaluation["sets"]:
        yield from (
            (result["name"], row["name"], row["measures"]) for row in result["variants"] if row["group"] in wanted
        )


def _worse(  # noqa: PLR0913 - where, what, both, how much
    name: str, row: str, measure: str, old: Mapping[str, Any], new: Mapping[str, Any], tolerance: Tolerance
) -> str | None:
    try:
        meant = meaning(measure)
    except KeyError:
        return None  # of another version
    if not meant.better:
        return None
    where = f"{name}, {row}: {meant.text}"
    if measure not in new:
        return f"{where} is missing, was {value_text(measure, old[measure]['mean'])}"
    before, after = old[measure], new[measure]
    loss = (before["mean"] - after["mean"]) * meant.better
    allowed = tolerance.share if meant.bounded else max(tolerance.part * abs(before["mean"]), LEAST)
    if loss <= max(allowed, before["high"] - before["low"]) + 1e-9:
        return None
    return f"{where} {value_text(measure, before['mean'])} → {value_text(measure, after['mean'])}"
