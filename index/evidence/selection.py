"""Which lines go into the evidence, and why: each is selected with a score and a role.

Scores are weights of ``index.evidence.severity``, to which a role may add points on the same scale.  The points are
judgements that put the roles in order.  On the 115 runs of ``tests/bench/explain_runs.py`` 0.5 and 1.5 times as much of
``_FIRST_FAILURE``, ``_DEVIATION``, ``_SILENCE``, ``_CALL_STEP`` and ``_LATER_STEP`` give the same figures.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from index.evidence.detector_findings import MISSING, exceeds, numbers_in, shown_by_lines
from index.evidence.fired_windows import FiredWindow
from index.evidence.request_trace import Story, traceback_of
from index.evidence.severity import NOTABLE, SEVERE, TimeSpan
from index.lines.entries import tracebacks
from index.lines.tracebacks import Traceback, read_trace
from models.findings import Finding, FindingKind

FIRST_BAD: Final = "first bad hop"
FIRST_SIGN: Final = "first sign"
"""The same where nothing failed outright."""

RAISED: Final = "what was raised"
FRAME: Final = "raised here"
CALLED: Final = "called from"
RAISED_LATER: Final = "raised as well"
FRAME_LATER: Final = "raised as well here"
OF_TRACE: Final = frozenset((RAISED, FRAME, CALLED, RAISED_LATER, FRAME_LATER))
"""Roles of lines of tracebacks."""
WEIGHS: Final = "weighs most"
ERROR: Final = "error"
SERVED: Final = "server error answered"
STANDS_OUT: Final = "stands out"
NEW: Final = "first of a new template"
STORY: Final = "story"
LAST: Final = "last line before silence"
ODD: Final = {
    FindingKind.SLOW: "slower than usual",
    FindingKind.REFUSED: "refused more than usual",
    FindingKind.LARGE_VALUE: "higher than usual",
    **dict.fromkeys(MISSING, "what follows is missing"),
}
"""Roles of lines that show what detectors found."""

_FIRST_FAILURE: Final = 3.0
"""Points that the first failure, and the exception behind it, have above their weight, so that they come first.
"""

_EXCEPTION_STEP: Final = 0.1
"""Points that an exception has below its record, so that it comes right behind."""

_FRAME_STEP: Final = 0.2
"""Points that the innermost call has below its record, so that it comes behind the exception."""

_DEVIATION: Final = 1.8
"""Score of a line that shows what detectors found, times the importance of their window: just below a failure."""

_SILENCE: Final = 1.9
"""Score of the last line of a source that stopped: just below a failure."""

_DEVIATIONS: Final = 8
"""Lines that show what detectors found."""

_CALL_STEP: Final = 0.5
"""Points that an outer call has below the record of its traceback."""

_NEXT_CALL_STEP: Final = 0.1
"""Points that each further outer call has below the one before."""

_LATER_STEP: Final = 0.9
"""Points that a later traceback has below its record: its lines come behind other failures."""

_CALLS: Final = 4
"""Calls of a traceback that are shown, one a file, besides the innermost."""

_STORY_LEAST: Final = 0.3
"""Least score of a line that only belongs to the story; ``NOTABLE`` is the most."""

_STORY_STEP: Final = 0.01
"""Points between one line of the story and the next further from the first failure."""

_TEMPLATES: Final = 400
"""Templates of which lines are considered: several times what evidence holds; a bound on the work."""

_AHEAD: Final = 100.0
"""Stands in for the weight of the first failure, above any, so that it is the line that is shown of its template."""


@dataclass(frozen=True, slots=True)
class SelectedLine:
    """A line (its number) that goes into the evidence, standing for ``count`` lines."""

    line_number: int
    score: float
    roles: tuple[str, ...]
    count: int = 1

    def joined(self, other: "SelectedLine") -> "SelectedLine":
        """Return one line for two reasons: the higher score and count, and both roles."""
        roles = tuple(dict.fromkeys((*self.roles, *other.roles)))
        return SelectedLine(self.line_number, max(self.score, other.score), roles, max(self.count, other.count))


@dataclass(frozen=True, slots=True)
class SelectionInput:
    """All lines with their entries, the heads of ``add_severity``, and what is known of them."""

    lines: pl.DataFrame
    heads: pl.DataFrame
    span: TimeSpan
    first: int | None
    """The first record that failed."""
    story: Story
    silent: tuple[int, ...]
    """The last records of sources that stopped."""


def select(scene: SelectionInput, fired: Sequence[FiredWindow], limit: int, story: int) -> list[SelectedLine]:
    """Return the lines that say most, best first: at most ``limit``, of which ``story`` only tell the story."""
    selected = [*_of_templates(scene), *_deviations(scene.heads, fired), *_of_story(scene, story)]
    selected += [SelectedLine(record, _SILENCE, (LAST,)) for record in scene.silent]
    source, weight = None, 0.0
    if scene.first is not None:
        row = scene.heads.row(by_predicate=pl.col("line_number") == scene.first, named=True)
        role = FIRST_BAD if row["severity"] >= SEVERE else FIRST_SIGN
        source, weight = traceback_of(scene.heads, scene.first), row["weight"]
        selected.append(SelectedLine(scene.first, weight + _FIRST_FAILURE, (role,)))
    selected += _of_tracebacks(scene.lines, source, selected, weight)
    best: dict[int, SelectedLine] = {}
    for choice in selected:
        known = best.get(choice.line_number)
        best[choice.line_number] = choice if known is None else known.joined(choice)
    return sorted(best.values(), key=lambda choice: (-choice.score, choice.line_number))[:limit]


def _of_templates(scene: SelectionInput) -> list[SelectedLine]:
    """Return one record for each template of a service, the first of the heaviest, with the number of all.

    The first failure stands for its own template.
    """
    heads, span, first = scene.heads, scene.span, scene.first
    is_first = pl.col("line_number") == (-1 if first is None else first)
    order = pl.when(is_first).then(_AHEAD).otherwise("weight")
    within = heads.filter(pl.col("time") >= span.start).with_columns(order.alias("order"))
    best = (
        within.sort(["order", "line_number"], descending=[True, False])
        .group_by("service", "template", maintain_order=True)
        .agg(
            pl.col("line_number", "weight", "is_error", "server_error", "new", "detector_weight").first(),
            pl.len().alias("count"),
        )
        .filter((pl.col("weight") >= NOTABLE) | (pl.col("detector_weight") > 0))
        .sort(["weight", "line_number"], descending=[True, False])
    )
    return [
        SelectedLine(row["line_number"], row["weight"], _roles_of(row), row["count"])
        for row in best[:_TEMPLATES].iter_rows(named=True)
    ]


def _roles_of(row: Mapping[str, Any]) -> tuple[str, ...]:
    applies = {
        ERROR: row["is_error"],
        SERVED: row["server_error"],
        NEW: row["new"],
        WEIGHS: row["detector_weight"] > 0,
    }
    return tuple(role for role, applied in applies.items() if applied) or (STANDS_OUT,)


def _deviations(heads: pl.DataFrame, fired: Sequence[FiredWindow]) -> list[SelectedLine]:
    """Return what the detectors found in numbers and order: of each template and service the most unusual line."""
    selected: list[SelectedLine] = []
    shown: set[str] = set()
    for window in fired:
        for finding in shown_by_lines(window.findings):
            if finding.template in shown or finding.kind not in ODD:
                continue
            for record, count in _most_unusual(heads, finding, window):
                shown.add(finding.template)
                selected.append(SelectedLine(record, _DEVIATION * window.importance, (ODD[finding.kind],), count))
    return selected[:_DEVIATIONS]


def _most_unusual(heads: pl.DataFrame, finding: Finding, window: FiredWindow) -> list[tuple[int, int]]:
    """Return the most unusual record of each service in a window, of equal ones the first, and how many there are."""
    matching = heads.filter(
        (pl.col("masked") == finding.template) & (pl.col("time") >= window.start) & (pl.col("time") <= window.end)
    )
    by_service: dict[str, list[tuple[float, int]]] = {}
    for record, service, message in matching.select("line_number", "service", "message").rows():
        if (excess := _excess(finding, message)) > 0:
            by_service.setdefault(service, []).append((excess, -record))
    return [(-max(records)[1], len(records)) for records in by_service.values()]


def _excess(finding: Finding, message: str) -> float:
    """Return the highest number of a message, 1 where its kind has no numbers to compare; 0 where it is as usual."""
    if finding.kind in MISSING:
        return 1.0
    if not exceeds(finding, message):
        return 0.0
    return 1.0 if finding.kind is FindingKind.REFUSED else max(numbers_in(message, finding.kind))


def _of_story(scene: SelectionInput, count: int) -> list[SelectedLine]:
    """Return the records of the story around the first failure, each template of a service once; near ones first."""
    records = pl.Series(scene.story.records, dtype=pl.UInt32).implode()
    story = scene.heads.filter(pl.col("line_number").is_in(records))
    if story.is_empty():
        return []
    middle = scene.first if scene.first is not None else int(story["line_number"][0])
    distance = (pl.col("line_number").cast(pl.Int64) - middle).abs()
    nearest = story.with_columns(distance.alias("distance")).sort("distance", "line_number")
    distinct = nearest.unique(["service", "template"], keep="first", maintain_order=True)[:count]
    return [
        SelectedLine(row["line_number"], max(_STORY_LEAST, min(NOTABLE, row["weight"])) - _STORY_STEP * rank, (STORY,))
        for rank, row in enumerate(distinct.iter_rows(named=True))
    ]


def _of_tracebacks(
    lines: pl.DataFrame, source: int | None, selected: Iterable[SelectedLine], weight: float
) -> list[SelectedLine]:
    """Return what was raised and where: of ``source``, the first failure's traceback, with calls; of others without.

    ``weight`` is that of the first failure.
    """
    scores: dict[int, float] = {}
    for choice in selected:
        scores[choice.line_number] = max(scores.get(choice.line_number, 0.0), choice.score)
    if source is not None:
        scores[source] = weight
    records = pl.Series(sorted(scores), dtype=pl.UInt32).implode()
    wanted = lines.filter(pl.col("entry").is_in(records))
    out: list[SelectedLine] = []
    seen: set[tuple[str, str]] = set()
    ranked = sorted(tracebacks(wanted).iter_rows(), key=lambda row: (row[0] != source, -scores[row[0]], row[0]))
    for entry, numbers, texts in ranked:
        trace = read_trace(texts)
        place = trace.raised_in
        same = (trace.exception + trace.message, place.file if place else "")
        if same not in seen:
            seen.add(same)
            of_first = entry == source
            out += _first_trace(trace, numbers, weight) if of_first else _later_trace(trace, numbers, scores[entry])
    return out


def _first_trace(trace: Traceback, numbers: Sequence[int], weight: float) -> list[SelectedLine]:
    """Return exception, innermost call and outer calls; ``numbers`` are the line numbers of the traceback's lines."""
    top = weight + _FIRST_FAILURE
    selected = _raised(trace, numbers, (top - _EXCEPTION_STEP, RAISED), (top - _FRAME_STEP, FRAME))
    outer = [frame for frame in trace.files(_CALLS) if frame != trace.raised_in]
    return selected + [
        SelectedLine(numbers[frame.index], weight - _CALL_STEP - _NEXT_CALL_STEP * rank, (CALLED,))
        for rank, frame in enumerate(outer)
    ]


def _later_trace(trace: Traceback, numbers: Sequence[int], score: float) -> list[SelectedLine]:
    """Return exception and innermost call."""
    top = score - _LATER_STEP
    return _raised(trace, numbers, (top, RAISED_LATER), (top - _EXCEPTION_STEP, FRAME_LATER))


def _raised(
    trace: Traceback, numbers: Sequence[int], exception: tuple[float, str], call: tuple[float, str]
) -> list[SelectedLine]:
    """Return the line of the exception and that of the innermost call, each with its score and role."""
    selected = []
    if trace.exception_index >= 0:
        selected.append(SelectedLine(numbers[trace.exception_index], exception[0], (exception[1],)))
    if trace.raised_in is not None:
        selected.append(SelectedLine(numbers[trace.raised_in.index], call[0], (call[1],)))
    return selected
