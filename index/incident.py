"""Explain an incident from its signals: its own lines from its own begin on become the evidence of its diagnosis."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from index.diagnosis.known_failures import KnownFailures
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
from index.search.documents import Similar


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
    windows = [window, *(one for one in fired if one.end >= signals.begin)]
    own = _own_lines(signals, lines, windows, known)
    evidence = gather(own, windows, known=known, changes=changes, similar=similar)
    return evidence, diagnose(evidence, failures)


def _own_lines(
    signals: IncidentSignals, lines: LogLines, windows: Sequence[FiredWindow], known: frozenset[int] | None
) -> LogLines:
    records = LogRecords.of(lines)
    if not len(records):
        return lines
    detected = found_in(windows, records)
    what = assess(
        records,
        Issue("", "", signals.ids),
        known=None if known is None else np.array(sorted(known), np.uint64),
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
    return sign.service in signals.services and here
