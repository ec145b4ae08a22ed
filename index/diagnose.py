"""A diagnosis from the evidence alone, by rules: what an alert carries first, and all of it without a language model.

Every claim is built from the lines that it cites and is checked against them; what no line supports is marked as a
hypothesis, and where nothing is known the diagnosis says so.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from index.callers import names_of
from index.diagnosis import Claim, Diagnosis, Mode, Moment
from index.evidence import Evidence, EvidenceLine
from index.failures import Failure, Failures, shipped
from index.gather import CALLED, FRAME, RAISED, SERVED
from index.messages import call_in, code_in, message_of, name_in, short
from index.steps import steps
from index.traces import Frame, Trace, read_inline
from models.records import Level
from models.verdicts import time_text

UNKNOWN: Final = "Unknown"

_DEFECTS: Final = frozenset(
    [
        "TypeError",
        "AttributeError",
        "KeyError",
        "NameError",
        "ValueError",
        "IndexError",
        "UnboundLocalError",
        "AssertionError",
        "Exception",
        "NotImplementedError",
        "RecursionError",
        "RuntimeError",
        "ZeroDivisionError",
        "UnicodeDecodeError",
        "UnicodeEncodeError",
        "StopIteration",
        "LookupError",
        "OverflowError",
        "KeyTypeError",
        "ElementTypeError",
        "SyntaxError",
        "IndentationError",
    ]
)
"""Exceptions that code raises when it is wrong or gets what it does not expect; an outage looks otherwise."""

_ON_ORIGIN: Final = 1.0
_IN_STORY: Final = 0.8
_ELSEWHERE: Final = 0.55
_DEFECT: Final = 0.75
_RAISED: Final = 0.6
_ERROR: Final = 0.45
_ODD: Final = 0.2
_NOTHING: Final = 0.1
_MOMENTS: Final = 14
_HITS: Final = 5


@dataclass(frozen=True, slots=True)
class _Origin:
    """Where it began: the first bad line with what was raised and where."""

    line: EvidenceLine
    raised: EvidenceLine | None
    trace: Trace | None
    frames: tuple[tuple[Frame, EvidenceLine], ...]
    """Calls in the code of services, innermost first, each with the line that shows it."""


@dataclass(frozen=True, slots=True)
class _Match:
    """A known failure, the line that tells of it, the words that do, and how sure that is."""

    failure: Failure
    line: EvidenceLine
    words: str
    confidence: float


def diagnose(evidence: Evidence, failures: Failures | None = None) -> Diagnosis:
    """Say what happened, where it began, what it hit, why probably, and what to do; unknown where it is unknown."""
    table = shipped() if failures is None else failures
    origin = _origin(evidence)
    match = _match(evidence, origin, table)
    if match is not None and origin is not None and _is_defect(origin) and not _is_own(origin, match):
        match = None
    service = _service(evidence, origin, match)
    cause, confidence = _cause(evidence, origin, match)
    return Diagnosis(
        mode=Mode.DETERMINISTIC,
        summary=_summary(evidence, origin, service),
        cause=cause,
        confidence=round(confidence, 2),
        service=service,
        services=_services(evidence, service),
        claims=_claims(evidence, origin, match),
        timeline=_timeline(evidence),
        actions=steps(
            evidence,
            match.failure.actions if match else (),
            match.line if match else origin.line if origin else None,
            origin.frames[0][0] if origin and origin.frames else None,
        ),
    )


def _origin(evidence: Evidence) -> _Origin | None:
    line = evidence.by_id().get(evidence.first_bad or "")
    if line is None:
        return None
    mates = [
        each
        for each in evidence.lines
        if each.id != line.id and each.time == line.time and each.service == line.service and each.host == line.host
    ]
    raised = next((each for each in mates if RAISED in each.roles), None)
    shown = [each for role in (FRAME, CALLED) for each in mates if role in each.roles]
    frames: list[tuple[Frame, EvidenceLine]] = []
    for each in shown:
        inner = read_inline(each.text)
        if inner is not None:
            frames.append((inner.frames[-1], each))
    trace = read_inline(line.text)
    if trace is not None and not frames:
        frames = [(frame, line) for frame in trace.files(4)]
    if raised is not None:
        name, _, said = message_of(raised).strip().partition(": ")
        trace = Trace(name.rstrip(":"), said, 0, tuple(frame for frame, _ in reversed(frames)))
    return _Origin(line, raised, trace if trace is not None and trace.exception else None, tuple(frames))


def _match(evidence: Evidence, origin: _Origin | None, table: Failures) -> _Match | None:
    """The known failure that the evidence tells of best: where it began, else in its story, else anywhere."""
    own = {line.id for line in (origin.line, origin.raised) if line is not None} if origin else set()
    story = set(evidence.story)
    best: _Match | None = None
    for line in evidence.lines:
        told = line.level >= Level.WARNING if line.id in own | story else line.level >= Level.ERROR
        if not (told or SERVED in line.roles) or {FRAME, CALLED} & set(line.roles):
            continue
        near = _ON_ORIGIN if line.id in own else _IN_STORY if line.id in story else _ELSEWHERE
        for failure, words in table.matches(message_of(line), line.service)[:3]:
            confidence = failure.confidence * near * (1.0 if line.level >= Level.ERROR else 0.8)
            if best is None or confidence > best.confidence:
                best = _Match(failure, line, words, confidence)
    return best


def _service(evidence: Evidence, origin: _Origin | None, match: _Match | None) -> str:
    """Where it began: in the component that the failure is put down to, if it failed; else where it was seen."""
    if match is not None and match.failure.origin and match.confidence >= _ERROR:
        failed = (line for line in evidence.lines if line.level >= Level.ERROR or SERVED in line.roles)
        blamed = next((line for line in failed if match.failure.origin in names_of(line.service)), None)
        if blamed is not None:
            return blamed.service
    if origin is not None:
        return origin.line.service
    return evidence.services[0] if evidence.services else evidence.lines[0].service if evidence.lines else ""


def _services(evidence: Evidence, service: str) -> tuple[str, ...]:
    """What it hit: where it began, then whoever failed, then whom the detectors name."""
    failed = [line.service for line in evidence.lines if line.level >= Level.ERROR or SERVED in line.roles]
    return tuple(dict.fromkeys(each for each in (service, *failed, *evidence.services) if each))


def _cause(evidence: Evidence, origin: _Origin | None, match: _Match | None) -> tuple[str, float]:
    if match is not None and origin is not None and _is_defect(origin):
        return f"{match.failure.title}. {_defect(origin)}", _DEFECT + 0.05
    if match is not None:
        seen = "" if _is_own(origin, match) else f" ({match.line.service} says “{short(match.words, 80)}”.)"
        return f"{match.failure.title}. {match.failure.cause}{seen}", match.confidence
    if origin is not None and _is_defect(origin):
        return _defect(origin), _DEFECT
    if origin is not None and origin.trace is not None:
        return f"{origin.line.service} raised {_told(origin)}; no known failure fits, why it did is unknown.", _RAISED
    if origin is not None and origin.line.level >= Level.ERROR:
        return f"{UNKNOWN}: {origin.line.service} reports an error that no known failure explains.", _ERROR
    if origin is not None:
        return f"{UNKNOWN}: no line says why; {origin.line.service} shows the first sign.", _ODD
    if evidence.reasons:
        return f"{UNKNOWN}: no line tells of a failure. The detectors say: {evidence.reasons[0]}.", _NOTHING
    return f"{UNKNOWN}: no line tells of a failure.", _NOTHING


def _is_defect(origin: _Origin) -> bool:
    return origin.trace is not None and origin.trace.name in _DEFECTS


def _defect(origin: _Origin) -> str:
    return (
        f"A defect in the code of {origin.line.service}, or input that it does not expect: {_told(origin)}. "
        "No backend is down: look for a version, patch or configuration that does not fit."
    )


def _told(origin: _Origin) -> str:
    """What was raised and where, in a few words."""
    name = origin.trace.name if origin.trace is not None else ""
    return f"{name} in {_place(origin.frames[0][0])}" if origin.frames else name


def _is_own(origin: _Origin | None, match: _Match) -> bool:
    return origin is not None and match.line.id in {
        each.id for each in (origin.line, origin.raised) if each is not None
    }


def _place(frame: Frame) -> str:
    return f"{frame.file}, line {frame.line}, in {frame.function}"


def _summary(evidence: Evidence, origin: _Origin | None, service: str) -> str:
    if origin is None:
        what = evidence.reasons[0] if evidence.reasons else "nothing that tells of a failure"
        return (
            f"{service or 'The cloud'} behaves unusually, and no line says that something failed: {short(what, 160)}."
        )
    line = origin.line
    if origin.trace is not None:
        said = f"{origin.trace.name}: {origin.trace.message}" if origin.trace.message else origin.trace.name
        place = f", raised in {origin.frames[0][0].file}" if origin.frames else ""
        what = f"{short(said, 160)}{place}"
    else:
        what = short(message_of(line), 180)
    others = [each for each in _services(evidence, line.service) if each != line.service and _failed(evidence, each)]
    hit = f" It hits {', '.join(others[:4])}." if others else ""
    host = f" on {line.host}" if line.host else ""
    return f"{line.service}{host} failed at {time_text(line.time)[11:19]} UTC: {what}.{hit}"


def _failed(evidence: Evidence, service: str) -> bool:
    return any(
        line.service == service and (line.level >= Level.ERROR or SERVED in line.roles) for line in evidence.lines
    )


def _claims(evidence: Evidence, origin: _Origin | None, match: _Match | None) -> tuple[Claim, ...]:
    found: list[Claim] = []
    if origin is not None:
        found += _origin_claims(origin)
    if match is not None:
        text = f"{match.line.service} tells of a known failure, “{match.failure.title}”: “{short(match.words, 120)}”."
        found.append(_claim(text, (match.line,), (match.line.service, short(match.words, 120))))
    first = origin.line if origin else None
    told = {first.service} if first else set()
    for line in evidence.lines:
        if line is first or line.service in told or RAISED in line.roles or FRAME in line.roles:
            continue
        if line.level < Level.ERROR and SERVED not in line.roles:
            continue
        told.add(line.service)
        found.append(_hit(line))
        if len(told) > _HITS:
            break
    found += [
        _served(line) for line in evidence.lines if SERVED in line.roles and first and line.service == first.service
    ][:1]
    found += [Claim(f"The detectors say: {reason}.", (), verified=False) for reason in evidence.reasons[:3]]
    return tuple(dict.fromkeys(found))


def _origin_claims(origin: _Origin) -> list[Claim]:
    line = origin.line
    said = short(message_of(line), 160)
    found = [_claim(f"It began in {line.service}: “{said}”.", (line,), (line.service, said))]
    if line.count > 1:
        found.append(_claim(f"{line.service} wrote this {line.count} times.", (line,), (line.service,)))
    if origin.trace is not None and origin.raised is not None:
        name = origin.trace.exception
        what = short(f"{name}: {origin.trace.message}" if origin.trace.message else name, 200)
        found.append(_claim(f"{line.service} raised {what}.", (origin.raised,), (line.service, name)))
    for n, (frame, at) in enumerate(origin.frames):
        verb = "It was raised in" if n == 0 else "It was called from"
        found.append(_claim(f"{verb} {_place(frame)}.", (at,), (frame.file, str(frame.line), frame.function)))
    for kind in ("request", "instance", "volume", "port"):
        name = name_in(line, kind)
        if name:
            found.append(_claim(f"It concerns {kind} {name}.", (line,), (name,)))
    return found


def _hit(line: EvidenceLine) -> Claim:
    if SERVED in line.roles:
        return _served(line)
    said = short(message_of(line), 160)
    return _claim(f"{line.service} fails as well: “{said}”.", (line,), (line.service, said))


def _served(line: EvidenceLine) -> Claim:
    code, call = code_in(line), call_in(line)
    to = f" to {short(call, 120)}" if call else ""
    times = f", {line.count} times" if line.count > 1 else ""
    return _claim(f"{line.service} answered {code}{to}{times}.", (line,), (line.service, code, short(call, 120)))


def _claim(text: str, lines: Sequence[EvidenceLine], names: Sequence[str]) -> Claim:
    """A claim, verified if every name in it stands in one of its lines."""
    content = " ".join(f"{line.service} {line.host} {' '.join(line.text.split())}" for line in lines)
    return Claim(text, tuple(line.id for line in lines), verified=all(_stands(name, content) for name in names))


def _stands(name: str, content: str) -> bool:
    """Whether a name, perhaps cut short, stands in a text."""
    return re.sub(r" …$", "", name) in content


def _timeline(evidence: Evidence) -> tuple[Moment, ...]:
    """What happened in order: changes, the story, failures; the most telling ones where there are too many."""
    story = set(evidence.story)
    told = [
        line
        for line in evidence.lines
        if not {RAISED, FRAME, CALLED} & set(line.roles)
        and (line.id in story or line.level >= Level.ERROR or SERVED in line.roles or line.id == evidence.first_bad)
    ][:_MOMENTS]
    moments = [Moment(line.time, line.service, short(message_of(line), 160), line.id) for line in told]
    moments += [
        Moment(change.time, change.service, f"changed: {short(change.text, 140)}") for change in evidence.changes
    ]
    return tuple(sorted(moments, key=lambda moment: (moment.time, moment.line)))
