"""Gather the evidence of an incident from the lines around it: bounded, ranked, and the same for the same input."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import polars as pl

from index.evidence.fired_windows import FiredWindow
from index.evidence.request_trace import Bounds, first_failure, follow
from index.evidence.selection import ODD, SelectedLine, SelectionInput, select
from index.evidence.severity import SEVERE, TimeSpan, add_severity, span_of
from index.evidence.stopped_sources import Stopped, stopped
from index.evidence.types import Change, Evidence, EvidenceLine
from index.lines.entries import with_entries
from index.lines.log_lines import LogLines
from index.lines.shared_ids import shared_ids
from index.lines.statements import add_raised, count_statements
from index.search.documents import Similar
from models.detectors.sentences import sentence
from models.findings import Finding
from models.records import Level
from models.rfc3339 import SECOND

__all__ = ["EvidenceLimits", "FiredWindow", "gather"]

_REASONS: Final = 12
"""Reasons and findings of windows that evidence holds (a judgement)."""

_SEEDS: Final = 3
"""Records that detectors point at, from which ids are followed where nothing failed (a judgement)."""

_NEW_TEXT: Final = 200
"""Characters of a new message that a change quotes (a judgement)."""


@dataclass(frozen=True, slots=True)
class EvidenceLimits:
    """How much evidence holds, and how far around the windows lines are looked at (seconds); all are judgements."""

    lines: int = 60
    story: int = 24
    """Lines that are there for the story alone."""
    changes: int = 10
    similar: int = 5
    before_s: float = 900.0
    """Long enough for what is usual, and for a cause that comes before the first window."""
    after_s: float = 60.0
    bounds: Bounds = field(default_factory=Bounds)


def gather(  # noqa: PLR0913 - what is known of an incident comes from six places
    material: LogLines,
    fired: Sequence[FiredWindow],
    *,
    known: frozenset[int] | None,
    changes: Sequence[Change] = (),
    similar: Sequence[Similar] = (),
    was_usual: bool = True,
    limits: EvidenceLimits = EvidenceLimits(),
) -> Evidence:
    """Return the lines that say most about the windows that ``fired``, out of the lines around them.

    Only windows of the first one's tenant count; without windows all lines do.  ``known`` are the templates that
    training saw, None where that is not known; ``changes`` and ``similar`` come from elsewhere.  Where it was not
    usual (``was_usual``) before the windows, nothing says how long sources may be silent.
    """
    tenant = fired[0].tenant if fired else _largest_tenant(material)
    windows = sorted(
        (window for window in fired if window.tenant == tenant),
        key=lambda window: (-window.importance, window.start, window.key),
    )
    scope = _around(material.scope(tenant), windows, limits)
    lines = with_entries(scope.lines)
    span = span_of(windows, lines)
    evidence = Evidence(
        tenant=tenant,
        services=_services_of(windows),
        start=span.start,
        end=span.end,
        reasons=_reasons(windows),
        lines=(),
        similar=tuple(sorted(similar, key=lambda past: (-past.score, past.id))[: limits.similar]),
        findings=_findings(windows),
    )
    if lines.is_empty():
        return evidence
    heads = add_severity(lines, span, windows, known)
    first = first_failure(heads, span.start)
    story = follow(shared_ids(heads), _seeds(heads, first), limits.bounds)
    silent = _silent_sources(heads, span, first) if was_usual else []
    scene = SelectionInput(lines, heads, span, first, story, tuple(source.last for source in silent))
    selected = select(scene, windows, limits.lines, limits.story)
    shown = _evidence_lines(scope, lines, _with_counts(selected, add_raised(heads, lines), span))
    ids = {choice.line_number: line.id for choice, line in zip(selected, shown, strict=True)}
    return replace(
        evidence,
        services=evidence.services or _failing_services(heads, span),
        reasons=tuple(dict.fromkeys([*evidence.reasons, *(sentence(source.finding) for source in silent)])),
        lines=shown,
        story=tuple(ids[record] for record in sorted(ids) if record in story.records),
        first_bad=None if first is None else ids.get(first),
        changes=_changes(scene, changes, limits),
        findings=(*evidence.findings, *(source.finding for source in silent)),
    )


def _largest_tenant(material: LogLines) -> str:
    """Return the tenant with most lines, "" where there are none."""
    counts = material.lines.group_by("tenant").len().sort(["len", "tenant"], descending=[True, False])
    return str(counts["tenant"][0]) if len(counts) else ""


def _around(material: LogLines, windows: Sequence[FiredWindow], limits: EvidenceLimits) -> LogLines:
    """Return the lines shortly before, within and after the windows; without windows all."""
    if not windows:
        return material
    start = min(window.start for window in windows) - round(limits.before_s * SECOND)
    return material.scope(None, start, max(window.end for window in windows) + round(limits.after_s * SECOND))


def _silent_sources(heads: pl.DataFrame, span: TimeSpan, first: int | None) -> list[Stopped]:
    """Return the sources that stopped, but those of the service that failed first: its failure says more."""
    failing = "" if first is None else heads.filter(pl.col("line_number") == first)["service"][0]
    return [source for source in stopped(heads, span) if source.service != failing]


def _services_of(windows: Sequence[FiredWindow]) -> tuple[str, ...]:
    """Return the services that the windows name, those of the most important first."""
    named = [service for window in windows for service in (*window.services, window.service) if service]
    return tuple(dict.fromkeys(named))


def _failing_services(heads: pl.DataFrame, span: TimeSpan) -> tuple[str, ...]:
    """Return the services with failures, the worst first."""
    failures = heads.filter((pl.col("severity") >= SEVERE) & (pl.col("time") >= span.start))
    table = failures.group_by("service").agg(pl.col("weight").max(), pl.col("time").min())
    return tuple(table.sort(["weight", "time", "service"], descending=[True, False, False])["service"].to_list())


def _reasons(windows: Sequence[FiredWindow]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(reason for window in windows for reason in window.reasons))[:_REASONS]


def _findings(windows: Sequence[FiredWindow]) -> tuple[Finding, ...]:
    """Return what the detectors reported; of findings that read alike, in several windows, the first."""
    by_sentence: dict[str, Finding] = {}
    for window in windows:
        for finding in window.findings:
            by_sentence.setdefault(sentence(finding), finding)
    return tuple(by_sentence.values())[:_REASONS]


def _seeds(heads: pl.DataFrame, first: int | None) -> list[int]:
    """Return the records from which ids are followed: the first failure, else what the detectors point at."""
    if first is not None:
        return [first]
    pointed = heads.filter(pl.col("detector_weight") > 0)
    pointed = pointed.sort(["detector_weight", "line_number"], descending=[True, False])
    return [int(record) for record in pointed["line_number"][:_SEEDS].to_list()]


def _with_counts(selected: Sequence[SelectedLine], heads: pl.DataFrame, span: TimeSpan) -> list[SelectedLine]:
    """Return the lines with the number of records since the windows began that say the same.

    A line that only shows what a detector found keeps the number of those that show it too.
    """
    counts = count_statements(heads, [choice.line_number for choice in selected], span.start)
    deviations = frozenset(ODD.values())
    return [
        choice if deviations.issuperset(choice.roles) else replace(choice, count=counts.get(choice.line_number, 1))
        for choice in selected
    ]


def _evidence_lines(scope: LogLines, lines: pl.DataFrame, selected: Sequence[SelectedLine]) -> tuple[EvidenceLine, ...]:
    rows = lines[[choice.line_number for choice in selected]].iter_rows(named=True)
    return tuple(
        replace(
            EvidenceLine.of(scope, row),
            id=f"L{number}",
            count=choice.count,
            score=round(choice.score, 4),
            roles=choice.roles,
        )
        for number, (choice, row) in enumerate(zip(selected, rows, strict=True), 1)
    )


def _changes(scene: SelectionInput, changes: Sequence[Change], limits: EvidenceLimits) -> tuple[Change, ...]:
    """Return what changed before things went wrong, the latest last: recorded changes, and harmless new messages.

    New messages of the story itself are left out: they are part of what happened.
    """
    heads, first = scene.heads, scene.first
    until = scene.span.end if first is None else int(heads.filter(pl.col("line_number") == first)["time"][0])
    recorded = sorted((change for change in changes if change.time <= until), key=lambda change: change.time)
    recorded = recorded[-limits.changes :]
    fresh = heads.filter(
        pl.col("new")
        & (pl.col("severity") < SEVERE)
        & (pl.col("time") < until)
        & (pl.col("level") <= int(Level.INFO))
        & ~pl.col("failure_words")
        & ~pl.col("line_number").is_in(pl.Series(scene.story.records, dtype=pl.UInt32).implode())
    ).unique(["service", "template"], keep="first", maintain_order=True)
    messages = [
        Change(row["time"], row["service"], f"first of its kind: {row['masked'][:_NEW_TEXT]}")
        for row in fresh.tail(limits.changes - len(recorded)).iter_rows(named=True)
    ]
    return tuple(sorted([*recorded, *messages], key=lambda change: change.time))
