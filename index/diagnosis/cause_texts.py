"""Causes in words: one function for each rule of ``index.diagnosis.causes``, with confidence and next steps."""

from dataclasses import dataclass
from typing import Final

from index.diagnosis.called import Unanswered, called, restarted
from index.diagnosis.connections import near
from index.diagnosis.findings import BACKENDS, BehaviourFinding, Findings, KnownFailureMatch, Origin, failed
from index.diagnosis.known_failures import fill
from index.diagnosis.wording import (
    answer,
    duration,
    lower_first,
    often,
    often_said,
    place_of,
    raised_in,
    said_of,
    subject,
)
from index.evidence.detector_findings import MISSING
from index.evidence.message_parts import message_of, short
from index.evidence.types import Evidence, EvidenceLine
from index.lines.service_layers import names_of
from index.lines.source_times import SourceTimes
from index.lines.tracebacks import Frame
from models.detectors.sentences import sentence
from models.findings import SILENCES, FindingKind
from models.records import Level

UNKNOWN: Final = "Unknown"

# Confidences, from 0 to 1, are judgements: how often a cause of this sort is expected to be right.
_DEFECT: Final = 0.8
_DEFECT_KNOWN: Final = 0.85
_RAISED: Final = 0.6
_ERROR: Final = 0.45
_WARNED: Final = 0.3
_FIRST_SIGN: Final = 0.2
_FREQUENT: Final = 0.15
_NOTHING: Final = 0.1
_SILENCE_AND_ERRORS: Final = 0.75
"""A silent source, and errors of others that it explains."""

_LEFT: Final = 0.6
"""A client that went away without a word, and wrote nothing meanwhile or was started again."""

_RESTARTED: Final = 0.5
"""A source of the incident that was started again, and nothing that failed."""

_RESTARTED_ELSEWHERE: Final = 0.4
"""Another source."""

_BEHAVIOUR: Final = {
    **dict.fromkeys(SILENCES, 0.6),
    FindingKind.SLOW: 0.45,
    FindingKind.REFUSED: 0.4,
    **dict.fromkeys(MISSING, 0.35),
    FindingKind.LARGE_VALUE: 0.2,
}

_BLAMED: Final = 0.45
"""Confidence of a known failure from which the service that its entry names is blamed, a judgement."""

_QUOTED: Final = 120
"""Characters of a message that a cause quotes, a judgement."""

_WITNESSES: Final = 4
"""Services that are named as reporting the same failure, a judgement."""

_SILENT_STEPS: Final = (
    "On {host}: systemctl status {service}; journalctl -u {service} -n 100; is the host itself up?",
    "If it runs: does its log file still grow? If so, look at the shipper (systemctl status fluent-bit)",
    "If it hangs: kill -USR2 PID writes a report of all its threads (oslo.reports), then restart it",
)
_UNANSWERED_STEPS: Final = (_SILENT_STEPS[0], _SILENT_STEPS[2])
_RESTART_STEPS: Final = (
    "On {host}: journalctl -u {service} -n 100; systemctl status {service}: when and why did it stop?",
    "If nobody restarted it: dmesg -T | grep -i -e oom -e segfault; coredumpctl list",
)
_HOST_STEPS: Final = (
    "Does {host} answer (ping, ssh, its console)? If not: power, kernel, network of the node",
    "If it does: systemctl status fluent-bit on {host}; is /var full, does its clock run, does it reach Kafka?",
)
_SLOW_STEPS: Final = (
    "On {host}: load, memory and disk (top, iostat -x 1 3); how many workers of {service} are busy?",
    "Database: SHOW FULL PROCESSLIST (slow queries, locks); queue: rabbitmqctl list_queues name messages",
    "Compare the times of the calls that {service} makes itself: is one of those it calls slow as well?",
)
_MISSING_STEPS: Final = (
    "Follow one case to where it stops: grep {instance} (or {request}) in the logs of all services",
    "Check the service that has to do the missing step: its agents, its queue, its last lines",
)
STEPS: Final = {
    FindingKind.SILENT: _SILENT_STEPS,
    FindingKind.HOST_SILENT: _HOST_STEPS,
    FindingKind.SLOW: _SLOW_STEPS,
    **dict.fromkeys(MISSING, _MISSING_STEPS),
}
"""What to do about behaviour that names a place to look at."""


@dataclass(frozen=True, slots=True)
class Cause:
    """The probable cause; ``line`` is the one that actions are filled in from."""

    text: str
    confidence: float
    service: str
    actions: tuple[str, ...]
    line: EvidenceLine | None
    frame: Frame | None = None
    """Code to read, where the code is to blame."""
    headline: str = ""
    """What is the matter in a few words, without a full stop; "" where a line says it best."""
    rule: str = ""
    """Name of the rule that applied; "" where none did."""
    consequence: bool = False
    """Whether what it stands on may follow from some other failure, such as a call that was not answered."""


