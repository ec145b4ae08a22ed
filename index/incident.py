"""Explain an incident from its signals: its own lines from its own begin on become the evidence of its diagnosis."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import polars as pl

from index.diagnosis.known_failures import KnownFailures
from index.diagnosis.renewal import SURE, displaces
from index.diagnosis.rule_based import diagnose
from index.diagnosis.types import Diagnosis
from index.episodes.cut import cut
from index.episodes.found import found_in
from index.episodes.scope import lines_of
from index.episodes.signs import signs_of
from index.episodes.types import EpisodeSign
from index.evidence.fired_windows import FiredWindow
from index.evidence.gather import gather
from index.evidence.issue import Issue
from index.evidence.relevance import assess
from index.evidence.request_trace import CLOCK_SKEW_US
from index.evidence.types import Change, Evidence
from index.lines.log_lines import LogLines
from index.lines.log_records import LogRecords
from index.lines.source_times import source_times
from index.search.documents import Similar
from models.findings import FindingKind
from models.records import U64
from models.rfc3339 import SECOND


@dataclass(frozen=True, slots=True)
class IncidentSignals:
    """What an incident is made of; times in microseconds.  What is empty sets no limit."""

    begin: int
    """When its first signal came."""
    end: int
    """When its last one ended, or now where it goes on."""
    services: frozenset[str] = frozenset()
    hosts: frozenset[str] = frozenset()
    ids: frozenset[str] = frozenset()
    """Requests, instances, volumes and ports, in small letters."""
    templates: frozenset[str] = frozenset()
    """Masked texts of the messages that its signals are about."""
    joined: Mapping[str, int] = field(default_factory=dict)
    """When what is wrong with a service began; one that is not named has been there from the begin on."""


OVER_US: Final = 120 * SECOND
"""Microseconds before an incident's end from which on a message that did not come again is over: a judgement, two
windows, as for the signals of an incident."""

_ROUNDS: Final = 4
"""How often what is over is left out, at most: a judgement, an incident rarely holds more troubles in turn."""


def explain_incident(  # noqa: PLR0913 - what is known beside the lines, all by name
    signals: IncidentSignals,
    lines: LogLines,
    *,
    fired: Sequence[FiredWindow] = (),
    known: frozenset[int] | None = None,
    failures: KnownFailures | None = None,
    changes: Sequence[Change] = (),
    similar: Sequence[Similar] = (),
) -> tuple[Evidence, Diagnosis]:
    """Return the evidence of an incident and its diagnosis.

    Errors and warnings count that belong to its signals: of their services and hosts, ids or messages, and what
    evidence of a common cause joins to these.  Those from before its begin, and those of anything else, are left out.
    Where all messages that a diagnosis cites are over and the incident goes on, it is put down to what came since, if
    that explains itself and is as sure: the loudest of what is over must not hide it.

    Args:
        signals: what the incident is made of.
        lines: the lines around it, those before its begin for what is usual.
        fired: its windows.
        known: templates that training saw, None where that is not known.
        failures: known failures, None for the shipped ones.
        changes: what changed before.
        similar: past incidents and runbooks that are like it.
    """
    window = FiredWindow(
        fired[0].tenant if fired else str(lines.lines["tenant"][0]) if len(lines) else "",
        "*",
        "source",
        signals.begin,
        max(signals.begin, signals.end),
        services=tuple(sorted(signals.services)),
    )
    records = LogRecords.of(lines)
    templates = None if known is None else np.array(sorted(known), np.uint64)
    best: tuple[Evidence, Diagnosis] | None = None
    for _ in range(_ROUNDS):
        windows = [replace(window, start=signals.begin), *(one for one in fired if one.end >= signals.begin)]
        own = _own_lines(signals, lines, records, windows, templates) if len(records) else lines
        evidence = gather(own, windows, known=known, changes=changes, similar=similar, was_usual=best is None)
        evidence = replace(evidence, sources=source_times(lines.lines, signals.begin, evidence.end))
        diagnosis = diagnose(evidence, failures)
        if best is not None and (diagnosis.confidence < SURE or not displaces(diagnosis, best[1])):
            break
        best = evidence, diagnosis
        newest = _newest(own, evidence, diagnosis)
        if not signals.begin <= newest < signals.end - OVER_US:
            break
        signals = replace(signals, begin=newest + CLOCK_SKEW_US + 1)
    assert best is not None  # noqa: S101 - the first round ends with one
    return best


def _newest(lines: LogLines, evidence: Evidence, diagnosis: Diagnosis) -> int:
    """Return when a message that a diagnosis cites came last (microseconds); 0 for none, and where it tells silence."""
    ids = diagnosis.cited
    cited = [line for line in evidence.lines if line.id in ids]
    silent = {one.service for one in evidence.findings if one.kind is FindingKind.SILENT}
    if not cited or diagnosis.service in silent:
        return 0
    said = pl.struct("service", "masked").is_in([{"service": one.service, "masked": one.template} for one in cited])
    return int(lines.lines.filter(said)["time"].max() or 0)  # type: ignore[arg-type]


def _own_lines(
    signals: IncidentSignals, lines: LogLines, records: LogRecords, windows: Sequence[FiredWindow], known: U64 | None
) -> LogLines:
    """Return the lines of the episodes that an incident's signals belong to; ``records`` are those of ``lines``."""
    detected = found_in(windows, records)
    what = assess(
        records,
        Issue("", "", signals.ids),
        known=known,
        further=[one.text for one in detected],
    )
    episodes = cut(sign for sign in signs_of(records, what, detected) if sign.end >= signals.begin - CLOCK_SKEW_US)
    masked = records.lines["masked"]
    own = [
        episode
        for episode in episodes
        if episode.start <= signals.end
        and any(_belongs(sign, masked[sign.row] if sign.row >= 0 else "", signals) for sign in episode.signs)
    ]
    end = max([signals.end, *(episode.end for episode in own)])
    return lines_of(lines, records, what, (signals.begin, end), own)


def _belongs(sign: EpisodeSign, template: str, signals: IncidentSignals) -> bool:
    """Whether a sign is one of an incident's: it shares an id, a message, or service and host."""
    if any(kind == "id" and name in signals.ids for kind, name, *_ in sign.bonds) or template in signals.templates:
        return True
    if not (signals.services or signals.ids or signals.templates):
        return True
    here = not signals.hosts or not sign.host or sign.host in signals.hosts
    # What a service said before it was drawn in belongs to something else.
    return sign.service in signals.services and here and sign.end >= signals.joined.get(sign.service, 0)
