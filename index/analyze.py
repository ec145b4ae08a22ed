"""Analyse an issue by log lines: rank them, gather the best as evidence, and diagnose it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

import numpy as np

from index.diagnosis.known_failures import KnownFailures
from index.diagnosis.rule_based import diagnose
from index.diagnosis.types import Diagnosis
from index.evidence.detector_scores import DetectorScores
from index.evidence.fired_windows import FiredWindow
from index.evidence.frequent_failure import frequent_failure
from index.evidence.gather import EvidenceLimits, gather
from index.evidence.issue import Issue
from index.evidence.relevance import Embed, RankedRecord, rank
from index.evidence.selection import CALLED, FRAME, FRAME_LATER, LAST, ODD, RAISED, RAISED_LATER
from index.evidence.types import Evidence, EvidenceLine
from index.lines.log_lines import LogLines
from index.lines.log_records import LogRecords
from index.lines.parsed_file import span
from index.lines.statements import count_places
from index.search.documents import Similar
from models.templates.matcher import TemplateTable

RANKED_RECORDS: Final = 40
"""Records that are ranked into the evidence; a judgement: ``tests/bench/bench_analyze.py`` counts recall in 20."""

_GATHERED_LINES: Final = 60
"""Lines that ``gather`` may add to them, as many as an incident's evidence holds (``EvidenceLimits.lines``)."""

_QUERY_RECORDS: Final = 3
"""Messages of the best records that are searched for in past incidents, beside the issue: a judgement."""

_UNRELATED_SHARE: Final = 0.5
"""Share of the best record's score: a failure below it may be of another incident (a judgement) …"""

_LEAD_TIME_US: Final = 60_000_000
"""… unless one of the best records follows it within so many microseconds (a judgement)."""

_POINTED_SHARE: Final = 0.6
"""Share of the best record's score from which on a record is treated like one that detectors point at (a judgement)."""

_TRACEBACK_SHARES: Final = {RAISED: 0.8, RAISED_LATER: 0.5, FRAME: 0.4, FRAME_LATER: 0.3, CALLED: 0.2}
"""Share of its record's score that a line of a traceback has, by its role; a judgement: what was raised comes first."""

_DEVIATION_SHARE: Final = 0.5
"""Share of the best score that a line has which shows what detectors found (slow, silent, missing): a judgement."""

_STORY_DIVISOR: Final = 1_000.0
"""Divides the score that ``gather`` gave to lines of the story alone, so that they come last, in its order."""

_DEVIATION_ROLES: Final = frozenset((LAST, *ODD.values()))

Explain: TypeAlias = Callable[[Evidence, Diagnosis], Diagnosis]
"""Evidence and the rules' diagnosis → the diagnosis that is given out."""

Place: TypeAlias = tuple[int, int]
"""Partition and offset of a line."""


@dataclass(frozen=True, slots=True)
class Resources:
    """What helps to find and to explain; all of it is optional."""

    embed: Embed | None = None
    detector_scores: DetectorScores | None = None
    known_templates: TemplateTable | None = None
    """Templates of normal operation."""
    find_similar: Callable[[str], Sequence[Similar]] | None = None
    """Text → past incidents and runbooks that are like it."""
    known_failures: KnownFailures | None = None
    """None: those that are shipped."""
    explain: Explain = lambda _, diagnosis: diagnosis


def analyze(material: LogLines, issue: Issue, resources: Resources) -> tuple[Evidence, Diagnosis]:
    """Return the evidence for an issue, and the diagnosis."""
    evidence = evidence_of(material, issue, resources)
    return evidence, resources.explain(evidence, diagnose(evidence, resources.known_failures))


def evidence_of(material: LogLines, issue: Issue, resources: Resources) -> Evidence:
    """Return the lines that tell most of an issue, best first, with their story and what is like it in the past."""
    records = LogRecords.of(material)
    partition, offset = records.places()
    detectors, templates = resources.detector_scores, resources.known_templates
    ranked = rank(
        records,
        issue,
        embed=resources.embed,
        detectors=None if detectors is None else detectors.score_at(partition, offset),
        known=None if templates is None else np.array(list(templates), np.uint64),
        limit=RANKED_RECORDS,
    )
    places = [(int(partition[record.row]), int(offset[record.row])) for record in ranked]
    gathered = gather(
        _related(material, records, ranked),
        [_window(material, records, ranked, places, detectors)],
        known=None if templates is None else frozenset(templates),
        similar=_similar(records, ranked, issue, resources),
        limits=EvidenceLimits(lines=_GATHERED_LINES),
    )
    evidence = _in_order_of_rank(gathered, ranked, places, records, material)
    return replace(evidence, frequent=frequent_failure(records.lines, evidence.lines))