def of_defect(evidence: Evidence, findings: Findings, origin: Origin) -> Cause:
    """Return the cause where wrong code raised an exception."""
    del evidence
    match = findings.match
    title = f"{match.failure.title}. " if match else ""
    text = (
        f"{title}A defect in the code of {origin.line.service}, or input that it does not expect: {raised_in(origin)}. "
        "It does not look like an outage: look for a version, patch or configuration that does not fit."
    )
    confidence = _DEFECT_KNOWN if match else _DEFECT
    actions = match.failure.actions if match else ()
    return Cause(text, confidence, origin.line.service, actions, origin.line, _code(origin))


def of_silent_source(evidence: Evidence, findings: Findings, silent: BehaviourFinding) -> Cause:
    """Return the cause where a source has stopped writing; surer where others have errors meanwhile."""
    del evidence
    errors = findings.origin is not None and findings.origin.strong
    return _behaviour_cause(silent, _SILENCE_AND_ERRORS if errors else _BEHAVIOUR[silent.finding.kind])


def of_behaviour(evidence: Evidence, findings: Findings, odd: BehaviourFinding) -> Cause:
    """Return the cause where a service behaves unusually."""
    del evidence, findings
    return _behaviour_cause(odd, _BEHAVIOUR[odd.finding.kind])


def of_restart(evidence: Evidence, findings: Findings, times: SourceTimes) -> Cause:
    """Return the cause where a source was started again and nothing says that it failed."""
    del findings
    text = (
        f"{restarted(times)}No line reports a failure of it: somebody restarted it, or it was killed and its manager "
        "started it again."
    )
    confidence = _RESTARTED if times.service in evidence.services else _RESTARTED_ELSEWHERE
    names = {"service": times.service, "host": times.host}
    actions = tuple(fill(step, names) for step in _RESTART_STEPS)
    return Cause(text, confidence, times.service, actions, None, headline=restarted(times).strip().rstrip("."))


def of_match(evidence: Evidence, findings: Findings, match: KnownFailureMatch) -> Cause:
    """Return the cause where a line matches a known failure: put down to who did not answer, where a call was not."""
    origin, failure, writer = findings.origin, match.failure, match.line.service
    own = origin is not None and origin.holds(match.line)
    unanswered = called(evidence, findings, match)
    if unanswered is not None:
        return _of_unanswered(match, unanswered)
    why = fill(failure.cause, {"service": writer, "host": match.line.host})
    seen = "" if own else f" ({writer} says “{said_of(match)}”.)"
    text = f"{failure.title}. {why}{seen}{_witnesses(evidence, match)}"
    began = origin.line.service if origin is not None and (own or failed(origin.line)) else writer
    service = _blamed(evidence, match) or began
    return Cause(
        *(text, match.confidence, service, failure.actions, match.line),
        headline=failure.title,
        consequence=bool(failure.symptom),
    )


def _of_unanswered(match: KnownFailureMatch, unanswered: Unanswered) -> Cause:
    """Return the cause where calls of a service were not answered; surer where its own log shows that it was away."""
    failure, service = match.failure, unanswered.service
    left = failure.symptom == "left"
    title = f"{service} {failure.title}" if left else f"{service} does not answer{unanswered.callers}"
    what = "" if left else f": {lower_first(failure.title)}"
    why = fill(failure.cause, {"service": match.line.service, "host": match.line.host})
    text = f"{title}{what}{unanswered.often}. {unanswered.state}{why}"
    agreed = _LEFT if left else _SILENCE_AND_ERRORS
    confidence = max(match.confidence, agreed) if unanswered.state else match.confidence
    steps = tuple(fill(step, {"service": service, "host": unanswered.host}) for step in _UNANSWERED_STEPS)
    actions = (*steps, *failure.actions[1:])
    return Cause(text, confidence, service, actions, match.line, headline=title, consequence=True)


def _witnesses(evidence: Evidence, match: KnownFailureMatch) -> str:
    """Who else reports the failure of a backend: one alone may itself be cut off."""
    if match.failure.origin not in BACKENDS:
        return ""
    others = _others(evidence, match)
    if others:
        return f" {', '.join(others[:_WITNESSES])} {'tells' if len(others) == 1 else 'tell'} of it too."
    return f" Reported only by {match.line.service} so far: its own connection may be what is broken."


def _others(evidence: Evidence, match: KnownFailureMatch) -> list[str]:
    """The other services that report the same failure."""
    told_by = (line.service for line in evidence.lines if _reports(line, match))
    return [service for service in dict.fromkeys(told_by) if service != match.line.service]


def _reports(line: EvidenceLine, match: KnownFailureMatch) -> bool:
    warns = line.level >= Level.WARNING and near(line, [match.line])
    return warns and bool(match.failure.words_in(message_of(line), line.service))


