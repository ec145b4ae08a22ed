"""Analyse an issue by log lines: rank them, gather the best as evidence, and diagnose it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

import numpy as np

from index.diagnosis.known_failures import KnownFailures, shipped
from index.diagnosis.not_told import not_told
from index.diagnosis.rule_based import diagnose
from index.diagnosis.types import Diagnosis
from index.episodes.asked import choose
from index.episodes.cut import cut
from index.episodes.found import found_in
from index.episodes.own_history import own_findings
from index.episodes.scope import AFTER_US, CONTEXT_US, HISTORY_US, Span, lines_of, near, time_of
from index.episodes.signs import signs_of
from index.episodes.types import LogEpisode
from index.evidence.detector_scores import DetectorScores
from index.evidence.fired_windows import FiredWindow
from index.evidence.frequent_failure import frequent_failure
from index.evidence.gather import EvidenceLimits, gather
from index.evidence.issue import Issue
from index.evidence.message_parts import short
from index.evidence.relevance import Assessment, Embed, RankedRecord, assess, rank
from index.evidence.request_trace import CLOCK_SKEW_US
from index.evidence.selection import CALLED, FRAME, FRAME_LATER, LAST, ODD, RAISED, RAISED_LATER
from index.evidence.types import Evidence, EvidenceLine
from index.lines.log_lines import LogLines
from index.lines.log_records import LogRecords
from index.lines.parsed_file import span
from index.lines.source_times import source_times
from index.lines.statements import count_places
from index.search.documents import Similar
from models.detectors.sentences import sentence
from models.records import F64, U64
from models.rfc3339 import time_text
from models.templates.matcher import TemplateTable

RANKED_RECORDS: Final = 40
"""Records that are ranked into the evidence; a judgement: ``tests/bench/bench_analyze.py`` counts recall in 20."""

_GATHERED_LINES: Final = 60
"""Lines that ``gather`` may add to them, as many as an incident's evidence holds (``EvidenceLimits.lines``)."""

_QUERY_RECORDS: Final = 3
"""Messages of the best records that are searched for in past incidents, beside the issue: a judgement."""

_OTHERS: Final = 5
"""Other episodes that are named (a judgement)."""

_SERVICES: Final = 3
"""Services of each that are named (a judgement)."""

_TITLE: Final = 120
"""Characters of a message that names one (a judgement)."""

_NAMING: Final = 10
"""Lines that are shown of those that name an id without telling of a failure (a judgement)."""

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

    def known(self) -> U64 | None:
        """Return the numbers of the templates of normal operation, None where they are not known."""
        return None if self.known_templates is None else np.array(list(self.known_templates), np.uint64)

    def pointed(self, records: LogRecords) -> F64 | None:
        """Return what detectors say of each record (records,), from 0 to 1; None where none judged them."""
        return None if self.detector_scores is None else self.detector_scores.score_at(*records.places())


@dataclass(frozen=True, slots=True)
class Unrelated:
    """Something else that went wrong in the same logs; times in microseconds."""

    title: str
    services: tuple[str, ...]
    start: int
    end: int
    rival: bool = False
    """Whether the issue may mean it as well."""

    def text(self) -> str:
        """Return it as a sentence without a full stop."""
        where = f" on {', '.join(self.services)}" if self.services else ""
        what = "which the issue may mean as well" if self.rival else "seemingly unrelated"
        return f"{self.title} at {time_text(self.start)[:16].replace('T', ' ')}{where}, {what}"

    def to_record(self) -> dict[str, Any]:
        """Return it as JSON carries it."""
        return {
            "title": self.title,
            "services": list(self.services),
            "start": time_text(self.start),
            "end": time_text(self.end),
            "rival": self.rival,
        }


@dataclass(frozen=True, slots=True)
class Analysis:
    """What logs tell of an issue, and what else went wrong in them."""

    evidence: Evidence
    diagnosis: Diagnosis
    others: tuple[Unrelated, ...] = ()


def analyze(material: LogLines, issue: Issue, resources: Resources) -> Analysis:
    """Return the evidence for an issue, the diagnosis, and what else is wrong in these logs.

    The logs are cut into episodes; the one that the issue asks for is diagnosed.  Where no episode tells of the issue,
    the diagnosis says so and names no cause.
    """
    records = LogRecords.of(material)
    if len(records):
        resources = replace(resources, detector_scores=_with_history(records, resources.detector_scores))
    what, episodes = _episodes(records, issue, resources)
    choice = choose(episodes, issue, records)
    failures = shipped() if resources.known_failures is None else resources.known_failures
    if choice.episode is None and (episodes or issue.ids or issue.hosts or issue.moments):
        evidence = _naming(material, records, issue)
        diagnosis = not_told(evidence, choice.looked_for, len(material))
        return Analysis(evidence, diagnosis, _unrelated(choice.others, records, failures))
    if choice.episode is None or what is None:
        evidence = _evidence(material, records, issue, resources, None)
        return Analysis(evidence, resources.explain(evidence, diagnose(evidence, failures)))
    meanwhile = near(choice.episode, episodes)
    time = time_of(choice.episode, meanwhile)
    scope = lines_of(material, records, what, time, meanwhile)
    evidence = _evidence(scope, LogRecords.of(scope), issue, _within(resources, time, meanwhile), time)
    around = material.scope(None, time[0] - HISTORY_US, time[1] + AFTER_US)
    evidence = replace(evidence, sources=source_times(around.lines, *time))
    apart = [other for other in choice.others if not other.near(choice.episode, CONTEXT_US)]
    others = _unrelated(apart, records, failures, choice.rivals)
    return Analysis(evidence, resources.explain(evidence, diagnose(evidence, failures)), others)


