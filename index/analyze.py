"""Analyse an issue by logs: read the files, find what tells, gather it as evidence, and diagnose it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

import numpy as np

from index.diagnosis.known_failures import KnownFailures
from index.diagnosis.rule_based import diagnose
from index.diagnosis.types import Diagnosis
from index.evidence.detector_scores import DetectorScores
from index.evidence.fired_windows import FiredWindow
from index.evidence.gather import EvidenceLimits, gather
from index.evidence.issue import Issue
from index.evidence.relevance import Embed, RankedRecord, rank
from index.evidence.selection import CALLED, FRAME, FRAME_LATER, LAST, ODD, RAISED, RAISED_LATER
from index.evidence.types import Evidence, EvidenceLine
from index.lines.log_lines import LogLines
from index.lines.log_records import LogRecords
from index.lines.parsed_file import span
from index.search.documents import Similar
from models.templates.matcher import TemplateTable

SHOWN: Final = 40
"""Records that are ranked into the evidence."""

_UNRELATED: Final = 0.5
"""A failure below this share of the best record's score may be another incident's …"""

_BEFORE: Final = 60_000_000
"""… if none of the best records follows it within so many microseconds."""

_POINTED: Final = 0.6
"""A record from this share of the best one's score on is pointed at as detectors do."""

_SHARES: Final[Mapping[str, float]] = {RAISED: 0.8, RAISED_LATER: 0.5, FRAME: 0.4, FRAME_LATER: 0.3, CALLED: 0.2}
"""What a line of a traceback has of its record's score, by its role."""

_BEHAVIOUR: Final = 0.5
"""What a line that shows what detectors found (slow, silent, missing) has of the best score."""

_BEHAVES: Final = frozenset((LAST, *ODD.values()))

Explain: TypeAlias = Callable[[Evidence, Diagnosis], Diagnosis]
"""Evidence and what rules make of it → the diagnosis that is given out."""


@dataclass(frozen=True, slots=True)
class Means:
    """What helps to find and to explain; all of it may be missing."""

    embed: Embed | None = None
    judged: DetectorScores | None = None
    known: TemplateTable | None = None
    """Templates of normal operation."""
    recall: Callable[[str], Sequence[Similar]] | None = None
    """Text → past incidents and runbooks that are like it."""
    failures: KnownFailures | None = None
    """Known ones; None: those that are shipped."""
    explain: Explain = lambda _, diagnosis: diagnosis


def analyze(material: LogLines, issue: Issue, means: Means) -> tuple[Evidence, Diagnosis]:
    """Find what tells of an issue, and say what it was."""
    evidence = evidence_of(material, issue, means)
    return evidence, means.explain(evidence, diagnose(evidence, means.failures))


def evidence_of(material: LogLines, issue: Issue, means: Means) -> Evidence:
    """The lines that tell of an issue, the most telling first, with their story and what is like it."""
    records = LogRecords.of(material)
    strange = None if means.judged is None else means.judged.score_at(*records.places())
    known = None if means.known is None else np.array(list(means.known), np.uint64)
    found = rank(records, issue, embed=means.embed, strange=strange, known=known, limit=SHOWN)
    partition, offset = records.places()
    places = [(int(partition[each.row]), int(offset[each.row])) for each in found]
    start, end = span(material)
    best = found[0].score if found else 0.0
    tenant = str(records.lines["tenant"][0]) if len(records) else ""
    fired = FiredWindow(
        tenant=tenant,
        key="*",
        kind="source",
        start=start,
        end=end,
        reasons=() if means.judged is None else means.judged.reasons,
        findings=() if means.judged is None else means.judged.findings,
        pointers=tuple(place for place, each in zip(places, found, strict=True) if each.score >= _POINTED * best),
    )
    texts = [issue.text, *(str(records.lines["message"][each.row]) for each in found[:3])]
    similar = () if means.recall is None else means.recall("\n".join(texts))
    gathered = gather(
        _related(material, records, found),
        [fired],
        known=None if means.known is None else frozenset(means.known),
        similar=similar,
        limits=EvidenceLimits(lines=60),
    )
    return _ordered(gathered, found, places, records, material)


def _related(material: LogLines, records: LogRecords, found: Sequence[RankedRecord]) -> LogLines:
    """The material without the failures of another incident."""
    best = found[0].score if found else 0.0
    near = [each.row for each in found if each.score >= _UNRELATED * best]
    return records.related(material, near, _BEFORE)


def _ordered(
    gathered: Evidence,
    found: Sequence[RankedRecord],
    places: Sequence[tuple[int, int]],
    records: LogRecords,
    material: LogLines,
) -> Evidence:
    """Evidence in the order of the ranking; what was raised, and where, behind the record that it belongs to."""
    rank_of = dict(zip(places, found, strict=True))
    lines: dict[tuple[int, int], EvidenceLine] = {}
    heads: dict[tuple[int, str, str], float] = {}
    best = found[0].score if found else 0.0
    for each, place in zip(found, places, strict=True):
        row = records.lines.row(each.row, named=True)
        line = replace(EvidenceLine.of(material, row), count=each.count, score=each.score, roles=each.roles)
        lines[place] = line
        key = (line.time, line.service, line.host)
        heads[key] = max(heads.get(key, 0.0), each.score)
    for line in gathered.lines:
        place = (line.partition, line.offset)
        if place in rank_of:
            roles = (*rank_of[place].roles, *(role for role in line.roles if role not in rank_of[place].roles))
            lines[place] = replace(lines[place], roles=roles)
            continue
        head = heads.get((line.time, line.service, line.host), 0.0)
        share = next((share for role, share in _SHARES.items() if role in line.roles), 0.0)
        # What only belongs to the story comes last, in the order in which it was gathered.
        score = share * head if share else _BEHAVIOUR * best if _BEHAVES & set(line.roles) else line.score / 1000
        lines[place] = replace(line, score=round(score, 6))
    ordered = sorted(lines.values(), key=lambda line: (-line.score, line.time, line.partition, line.offset))
    names = {(line.partition, line.offset): f"L{number}" for number, line in enumerate(ordered, 1)}
    old = {line.id: names[line.partition, line.offset] for line in gathered.lines}
    return replace(
        gathered,
        lines=tuple(replace(line, id=names[line.partition, line.offset]) for line in ordered),
        story=tuple(old[each] for each in gathered.story),
        first_bad=None if gathered.first_bad is None else old[gathered.first_bad],
    )
