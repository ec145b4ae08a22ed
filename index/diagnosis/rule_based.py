"""A diagnosis from the evidence alone, by rules: what an alert carries first, and all of it without a language model.

Every claim is built from the lines that it cites and is checked against them; what no line supports is marked as a
hypothesis, and where nothing is known the diagnosis says so.
"""

from collections.abc import Sequence
from typing import Final

from index.diagnosis.affected import affected_services
from index.diagnosis.cause_texts import Cause
from index.diagnosis.causes import cause_of
from index.diagnosis.claims import claims_of
from index.diagnosis.findings import Findings, Origin, failed, find
from index.diagnosis.known_failures import KnownFailures, shipped
from index.diagnosis.next_steps import steps
from index.diagnosis.types import Diagnosis, Mode, Moment
from index.diagnosis.wording import often, often_said, place_of, said_of, verb
from index.evidence.message_parts import message_of, short
from index.evidence.selection import OF_TRACE
from index.evidence.types import Evidence, EvidenceLine
from models.rfc3339 import time_text

_MOMENTS: Final = 14
"""Lines of the timeline, a judgement."""

_QUOTED: Final = 160
"""Characters of a message that the summary quotes, a judgement: it is the title of alerts."""

_RAISED: Final = 160
"""Characters of what was raised, a judgement."""

_OF_BEHAVIOUR: Final = frozenset({"silent source", "restart", "behaviour", "other behaviour"})
"""Rules of ``index.diagnosis.causes`` that speak of what no line says."""

_OTHERS: Final = 4
"""Other services that the summary names, a judgement."""


def diagnose(evidence: Evidence, failures: KnownFailures | None = None) -> Diagnosis:
    """Return what happened, where it began, what it hit, the probable cause, and what to do.

    Args:
        evidence: the lines, and what the detectors reported.
        failures: known failures; None for the shipped ones.
    """
    findings = find(evidence, shipped() if failures is None else failures)
    cause = cause_of(evidence, findings)
    affected = affected_services(evidence, findings, cause.service)
    return Diagnosis(
        mode=Mode.DETERMINISTIC,
        summary=_summary(evidence, findings, cause, affected),
        cause=cause.text,
        confidence=round(cause.confidence, 2),
        service=cause.service,
        services=_services(evidence, cause.service, affected),
        claims=claims_of(evidence, findings, affected),
        timeline=_timeline(evidence),
        actions=steps(evidence, cause.actions, cause.line, cause.frame),
        consequence=cause.consequence,
    )


def _services(evidence: Evidence, service: str, affected: Sequence[str]) -> tuple[str, ...]:
    """What it hit: where it began, then the affected, then whom the detectors name, but those with other errors."""
    apart = {line.service for line in evidence.lines if failed(line)} - {service, *affected}
    named = [name for name in evidence.services if name not in apart]
    return tuple(dict.fromkeys(name for name in (service, *affected, *named) if name))


def _summary(evidence: Evidence, findings: Findings, cause: Cause, affected: Sequence[str]) -> str:
    """What happened, in a sentence, and whom it hits: what is the matter, then the first line that shows it."""
    origin = findings.origin
    if origin is None or (cause.rule in _OF_BEHAVIOUR and not origin.strong):
        return _without_failure(evidence, cause)
    line, match = origin.line, findings.match
    others = [service for service in affected if service != line.service]
    hit = f" It hits {', '.join(others[:_OTHERS])}." if others else ""
    begun = f"{place_of(line)} {verb(origin)} at {time_text(line.time)[11:19]} UTC{_times(line)}"
    said = f"{begun}: {_what(origin).rstrip('.')}."
    if not cause.headline:
        return f"{said}{hit}"
    if match is None or cause.rule != "known failure":
        return f"{cause.headline}; {said}{hit}"
    if match.failure.symptom == "left":
        # The line of who was left says no more than that it was.
        return f"{cause.headline}: {begun}.{hit}"
    if not origin.holds(match.line):
        return f"{cause.headline}: {place_of(match.line)} says “{said_of(match)}”. First sign: {begun}.{hit}"
    return f"{cause.headline}{':' if cause.headline == match.failure.title else ';'} {said}{hit}"


def _without_failure(evidence: Evidence, cause: Cause) -> str:
    """What happened where no line says that something failed."""
    if cause.headline:
        return short(cause.text, 260)
    frequent = often(evidence)
    if frequent is not None:
        line, times = frequent
        return f"{line.service} writes warnings or failures, but no error: “{often_said(line)}”, {times}."
    what = evidence.reasons[0] if evidence.reasons else "no line reports a failure"
    return f"{cause.service or 'The cloud'} behaves unusually, without an error: {short(what, 220)}."


def _what(origin: Origin) -> str:
    """What a line says that went wrong: the exception and the file that raised it, else its message."""
    if origin.trace is None:
        return short(message_of(origin.line), _QUOTED)
    said = f"{origin.trace.name}: {origin.trace.message}" if origin.trace.message else origin.trace.name
    frame = origin.frames[0][0] if origin.frames else None
    place = f", raised in {frame.file}" if frame is not None and not frame.plumbing else ""
    return f"{short(said, _RAISED)}{place}"


def _times(line: EvidenceLine) -> str:
    return f" ({line.count} times)" if line.count > 1 else ""


def _timeline(evidence: Evidence) -> tuple[Moment, ...]:
    """What happened in order: changes, the story, failures; the most telling ones where there are too many."""
    story = {*evidence.story, evidence.first_bad}
    lines = [line for line in evidence.lines if not OF_TRACE & set(line.roles) and (line.id in story or failed(line))]
    moments = [Moment(line.time, line.service, short(message_of(line), 160), line.id) for line in lines[:_MOMENTS]]
    moments += [
        Moment(change.time, change.service, f"changed: {short(change.text, 140)}") for change in evidence.changes
    ]
    return tuple(sorted(moments, key=lambda moment: (moment.time, moment.line)))