def _blamed(evidence: Evidence, match: KnownFailureMatch) -> str:
    """The service that the failure is put down to: it fails itself, or several cannot reach it; "" for neither."""
    origin = match.failure.origin
    if not origin or match.confidence < _BLAMED:
        return ""
    named = (line.service for line in evidence.lines if failed(line) and origin in names_of(line.service))
    several = origin in BACKENDS and bool(_others(evidence, match))
    return next(named, origin if several else "")


def of_error(evidence: Evidence, findings: Findings, origin: Origin) -> Cause:
    """Return the cause where a line says that something is wrong, and no known failure explains it."""
    del evidence, findings
    line = origin.line
    if origin.trace is not None:
        text = f"{place_of(line)} raised {raised_in(origin)}; no known failure fits, so why it did is unknown."
        return Cause(text, _RAISED, line.service, (), line, _code(origin))
    if failed(line):
        text = f"{UNKNOWN}: {place_of(line)} reports an error that no known failure explains."
        return Cause(text, _ERROR, line.service, (), line)
    said = short(message_of(line), _QUOTED)
    text = f"{UNKNOWN}: {place_of(line)} writes a warning that no known failure explains: “{said}”."
    return Cause(text, _WARNED, line.service, (), line)


def of_first_sign(evidence: Evidence, findings: Findings, origin: Origin) -> Cause:
    """Return the cause where there is no more than the first line of a new kind."""
    del evidence, findings
    line = origin.line
    text = f"{UNKNOWN}: no line says why; {place_of(line)} shows the first sign: “{short(message_of(line), _QUOTED)}”."
    return Cause(text, _FIRST_SIGN, origin.line.service, (), origin.line)


def unknown(evidence: Evidence) -> Cause:
    """Return the cause where nothing is found."""
    lines = evidence.lines
    frequent = often(evidence)
    if frequent is not None:
        line, times = frequent
        what = f"“{often_said(line)}” of {line.service}"
        text = f"{UNKNOWN}: no line says why. The most frequent warning or failure is {what}, {times}."
        return Cause(text, _FREQUENT, line.service, (), line)
    service = evidence.services[0] if evidence.services else lines[0].service if lines else ""
    said = f" The detectors say: {short(evidence.reasons[0], 200)}." if evidence.reasons else ""
    return Cause(f"{UNKNOWN}: no line reports a failure.{said}", _NOTHING, service, (), None)


def _behaviour_cause(odd: BehaviourFinding, confidence: float) -> Cause:
    finding = odd.finding
    actions = STEPS.get(finding.kind, ())
    if finding.kind in SILENCES:
        actions = tuple(
            step.replace("{host}", finding.host or "its host").replace("{service}", finding.service) for step in actions
        )
    text = _behaviour_text(odd)
    return Cause(text, confidence, odd.service, actions, odd.line, headline=text.rstrip("."))


def _behaviour_text(odd: BehaviourFinding) -> str:
    finding, line = odd.finding, odd.line
    usual = finding.usual or 0.0
    match finding.kind:
        case FindingKind.SILENT:
            return (
                f"{place_of(finding)} has written nothing for {finding.value or 0.0:.0f} s, "
                f"usually at most {usual:.0f} s: "
                "its process or host is down or hangs, or its log is no longer shipped."
            )
        case FindingKind.HOST_SILENT:
            return (
                f"Host or shipper of {finding.host} is quiet: all its {finding.count} sources have written nothing for "
                f"{finding.value or 0.0:.0f} s, usually at most {usual:.0f} s. The host is down or cut off, or what "
                "ships its logs has stopped."
            )
        case FindingKind.SLOW:
            unit = finding.unit or "s"
            took, at_most = duration(odd.number, unit), duration(usual, unit)
            return (
                f"{odd.place} is slower than usual: {subject(line)} took {took}, usually below {at_most}. "
                "It is overloaded or waits for what it calls: database, queue, storage."
            )
        case FindingKind.REFUSED:
            return f"{odd.place} refuses requests that it usually grants: {answer(line)}; why is unknown."
        case FindingKind.MISSING_FOLLOW_UP | FindingKind.FEWER_FOLLOW_UPS:
            follows = short(finding.follows, 90) or "another step"
            return (
                f"A step does not come to its end or is left out: after “{subject(line)}” of {odd.place} usually "
                f"comes “{follows}”, and now it does not."
            )
        case FindingKind.LARGE_VALUE if line is not None:
            return (
                f"{UNKNOWN}: no line reports a failure; {odd.place} has an unusually large number in "
                f"“{subject(line)}”: {odd.number:,.6g}, usually below {usual:,.6g}."
            )
        case _:
            return f"{UNKNOWN}: {odd.place} behaves unusually. {short(sentence(finding), 200)}."


def _code(origin: Origin) -> Frame | None:
    """The call to read; libraries are not to blame for what they report."""
    frame = origin.frames[0][0] if origin.frames else None
    return None if frame is None or frame.plumbing else frame
