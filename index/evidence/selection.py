"""Which lines go into the evidence, and why: each choice is a line with a score and a role."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from index.evidence.detector_findings import MISSING, exceeds, numbers_in, shown_by_lines
from index.evidence.fired_windows import FiredWindow
from index.evidence.request_trace import Story, traced_by
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


_FIRST: Final = 3.0
_RAISED: Final = 0.1
_FRAME: Final = 0.2
_ODD: Final = 1.8
_QUIET: Final = 1.9
_ODD_LINES: Final = 8
_CALLED: Final = 0.5
_LATER: Final = 0.9
_FRAMES: Final = 4
_LEAST: Final = 0.3


@dataclass(frozen=True, slots=True)
class SelectedLine:
    """A line (``at``) that goes into the evidence, standing for ``count`` lines."""

    at: int
    score: float
    roles: tuple[str, ...]
    count: int = 1

    def joined(self, other: "SelectedLine") -> "SelectedLine":
        """One line for two reasons: the higher score and count, and both roles."""
        roles = tuple(dict.fromkeys((*self.roles, *other.roles)))
        return SelectedLine(self.at, max(self.score, other.score), roles, max(self.count, other.count))


@dataclass(frozen=True, slots=True)
class SelectionInput:
    """What lines are chosen from: all with their entries, the weighed heads, and what is known of them."""

    lines: pl.DataFrame
    heads: pl.DataFrame
    span: TimeSpan
    first: int | None
    """The first bad record."""
    story: Story
    quiet: tuple[int, ...]
    """The last records of sources that stopped."""


def choose(scene: SelectionInput, fired: Sequence[FiredWindow], limit: int, story: int) -> list[SelectedLine]:
    """The most telling lines, at most ``limit``, of which ``story`` only tell the story; the first first."""
    picks = [*_groups(scene), *_odd(scene.heads, fired), *_story(scene, story)]
    picks += [SelectedLine(at, _QUIET, (LAST,)) for at in scene.quiet]
    if scene.first is not None:
        row = scene.heads.row(by_predicate=pl.col("at") == scene.first, named=True)
        picks.append(
            SelectedLine(scene.first, row["weight"] + _FIRST, (FIRST_BAD if row["told"] >= SEVERE else FIRST_SIGN,))
        )
        picks += _traced(scene.lines, traced_by(scene.heads, scene.first), picks, row["weight"])
    else:
        picks += _traced(scene.lines, None, picks, 0.0)
    best: dict[int, SelectedLine] = {}
    for pick in picks:
        best[pick.at] = best[pick.at].joined(pick) if pick.at in best else pick
    return sorted(best.values(), key=lambda pick: (-pick.score, pick.at))[:limit]


def _groups(scene: SelectionInput) -> list[SelectedLine]:
    """One record for each template of a service: the first of the most telling ones, with their number.

    The first bad one stands for its own template.
    """
    heads, span, first = scene.heads, scene.span, scene.first
    order = pl.when(pl.col("at") == (-1 if first is None else first)).then(100.0).otherwise("weight")
    within = heads.filter(pl.col("time") >= span.start).with_columns(order.alias("order"))
    best = (
        within.sort(["order", "at"], descending=[True, False])
        .group_by("service", "template", maintain_order=True)
        .agg(
            pl.col("at").first(),
            pl.col("weight").first(),
            pl.len().alias("count"),
            pl.col("severe").first(),
            pl.col("served").first(),
            pl.col("new").first(),
            pl.col("pointed").first(),
        )
        .filter((pl.col("weight") >= NOTABLE) | (pl.col("pointed") > 0))
    )
    out: list[SelectedLine] = []
    for row in best.sort(["weight", "at"], descending=[True, False])[:400].iter_rows(named=True):
        roles = [
            name
            for name, told in (
                (ERROR, row["severe"]),
                (SERVED, row["served"]),
                (NEW, row["new"]),
                (WEIGHS, row["pointed"] > 0),
            )
            if told
        ]
        out.append(SelectedLine(row["at"], row["weight"], tuple(roles) or (STANDS_OUT,), row["count"]))
    return out


def _odd(heads: pl.DataFrame, fired: Sequence[FiredWindow]) -> list[SelectedLine]:
    """What the detectors found in numbers and order: of each template and service the line that has most of it."""
    found: dict[tuple[str, str], SelectedLine] = {}
    seen: set[str] = set()
    for each in fired:
        for finding in shown_by_lines(each.findings):
            if finding.template in seen or finding.kind not in ODD:
                continue
            mine = heads.filter(
                (pl.col("masked") == finding.template) & (pl.col("time") >= each.start) & (pl.col("time") <= each.end)
            )
            by_service: dict[str, list[tuple[float, int]]] = {}
            for at, service, message in mine.select("at", "service", "message").rows():
                if (excess := _excess(finding, message)) > 0:
                    by_service.setdefault(service, []).append((excess, -at))
            for service, rows in by_service.items():
                seen.add(finding.template)
                score = _ODD * each.importance
                found[finding.template, service] = SelectedLine(-max(rows)[1], score, (ODD[finding.kind],), len(rows))
    return list(found.values())[:_ODD_LINES]


def _excess(finding: Finding, message: str) -> float:
    """The highest number of a message, 1 where its kind has no numbers to compare; 0 where it is as usual."""
    if finding.kind in MISSING:
        return 1.0
    if not exceeds(finding, message):
        return 0.0
    return 1.0 if finding.kind is FindingKind.REFUSED else max(numbers_in(message, finding.kind))


def _story(scene: SelectionInput, count: int) -> list[SelectedLine]:
    """The records of the story around the first bad one, each template of a service once; the near ones first."""
    part = scene.heads.filter(pl.col("at").is_in(pl.Series(scene.story.records, dtype=pl.UInt32).implode()))
    if part.is_empty():
        return []
    middle = scene.first if scene.first is not None else int(part["at"][0])
    near = part.with_columns((pl.col("at").cast(pl.Int64) - middle).abs().alias("far")).sort("far", "at")
    once = near.unique(["service", "template"], keep="first", maintain_order=True)[:count]
    return [
        SelectedLine(row["at"], max(_LEAST, min(NOTABLE, row["weight"])) - 0.01 * rank, (STORY,))
        for rank, row in enumerate(once.iter_rows(named=True))
    ]


def _traced(lines: pl.DataFrame, source: int | None, picks: Iterable[SelectedLine], top: float) -> list[SelectedLine]:
    """What was raised, and where: all calls of services for the record ``source``; the last one for the other picks."""
    scores: dict[int, float] = {}
    for pick in picks:
        scores[pick.at] = max(scores.get(pick.at, 0.0), pick.score)
    if source is not None:
        scores[source] = top
    wanted = lines.filter(pl.col("entry").is_in(pl.Series(sorted(scores), dtype=pl.UInt32).implode()))
    out: list[SelectedLine] = []
    seen: set[tuple[str, str]] = set()
    ranked = sorted(tracebacks(wanted).iter_rows(), key=lambda row: (row[0] != source, -scores[row[0]], row[0]))
    for entry, parts, texts in ranked:
        trace = read_trace(texts)
        place = trace.raised_in
        if (trace.exception + trace.message, place.file if place else "") in seen:
            continue
        seen.add((trace.exception + trace.message, place.file if place else ""))
        out += _frames(trace, parts, top) if entry == source else _later(trace, parts, scores[entry] - _LATER)
    return out


def _frames(trace: Traceback, parts: Sequence[int], score: float) -> list[SelectedLine]:
    found = []
    if trace.exception_index >= 0:
        found.append(SelectedLine(parts[trace.exception_index], score + _FIRST - _RAISED, (RAISED,)))
    if trace.raised_in is not None:
        found.append(SelectedLine(parts[trace.raised_in.index], score + _FIRST - _FRAME, (FRAME,)))
    others = [frame for frame in trace.files(_FRAMES) if frame != trace.raised_in]
    return [
        *found,
        *(SelectedLine(parts[frame.index], score - _CALLED - 0.1 * n, (CALLED,)) for n, frame in enumerate(others)),
    ]


def _later(trace: Traceback, parts: Sequence[int], score: float) -> list[SelectedLine]:
    found = []
    if trace.exception_index >= 0:
        found.append(SelectedLine(parts[trace.exception_index], score, (RAISED_LATER,)))
    if trace.raised_in is not None:
        found.append(SelectedLine(parts[trace.raised_in.index], score - _RAISED, (FRAME_LATER,)))
    return found
