"""Gather the evidence of an incident out of the lines around it: bounded, ranked, and the same for the same input."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import polars as pl

from index.entries import tracebacks, with_entries
from index.evidence import MAX_TEXT, Change, Evidence, EvidenceLine, Similar
from index.fired import Fired
from index.material import Material
from index.rank import NOTABLE, SEVERE, Span, span_of, weigh
from index.story import Bounds, Story, first_bad, follow, shared_ids
from index.traces import Trace, read_trace
from models.records import Level

__all__ = ["Fired", "Limits", "gather"]

SECOND: Final = 1_000_000

FIRST_BAD: Final = "first bad hop"
RAISED: Final = "what was raised"
FRAME: Final = "raised here"
CALLED: Final = "called from"
WEIGHS: Final = "weighs most"
ERROR: Final = "error"
SERVED: Final = "server error answered"
STANDS_OUT: Final = "stands out"
NEW: Final = "first of a new template"
STORY: Final = "story"

_FIRST: Final = 3.0
_RAISED: Final = 0.1
_FRAME: Final = 0.2
_LATER: Final = 0.9
_FRAMES: Final = 4


@dataclass(frozen=True, slots=True)
class Limits:
    """How much evidence holds, and how far around the windows lines are looked at (seconds)."""

    lines: int = 60
    story: int = 24
    changes: int = 10
    similar: int = 5
    before_s: float = 900.0
    after_s: float = 60.0
    bounds: Bounds = field(default_factory=Bounds)


@dataclass(frozen=True, slots=True)
class _Pick:
    """A line (``at``) that goes into the evidence; of several reasons for one line the highest score counts."""

    at: int
    score: float
    role: str
    count: int = 1


def gather(  # noqa: PLR0913 - what is known of an incident comes from six places
    material: Material,
    fired: Sequence[Fired],
    *,
    known: frozenset[int] | None,
    changes: Sequence[Change] = (),
    similar: Sequence[Similar] = (),
    limits: Limits = Limits(),
) -> Evidence:
    """Gather what tells most about the windows that ``fired``, out of the lines around them.

    Without windows all of the material counts.  ``known`` are the templates that training saw, None where nobody knows;
    ``changes`` and ``similar`` are what was found of them elsewhere.  Windows of one tenant, that of the first.
    """
    tenant = fired[0].tenant if fired else _tenant(material)
    mine = sorted((each for each in fired if each.tenant == tenant), key=lambda each: (-each.importance, each.start))
    scope = material.scope(tenant)
    if mine:
        begin = min(each.start for each in mine) - round(limits.before_s * SECOND)
        scope = scope.scope(None, begin, max(each.end for each in mine) + round(limits.after_s * SECOND))
    lines = with_entries(scope.lines)
    span = span_of(mine, lines)
    if lines.is_empty():
        return Evidence(tenant, _named(mine), span.start, span.end, _reasons(mine), (), similar=_best(similar, limits))
    heads = weigh(lines, span, mine, known)
    first = first_bad(heads, span.start)
    told = follow(shared_ids(heads), _seeds(heads, first), limits.bounds)
    picks = [*_groups(heads, span), *_story(heads, told, first, limits)]
    picks += _traced(lines, first, picks)
    chosen = _chosen(picks, first, limits)
    found = _lines(scope, lines, chosen)
    names = {pick.at: line.id for pick, line in zip(chosen, found, strict=True)}
    order = sorted(names, key=lambda at: at)
    return Evidence(
        tenant=tenant,
        services=_named(mine) or _hit(heads, span),
        start=span.start,
        end=span.end,
        reasons=_reasons(mine),
        lines=found,
        story=tuple(names[at] for at in order if at in told.records),
        first_bad=None if first is None else names.get(first),
        changes=_changes(heads, changes, first, span, limits),
        similar=_best(similar, limits),
    )


def _tenant(material: Material) -> str:
    """The tenant with most lines."""
    counts = material.lines.group_by("tenant").len().sort(["len", "tenant"], descending=[True, False])
    return str(counts["tenant"][0]) if len(counts) else ""


def _named(fired: Sequence[Fired]) -> tuple[str, ...]:
    """Services that the windows name, those of the most important first."""
    named = [service for each in fired for service in (*each.services, each.service) if service]
    return tuple(dict.fromkeys(named))


def _hit(heads: pl.DataFrame, span: Span) -> tuple[str, ...]:
    """Services with failures, the worst first."""
    bad = heads.filter((pl.col("weight") >= SEVERE) & (pl.col("time") >= span.start))
    table = bad.group_by("service").agg(pl.col("weight").max(), pl.col("time").min())
    return tuple(table.sort(["weight", "time", "service"], descending=[True, False, False])["service"].to_list())


def _reasons(fired: Sequence[Fired]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(reason for each in fired for reason in each.reasons))[:12]


def _best(similar: Sequence[Similar], limits: Limits) -> tuple[Similar, ...]:
    return tuple(sorted(similar, key=lambda each: (-each.score, each.id))[: limits.similar])


def _seeds(heads: pl.DataFrame, first: int | None) -> list[int]:
    """Records from which ids are followed: where it went wrong; else what the detectors point at."""
    if first is not None:
        return [first]
    pointed = heads.filter(pl.col("pointed") > 0).sort(["pointed", "at"], descending=[True, False])
    return [int(at) for at in pointed["at"][:3].to_list()]


def _groups(heads: pl.DataFrame, span: Span) -> list[_Pick]:
    """One record for each template of a service: the first of the most telling ones, with their number."""
    within = heads.filter(pl.col("time") >= span.start)
    best = (
        (within if len(within) else heads)
        .sort(["weight", "at"], descending=[True, False])
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
    out: list[_Pick] = []
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
        out += [_Pick(row["at"], row["weight"], role, row["count"]) for role in roles or [STANDS_OUT]]
    return out


def _story(heads: pl.DataFrame, told: Story, first: int | None, limits: Limits) -> list[_Pick]:
    """The records of the story around the first bad one, each template of a service once; the near ones first."""
    part = heads.filter(pl.col("at").is_in(pl.Series(told.records, dtype=pl.UInt32).implode()))
    if part.is_empty():
        return []
    middle = first if first is not None else int(part["at"][0])
    near = part.with_columns((pl.col("at").cast(pl.Int64) - middle).abs().alias("far")).sort("far", "at")
    once = near.unique(["service", "template"], keep="first", maintain_order=True)[: limits.story]
    return [
        _Pick(row["at"], max(0.3, min(NOTABLE, row["weight"])) - 0.01 * rank, STORY)
        for rank, row in enumerate(once.iter_rows(named=True))
    ]


def _traced(lines: pl.DataFrame, first: int | None, picks: Iterable[_Pick]) -> list[_Pick]:
    """What was raised, and where, for every picked record with a traceback; all calls of services for the first one."""
    scores: dict[int, float] = {}
    for pick in picks:
        scores[pick.at] = max(scores.get(pick.at, 0.0), pick.score)
    wanted = lines.filter(pl.col("entry").is_in(pl.Series(sorted(scores), dtype=pl.UInt32).implode()))
    out: list[_Pick] = []
    seen: set[tuple[str, str]] = set()
    ranked = sorted(tracebacks(wanted).iter_rows(), key=lambda row: (row[0] != first, -scores[row[0]], row[0]))
    for entry, parts, texts in ranked:
        trace = read_trace(texts)
        place = trace.raised_in
        if (trace.exception + trace.message, place.file if place else "") in seen:
            continue
        seen.add((trace.exception + trace.message, place.file if place else ""))
        score = scores[entry] + (_FIRST if entry == first else -_LATER)
        out += _frames(trace, parts, score, every=entry == first)
    return out


def _frames(trace: Trace, parts: Sequence[int], score: float, *, every: bool) -> list[_Pick]:
    found: list[_Pick] = []
    if trace.exception_index >= 0:
        found.append(_Pick(parts[trace.exception_index], score - _RAISED, RAISED))
    if trace.raised_in is not None:
        found.append(_Pick(parts[trace.raised_in.index], score - _FRAME, FRAME))
    if every:
        others = [frame for frame in trace.files(_FRAMES) if frame != trace.raised_in]
        found += [_Pick(parts[frame.index], score - _FIRST - 0.5 - 0.1 * n, CALLED) for n, frame in enumerate(others)]
    return found


def _chosen(picks: Iterable[_Pick], first: int | None, limits: Limits) -> list[Any]:
    """The best lines, most telling first."""
    best: dict[int, _Pick] = {}
    for pick in picks:
        have = best.get(pick.at)
        roles = dict.fromkeys([*(have.role.split("; ") if have else []), pick.role])
        score, count = max(pick.score, have.score if have else 0.0), max(pick.count, have.count if have else 1)
        best[pick.at] = _Pick(pick.at, score, "; ".join(roles), count)
    if first is not None and first in best:
        have = best[first]
        best[first] = _Pick(first, have.score + _FIRST, f"{FIRST_BAD}; {have.role}", have.count)
    return sorted(best.values(), key=lambda pick: (-pick.score, pick.at))[: limits.lines]


def _lines(scope: Material, lines: pl.DataFrame, chosen: Sequence[_Pick]) -> tuple[EvidenceLine, ...]:
    rows = lines[[pick.at for pick in chosen]]
    out = []
    for number, (pick, row) in enumerate(zip(chosen, rows.iter_rows(named=True), strict=True), 1):
        out.append(
            EvidenceLine(
                id=f"L{number}",
                source=scope.source_of(row["partition"]),
                partition=row["partition"],
                offset=row["offset"],
                time=row["time"],
                service=row["service"],
                host=row["host"],
                level=Level(row["level"]),
                text=row["text"][:MAX_TEXT],
                template=row["masked"],
                count=pick.count,
                score=round(pick.score, 4),
                roles=tuple(pick.role.split("; ")),
            )
        )
    return tuple(out)


def _changes(
    heads: pl.DataFrame, changes: Sequence[Change], first: int | None, span: Span, limits: Limits
) -> tuple[Change, ...]:
    """What changed before things went wrong: what was told, and harmless messages that are new; the latest last."""
    until = span.end if first is None else int(heads.filter(pl.col("at") == first)["time"][0])
    told = [change for change in changes if change.time <= until]
    fresh = heads.filter(
        pl.col("new") & (pl.col("weight") < SEVERE) & (pl.col("time") < until) & (pl.col("level") <= int(Level.INFO))
    ).unique(["service", "template"], keep="first", maintain_order=True)
    news = [
        Change(row["time"], row["service"], f"first of its kind: {row['masked'][:200]}")
        for row in fresh.tail(limits.changes).iter_rows(named=True)
    ]
    room = max(0, limits.changes - len(told))
    return tuple(sorted([*told[-limits.changes :], *news[len(news) - min(room, len(news)) :]], key=lambda c: c.time))
