"""From findings to a probable cause: in words, with a confidence, where it began, and what to do about it."""

from dataclasses import dataclass
from typing import Final

from index.diagnosis.findings import BehaviourFinding, Findings, KnownFailureMatch, Origin, failed
from index.evidence.detector_findings import BehaviourKind
from index.evidence.message_parts import call_in, code_in, message_of, short
from index.evidence.types import Evidence, EvidenceLine
from index.lines.service_layers import names_of
from index.lines.tracebacks import Frame
from models.records import Level

UNKNOWN: Final = "Unknown"

_DEFECT: Final = 0.8
_DEFECT_KNOWN: Final = 0.85
_RAISED: Final = 0.6
_ERROR: Final = 0.45
_WARNED: Final = 0.3
_FIRST_SIGN: Final = 0.2
_NOTHING: Final = 0.1
_BLAMED: Final = 0.45
_ODD: Final = {
    BehaviourKind.SILENT: 0.6,
    BehaviourKind.SLOW: 0.45,
    BehaviourKind.REFUSED: 0.4,
    BehaviourKind.MISSING: 0.35,
    BehaviourKind.HIGH: 0.2,
    BehaviourKind.RATE: 0.2,
}
_SILENCE_AND_ERRORS: Final = 0.75

_NO_ANSWER: Final = frozenset(
    {
        *("messaging-timeout", "gateway-timeout", "bad-gateway", "connection-refused", "nova-compute-down"),
        *("cinder-service-down", "neutron-agent-down", "nova-no-valid-host", "cinder-no-backend", "nova-vif-timeout"),
    }
)
"""Known failures that a service which has stopped causes in others."""

_BACKENDS: Final = frozenset(("rabbitmq", "mysql", "memcached", "keystone", "ceph", "placement"))
"""What many services use; what one alone cannot reach may be well."""

