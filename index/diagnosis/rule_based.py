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
from index.diagnosis.findings import Findings, failed, find
from index.diagnosis.known_failures import KnownFailures, shipped
from index.diagnosis.next_steps import steps
from index.diagnosis.types import Diagnosis, Mode, Moment
from index.diagnosis.wording import often, often_said, verb
from index.evidence.message_parts import message_of, short
from index.evidence.selection import OF_TRACE
from index.evidence.types import Evidence
from models.rfc3339 import time_text

_MOMENTS: Final = 14
"""Lines of the timeline, a judgement."""

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
    )


def _services(evidence: Evidence, service: str, affected: Sequence[str]) -> tuple[str, ...]:
    """What it hit: where it began, then the affected, then whom the detectors name, but those with other errors."""
    apart = {line.service for line in evidence.lines if failed(line)} - {service, *affected}
    named = [name for name in evidence.services if name not in apart]
    return tuple(dict.fromkeys(name for name in (service, *affected, *named) if name))


def _summary(evidence: Evidence, findings: Findings, cause: Cause, affected: Sequence[str]) -> str:
    """What happened, in a sentence, and whom it hits."""
    origin, odd = findings.origin, findings.odd
    if origin is None or not (origin.strong or odd is None):
        if odd is not None:
            return short(cause.text, 260)
        frequent = often(evidence)
        if frequent is not None:
            line, times = frequent
            return f"{line.service} writes warnings or failures, but no error: “{often_said(line)}”, {times}."
        what = evidence.reasons[0] if evidence.reasons else "no line reports a failure"
        return f"{cause.service or 'The cloud'} behaves unusually, without an error: {short(what, 220)}."
    line = origin.line
    if origin.trace is not None:
        said = f"{origin.trace.name}: {origin.trace.message}" if origin.trace.message else origin.trace.name
        frame = origin.frames[0][0] if origin.frames else None
        place = f", raised in {frame.file}" if frame is not None and not frame.plumbing else ""
        what = f"{short(said, 160)}{place}"
    else:
        what = short(message_of(line), 180)
    match = findings.match
    title = f"{match.failure.title}: " if match is not None and origin.holds(match.line) else ""
    host = f" on {line.host}" if line.host else ""
    times = f" ({line.count} times)" if line.count > 1 else ""
    others = [service for service in affected if service != line.service]
    hit = f" It hits {', '.join(others[:_OTHERS])}." if others else ""
    begun = f"{line.service}{host} {verb(origin)} at {time_text(line.time)[11:19]} UTC{times}"
    return f"{title}{begun}: {what.rstrip('.')}.{hit}"


def _timeline(evidence: Evidence) -> tuple[Moment, ...]:
    """What happened in order: changes, the story, failures; the most telling ones where there are too many."""
    story = {*evidence.story, evidence.first_bad}
    lines = [line for line in evidence.lines if not OF_TRACE & set(line.roles) and (line.id in story or failed(line))]
    moments = [Moment(line.time, line.service, short(message_of(line), 160), line.id) for line in lines[:_MOMENTS]]
    moments += [
        Moment(change.time, change.service, f"changed: {short(change.text, 140)}") for change in evidence.changes
    ]
    return tuple(sorted(moments, key=lambda moment: (moment.time, moment.line)))
