"""Gather the evidence of an incident out of the lines around it: bounded, ranked, and the same for the same input."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import polars as pl

from index.evidence.fired_windows import FiredWindow
from index.evidence.request_trace import Bounds, first_bad, follow
from index.evidence.selection import SelectedLine, SelectionInput, choose
from index.evidence.severity import SEVERE, TimeSpan, add_severity, span_of
from index.evidence.stopped_sources import stopped
from index.evidence.types import Change, Evidence, EvidenceLine
from index.lines.entries import with_entries
from index.lines.log_lines import LogLines
from index.lines.shared_ids import shared_ids
from index.search.documents import Similar
from models.detectors.sentences import sentence
from models.findings import Finding
from models.records import Level
from models.rfc3339 import SECOND

__all__ = ["EvidenceLimits", "FiredWindow", "gather"]

_REASONS: Final = 12
"""Reasons and findings of windows that evidence holds, a judgement."""


@dataclass(frozen=True, slots=True)
class EvidenceLimits:
    """How much evidence holds, and how far around the windows lines are looked at (seconds)."""

    lines: int = 60
    story: int = 24
    changes: int = 10
    similar: int = 5
    before_s: float = 900.0
    after_s: float = 60.0
    bounds: Bounds = field(default_factory=Bounds)


def gather(  # noqa: PLR0913 - what is known of an incident comes from six places
    material: LogLines,
    fired: Sequence[FiredWindow],
    *,
    known: frozenset[int] | None,
    changes: Sequence[Change] = (),
    similar: Sequence[Similar] = (),
    limits: EvidenceLimits = EvidenceLimits(),
) -> Evidence:
    """Gather what tells most about the windows that ``fired``, out of the lines around them.

    Without windows all of the material counts.  ``known`` are the templates that training saw, None where nobody knows;
    ``changes`` and ``similar`` are what was found of them elsewhere.  Windows of one tenant, that of the first.
    """
    tenant = fired[0].tenant if fired else _tenant(material)
    mine = sorted(
        (each for each in fired if each.tenant == tenant), key=lambda each: (-each.importance, each.start, each.key)
    )
    scope = material.scope(tenant)
    if mine:
        begin = min(each.start for each in mine) - round(limits.before_s * SECOND)
        scope = scope.scope(None, begin, max(each.end for each in mine) + round(limits.after_s * SECOND))
    lines = with_entries(scope.lines)
    span = span_of(mine, lines)
    if lines.is_empty():
        return Evidence(
            tenant,
            _named(mine),
            span.start,
            span.end,
            _reasons(mine),
            (),
            similar=_best(similar, limits),
            findings=_findings(mine),
        )
    heads = add_severity(lines, span, mine, known)
    first = first_bad(heads, span.start)
    told = follow(shared_ids(heads), _seeds(heads, first), limits.bounds)
    failing = "" if first is None else heads.filter(pl.col("at") == first)["service"][0]
    # What a service wrote when it failed says more than that it wrote nothing before or after.
    quiet = [each for each in stopped(heads, span) if each.service != failing]
    scene = SelectionInput(lines, heads, span, first, told, tuple(each.at for each in quiet))
    chosen = choose(scene, mine, limits.lines, limits.story)
    found = _lines(scope, lines, chosen)
    names = {pick.at: line.id for pick, line in zip(chosen, found, strict=True)}
    return Evidence(
        tenant=tenant,
        services=_named(mine) or _hit(heads, span),
        start=span.start,
        end=span.end,
        reasons=tuple(dict.fromkeys([*_reasons(mine), *(sentence(source.finding) for source in quiet)])),
        lines=found,
        story=tuple(names[at] for at in sorted(names) if at in told.records),
        first_bad=None if first is None else names.get(first),
        changes=_changes(scene, changes, limits),
        similar=_best(similar, limits),
        findings=(*_findings(mine), *(source.finding for source in quiet)),
    )


def _tenant(material: LogLines) -> str:
    """The tenant with most lines."""
    counts = material.lines.group_by("tenant").len().sort(["len", "tenant"], descending=[True, False])
    return str(counts["tenant"][0]) if len(counts) else ""


def _named(fired: Sequence[FiredWindow]) -> tuple[str, ...]:
    """Services that the windows name, those of the most important first."""
    named = [service for each in fired for service in (*each.services, each.service) if service]
    return tuple(dict.fromkeys(named))


def _hit(heads: pl.DataFrame, span: TimeSpan) -> tuple[str, ...]:
    """Services with failures, the worst first."""
    bad = heads.filter((pl.col("told") >= SEVERE) & (pl.col("time") >= span.start))
    table = bad.group_by("service").agg(pl.col("weight").max(), pl.col("time").min())
    return tuple(table.sort(["weight", "time", "service"], descending=[True, False, False])["service"].to_list())


def _reasons(fired: Sequence[FiredWindow]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(reason for each in fired for reason in each.reasons))[:_REASONS]


def _findings(fired: Sequence[FiredWindow]) -> tuple[Finding, ...]:
    """What the detectors reported; of findings that read alike, in several windows, the first."""
    by_sentence: dict[str, Finding] = {}
    for window in fired:
        for finding in window.findings:
            by_sentence.setdefault(sentence(finding), finding)
    return tuple(by_sentence.values())[:_REASONS]


def _best(similar: Sequence[Similar], limits: EvidenceLimits) -> tuple[Similar, ...]:
    return tuple(sorted(similar, key=lambda each: (-each.score, each.id))[: limits.similar])


def _seeds(heads: pl.DataFrame, first: int | None) -> list[int]:
    """Records from which ids are followed: where it went wrong; else what the detectors point at."""
    if first is not None:
        return [first]
    pointed = heads.filter(pl.col("pointed") > 0).sort(["pointed", "at"], descending=[True, False])
    return [int(at) for at in pointed["at"][:3].to_list()]


def _lines(scope: LogLines, lines: pl.DataFrame, chosen: Sequence[SelectedLine]) -> tuple[EvidenceLine, ...]:
    rows = lines[[pick.at for pick in chosen]].iter_rows(named=True)
    return tuple(
        replace(
            EvidenceLine.of(scope, row),
            id=f"L{number}",
            count=pick.count,
            score=round(pick.score, 4),
            roles=pick.roles,
        )
        for number, (pick, row) in enumerate(zip(chosen, rows, strict=True), 1)
    )


def _changes(scene: SelectionInput, changes: Sequence[Change], limits: EvidenceLimits) -> tuple[Change, ...]:
    """What changed before things went wrong: what was told, and harmless messages that are new; the latest last.

    New messages of the story itself are part of what happened.
    """
    heads, first = scene.heads, scene.first
    until = scene.span.end if first is None else int(heads.filter(pl.col("at") == first)["time"][0])
    told = sorted((change for change in changes if change.time <= until), key=lambda change: change.time)
    told = told[-limits.changes :]
    fresh = heads.filter(
        pl.col("new")
        & (pl.col("told") < SEVERE)
        & (pl.col("time") < until)
        & (pl.col("level") <= int(Level.INFO))
        & ~pl.col("worded")
        & ~pl.col("at").is_in(pl.Series(scene.story.records, dtype=pl.UInt32).implode())
    ).unique(["service", "template"], keep="first", maintain_order=True)
    news = [
        Change(row["time"], row["service"], f"first of its kind: {row['masked'][:200]}")
        for row in fresh.tail(limits.changes - len(told)).iter_rows(named=True)
    ]
    return tuple(sorted([*told, *news], key=lambda change: change.time))