def _window(
    material: LogLines,
    records: LogRecords,
    ranked: Sequence[RankedRecord],
    places: Sequence[Place],
    detectors: DetectorScores | None,
) -> FiredWindow:
    """Return one window over all lines, which points at the best records, as ``gather`` expects windows."""
    start, end = span(material)
    least = _POINTED_SHARE * _best_score(ranked)
    return FiredWindow(
        tenant=str(records.lines["tenant"][0]) if len(records) else "",
        key="*",
        kind="source",
        start=start,
        end=end,
        reasons=() if detectors is None else detectors.reasons,
        findings=() if detectors is None else detectors.findings,
        pointers=tuple(place for place, record in zip(places, ranked, strict=True) if record.score >= least),
    )


def _similar(
    records: LogRecords, ranked: Sequence[RankedRecord], issue: Issue, resources: Resources
) -> Sequence[Similar]:
    """Return past incidents and runbooks that are like the issue and the best records."""
    if resources.find_similar is None:
        return ()
    messages = (str(records.lines["message"][record.row]) for record in ranked[:_QUERY_RECORDS])
    return resources.find_similar("\n".join([issue.text, *messages]))


def _related(material: LogLines, records: LogRecords, ranked: Sequence[RankedRecord]) -> LogLines:
    """Return the lines without the failures of another incident."""
    least = _UNRELATED_SHARE * _best_score(ranked)
    return records.related(material, [record.row for record in ranked if record.score >= least], _LEAD_TIME_US)


def _best_score(ranked: Sequence[RankedRecord]) -> float:
    return ranked[0].score if ranked else 0.0


def _in_order_of_rank(
    gathered: Evidence,
    ranked: Sequence[RankedRecord],
    places: Sequence[Place],
    records: LogRecords,
    material: LogLines,
) -> Evidence:
    """Return evidence in the order of the ranking; lines of a traceback come with the record that they belong to."""
    record_at = dict(zip(places, ranked, strict=True))
    lines: dict[Place, EvidenceLine] = {}
    record_scores: dict[tuple[int, str, str], float] = {}
    for place, record in record_at.items():
        row = records.lines.row(record.row, named=True)
        line = replace(EvidenceLine.of(material, row), score=record.score, roles=record.roles)
        lines[place] = line
        key = (line.time, line.service, line.host)
        record_scores[key] = max(record_scores.get(key, 0.0), record.score)
    for line in gathered.lines:
        place = (line.partition, line.offset)
        if place in record_at:
            roles = dict.fromkeys((*lines[place].roles, *line.roles))
            lines[place] = replace(lines[place], roles=tuple(roles))
        else:
            record_score = record_scores.get((line.time, line.service, line.host), 0.0)
            score = _gathered_score(line, record_score, _best_score(ranked))
            lines[place] = replace(line, score=round(score, 6))
    lines |= _counted(lines, records)
    ordered = sorted(lines.values(), key=lambda line: (-line.score, line.time, line.partition, line.offset))
    names = {(line.partition, line.offset): f"L{number}" for number, line in enumerate(ordered, 1)}
    renamed = {line.id: names[line.partition, line.offset] for line in gathered.lines}
    return replace(
        gathered,
        # ``gather`` names all services that failed; which of them belong to the issue is the diagnosis' to say.
        services=(),
        lines=tuple(replace(line, id=names[line.partition, line.offset]) for line in ordered),
        story=tuple(renamed[name] for name in gathered.story),
        first_bad=None if gathered.first_bad is None else renamed[gathered.first_bad],
    )


def _counted(lines: Mapping[Place, EvidenceLine], records: LogRecords) -> dict[Place, EvidenceLine]:
    """Return the lines that are records, each with the number of all records that say the same.

    A line that only shows what a detector found keeps the number of those that show it too.
    """
    counts = count_places(records.with_raised(), list(lines))
    return {
        where: replace(lines[where], count=count)
        for where, count in counts.items()
        if not (lines[where].roles and _DEVIATION_ROLES.issuperset(lines[where].roles))
    }


def _gathered_score(line: EvidenceLine, record_score: float, best_score: float) -> float:
    """Return the score of a line that ``gather`` added to the ranked ones."""
    share = next((share for role, share in _TRACEBACK_SHARES.items() if role in line.roles), 0.0)
    if share:
        return share * record_score
    if _DEVIATION_ROLES & set(line.roles):
        return _DEVIATION_SHARE * best_score
    return line.score / _STORY_DIVISOR