_SILENT_STEPS: Final = (
    "On {host}: systemctl status {service}; journalctl -u {service} -n 100; is the host itself up?",
    "If it runs: does its log file still grow? If so, look at the shipper (systemctl status fluent-bit)",
    "If it hangs: kill -USR2 PID writes a report of all its threads (oslo.reports), then restart it",
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
_STEPS: Final = {
    BehaviourKind.SILENT: _SILENT_STEPS,
    BehaviourKind.SLOW: _SLOW_STEPS,
    BehaviourKind.MISSING: _MISSING_STEPS,
}


@dataclass(frozen=True, slots=True)
class Cause:
    """What is probably the matter; ``line`` is the one that actions are filled in from."""

    text: str
    confidence: float
    service: str
    actions: tuple[str, ...]
    line: EvidenceLine | None
    frame: Frame | None = None
    """Code to read, where the code is to blame."""


def cause_of(evidence: Evidence, findings: Findings) -> Cause:
    """The most probable cause that the findings support; says that it is unknown where they support none."""
    origin, match, odd = findings.origin, findings.match, findings.odd
    silent = odd if odd is not None and odd.behaviour.kind is BehaviourKind.SILENT else None
    if silent is not None and (match is None or match.failure.id in _NO_ANSWER) and not (origin and origin.defect):
        return _of_odd(silent, _SILENCE_AND_ERRORS if origin and origin.strong else _ODD[BehaviourKind.SILENT])
    if origin is not None and origin.defect:
        return _of_defect(origin, match)
    weak = origin is None or not origin.strong
    if odd is not None and weak and not (match is not None and failed(match.line)) and odd.behaviour.kind in _STEPS:
        return _of_odd(odd, _ODD[odd.behaviour.kind])
    if match is not None:
        return _of_match(evidence, origin, match)
    if origin is not None and origin.strong:
        return _of_origin(origin)
    if odd is not None:
        return _of_odd(odd, _ODD[odd.behaviour.kind])
    if origin is not None:
        text = f"{UNKNOWN}: no line says why; {origin.line.service} shows the first sign."
        return Cause(text, _FIRST_SIGN, origin.line.service, (), origin.line)
    lines = evidence.lines
    service = evidence.services[0] if evidence.services else lines[0].service if lines else ""
    said = f" The detectors say: {short(evidence.reasons[0], 200)}." if evidence.reasons else ""
    return Cause(f"{UNKNOWN}: no line tells of a failure.{said}", _NOTHING, service, (), None)


def _of_defect(origin: Origin, match: KnownFailureMatch | None) -> Cause:
    title = f"{match.failure.title}. " if match else ""
    text = (
        f"{title}A defect in the code of {origin.line.service}, or input that it does not expect: {told(origin)}. "
        "It does not look like an outage: look for a version, patch or configuration that does not fit."
    )
    confidence = _DEFECT_KNOWN if match else _DEFECT
    actions = match.failure.actions if match else ()
    return Cause(text, confidence, origin.line.service, actions, origin.line, _code(origin))


def _of_match(evidence: Evidence, origin: Origin | None, match: KnownFailureMatch) -> Cause:
    own = origin is not None and origin.holds(match.line)
    seen = "" if own else f" ({match.line.service} says “{short(match.words, 80)}”.)"
    text = f"{match.failure.title}. {match.failure.cause}{seen}{_witnesses(evidence, match)}"
    service = _blamed(evidence, match) or (origin.line.service if origin else match.line.service)
    return Cause(text, match.confidence, service, match.failure.actions, match.line)


def _witnesses(evidence: Evidence, match: KnownFailureMatch) -> str:
    """Who else tells of a failure of a backend: one alone may itself be cut off."""
    failure = match.failure
    if failure.origin not in _BACKENDS:
        return ""
    lines = (line for line in evidence.lines if failed(line) and failure.found(message_of(line), line.service))
    others = [service for service in dict.fromkeys(line.service for line in lines) if service != match.line.service]
    if others:
        return f" {', '.join(others[:4])} {'tells' if len(others) == 1 else 'tell'} of it too."
    return f" Only {match.line.service} tells of it so far: its own connection may be what is broken."


def _blamed(evidence: Evidence, match: KnownFailureMatch) -> str:
    """The service that the failure is put down to, if lines of it failed; "" if none did."""
    if not match.failure.origin or match.confidence < _BLAMED:
        return ""
    named = (line.service for line in evidence.lines if failed(line) and match.failure.origin in names_of(line.service))
    return next(named, "")


def _of_origin(origin: Origin) -> Cause:
    line = origin.line
    if origin.trace is not None:
        text = f"{line.service} raised {told(origin)}; no known failure fits, so why it did is unknown."
        return Cause(text, _RAISED, line.service, (), line, _code(origin))
    if failed(line):
        text = f"{UNKNOWN}: {line.service} reports an error that no known failure explains."
        return Cause(text, _ERROR, line.service, (), line)
    text = f"{UNKNOWN}: {line.service} writes a warning that no known failure explains."
    return Cause(text, _WARNED, line.service, (), line)


def _of_odd(odd: BehaviourFinding, confidence: float) -> Cause:
    behaviour, line = odd.behaviour, odd.line
    match behaviour.kind:
        case BehaviourKind.SILENT:
            where = f"{behaviour.service} on {behaviour.host}" if behaviour.host else behaviour.service
            text = (
                f"{where} has stopped writing for {behaviour.value:.0f} s, usually {behaviour.usual:.0f} s at most: "
                "its process or host is down or hangs, or its log is no longer shipped."
            )
        case BehaviourKind.SLOW:
            text = (
                f"{odd.service} is slower than usual: {subject(line)} took {odd.number:.3g} s, usually below "
                f"{behaviour.usual:.3g} s. It is overloaded or waits for what it calls: database, queue, storage."
            )
        case BehaviourKind.REFUSED:
            text = f"{odd.service} refuses requests that it usually grants: {answer(line)}; why is unknown."
        case BehaviourKind.MISSING:
            text = (
                f"A step does not come to its end or is left out: after “{subject(line)}” of {odd.service} usually "
                f"comes “{short(behaviour.follows, 90)}”, and now it does not."
            )
        case _:
            text = f"{UNKNOWN}: {odd.service} behaves unusually. {short(behaviour.reason, 200)}."
    actions = _STEPS.get(behaviour.kind, ())
    if behaviour.kind is BehaviourKind.SILENT:
        actions = tuple(
            step.replace("{host}", behaviour.host or "its host").replace("{service}", behaviour.service)
            for step in actions
        )
    return Cause(text, confidence, odd.service, actions, line)


def told(origin: Origin) -> str:
    """What was raised and where, in a few words."""
    name = origin.trace.name if origin.trace is not None else ""
    return f"{name} in {place(origin.frames[0][0])}" if origin.frames else name


def place(frame: Frame) -> str:
    """A call, as people look it up."""
    return f"{frame.file}, line {frame.line}, in {frame.function}"


def subject(line: EvidenceLine | None) -> str:
    """What a line is about: its HTTP call, else its message."""
    if line is None:
        return "a step"
    return short(call_in(line), 120) or short(message_of(line), 120)


def answer(line: EvidenceLine | None) -> str:
    """What a line says was answered."""
    return f"{code_in(line)} to {subject(line)}" if line is not None and code_in(line) else subject(line)


def _code(origin: Origin) -> Frame | None:
    """The call to read; libraries are not to blame for what they report."""
    frame = origin.frames[0][0] if origin.frames else None
    return None if frame is None or frame.plumbing else frame


def verb(origin: Origin) -> str:
    """What the service did where it began."""
    line = origin.line
    return (
        "failed"
        if failed(line) or origin.trace is not None
        else "warned"
        if line.level >= Level.WARNING
        else "wrote something new"
    )