def evidence_of(material: LogLines, issue: Issue, resources: Resources) -> Evidence:
    """Return the lines that tell most of an issue, best first, with their story and what is like it in the past."""
    return analyze(material, issue, resources).evidence


def _with_history(records: LogRecords, detectors: DetectorScores | None) -> DetectorScores:
    """Return what detectors say, and what the logs' own history shows beside it."""
    windows = tuple(own_findings(records))
    if detectors is None:
        return DetectorScores({}, (), 0, len(windows), (), windows)
    return replace(detectors, fired_windows=(*detectors.fired_windows, *windows))


def _episodes(
    records: LogRecords, issue: Issue, resources: Resources
) -> tuple[Assessment | None, Sequence[LogEpisode]]:
    """Return what all records say of an issue, and the episodes that they are cut into."""
    if not len(records):
        return None, ()
    detectors = resources.detector_scores
    detected = found_in(() if detectors is None else detectors.fired_windows, records)
    what = assess(
        records,
        issue,
        detectors=resources.pointed(records),
        known=resources.known(),
        further=[one.text for one in detected],
    )
    return what, cut(signs_of(records, what, detected))


def _within(resources: Resources, span: Span, episodes: Sequence[LogEpisode]) -> Resources:
    """Return the resources with what detectors say of some episodes' services in their time."""
    detectors = resources.detector_scores
    services = {sign.service for episode in episodes for sign in episode.signs}
    return resources if detectors is None else replace(resources, detector_scores=detectors.within(*span, services))


def _naming(material: LogLines, records: LogRecords, issue: Issue) -> Evidence:
    """Return evidence of the first lines that name what the issue names, which do not tell of a failure."""
    start, end = span(material)
    rows = {row for naming in records.naming(issue.ids) for row in naming[:_NAMING].tolist()}
    lines = tuple(
        replace(EvidenceLine.of(material, records.lines.row(row, named=True)), id=f"L{number}", roles=("names it",))
        for number, row in enumerate(sorted(rows), 1)
    )
    tenant = str(records.lines["tenant"][0]) if len(records) else ""
    return Evidence(tenant=tenant, services=(), start=start, end=end, reasons=(), lines=lines)


def _unrelated(
    episodes: Sequence[LogEpisode], records: LogRecords, failures: KnownFailures, rivals: Sequence[LogEpisode] = ()
) -> tuple[Unrelated, ...]:
    """Return the weightiest episodes as people name them, those that may be meant first, then in order of time."""
    out = []
    for episode in sorted(episodes, key=lambda other: other not in rivals)[:_OTHERS]:
        best = episode.best
        known = failures.matches(best.text, best.service)
        said = sentence(best.finding) if best.finding is not None else str(records.lines["message"][best.row])
        services = tuple(dict.fromkeys(sign.service for sign in episode.signs if sign.service))[:_SERVICES]
        title = known[0][0].title if known else short(said, _TITLE)
        out.append(Unrelated(title, services, episode.start, episode.end, episode in rivals))
    return tuple(sorted(out, key=lambda other: (not other.rival, other.start)))


def _evidence(
    material: LogLines, records: LogRecords, issue: Issue, resources: Resources, episode: Span | None
) -> Evidence:
    """Return the evidence out of some lines; ``episode`` is the time that counts, what is before it is history."""
    partition, offset = records.places()
    detectors, templates = resources.detector_scores, resources.known_templates
    ranked = rank(
        records,
        issue,
        embed=resources.embed,
        detectors=resources.pointed(records),
        known=resources.known(),
        limit=RANKED_RECORDS,
        since=None if episode is None else episode[0] - CLOCK_SKEW_US,
    )
    places = [(int(partition[record.row]), int(offset[record.row])) for record in ranked]
    gathered = gather(
        material,
        [_window(episode or span(material), records, ranked, places, detectors)],
        known=None if templates is None else frozenset(templates),
        similar=_similar(records, ranked, issue, resources),
        limits=EvidenceLimits(lines=_GATHERED_LINES),
    )
    evidence = _in_order_of_rank(gathered, ranked, places, records, material)
    return replace(evidence, frequent=frequent_failure(records.lines, evidence.lines))


def _window(
    time: Span,
    records: LogRecords,
    ranked: Sequence[RankedRecord],
    places: Sequence[Place],
    detectors: DetectorScores | None,
) -> FiredWindow:
    """Return one window over all lines, which points at the best records, as ``gather`` expects windows."""
    start, end = time
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
