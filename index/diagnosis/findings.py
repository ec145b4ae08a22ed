"""What evidence comes down to: where it began, which known failure it matches, what is unusual in numbers and order."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from index.diagnosis.connections import ids_in, names, near
from index.diagnosis.known_failures import KnownFailure, KnownFailures
from index.evidence.detector_findings import numbers_in, shown_by_lines
from index.evidence.message_parts import message_of
from index.evidence.request_trace import CLOCK_SKEW_US
from index.evidence.selection import CALLED, FIRST_BAD, FRAME, LAST, ODD, OF_TRACE, RAISED, SERVED
from index.evidence.types import Evidence, EvidenceLine
from index.lines.service_layers import depth, project
from index.lines.tracebacks import Frame, Traceback, read_inline
from models.findings import SILENCES, Finding, FindingKind
from models.records import Level

# Factors on the confidence of a known failure, by where its line stands and how severe it is: judgements.
_ON_ORIGIN: Final = 1.0
_IN_STORY: Final = 0.8
"""Of the same request, or of the same project at the same moment."""
_ELSEWHERE: Final = 0.55
_WARNED: Final = 0.8

_WITNESSES: Final = 2
"""Further services that report the failure of a backend from which on it is as sure as where it began: a judgement."""

_EXPLAINS: Final = 0.25
"""Confidence from which on a failure that names who is to blame goes before its consequences: a judgement."""

BACKENDS: Final = frozenset(("rabbitmq", "mysql", "memcached", "keystone", "ceph", "placement"))
"""What many services use; what one alone cannot reach may be well."""

_TRIED: Final = 3
"""Known failures of one line that are tried, the surest first: a judgement."""

_INLINE_FRAMES: Final = 4
"""Calls of a traceback on one line that are named, a judgement."""

_DEFECTS: Final = frozenset(
    {
        *("TypeError", "AttributeError", "KeyError", "NameError", "ValueError", "IndexError", "LookupError"),
        *("UnboundLocalError", "AssertionError", "NotImplementedError", "RecursionError", "ZeroDivisionError"),
        *("UnicodeDecodeError", "UnicodeEncodeError", "OverflowError", "SyntaxError", "IndentationError"),
        *("StopIteration", "RuntimeError", "Exception", "KeyTypeError", "ElementTypeError"),
    }
)
"""Exceptions that code raises when it is wrong or gets what it does not expect; an outage looks otherwise."""

_NEAR: Final = 0.3
"""Share of the largest number from which another one is as bad, a judgement."""

_RANK: Final = {
    FindingKind.HOST_SILENT: 0,
    FindingKind.SILENT: 1,
    FindingKind.SLOW: 2,
    FindingKind.REFUSED: 3,
    FindingKind.MISSING_FOLLOW_UP: 4,
    FindingKind.FEWER_FOLLOW_UPS: 4,
    FindingKind.LARGE_VALUE: 5,
}
"""Which kind of finding says most about a cause: the lowest."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where it began: the first bad line, with the exception and where it was raised."""

    line: EvidenceLine
    raised: EvidenceLine | None
    trace: Traceback | None
    frames: tuple[tuple[Frame, EvidenceLine], ...]
    """Calls in the code of services, innermost first, each with the line that shows it."""

    @property
    def defect(self) -> bool:
        """Whether the exception is one that wrong code raises."""
        return self.trace is not None and self.trace.name in _DEFECTS

    @property
    def strong(self) -> bool:
        """Whether the line says that something is wrong, and not only that something is new."""
        return FIRST_BAD in self.line.roles

    def holds(self, line: EvidenceLine) -> bool:
        """Return whether a line is the one where it began, or the one with the exception raised there."""
        return line.id == self.line.id or (self.raised is not None and line.id == self.raised.id)


@dataclass(frozen=True, slots=True)
class KnownFailureMatch:
    """A known failure, the line that matches it, the words that do, and a confidence from 0 to 1."""

    failure: KnownFailure
    line: EvidenceLine
    words: str
    confidence: float


@dataclass(frozen=True, slots=True)
class BehaviourFinding:
    """A finding of a detector, with a line that shows it and the unusual number in that line (0 without)."""

    finding: Finding
    line: EvidenceLine | None
    number: float

    @property
    def service(self) -> str:
        """The service that it is about; "" where unknown."""
        return self.finding.service or (self.line.service if self.line else "")

    @property
    def place(self) -> str:
        """The service and its host, as far as they are known."""
        host = self.finding.host or (self.line.host if self.line else "")
        return f"{self.service} on {host}" if host and self.service else self.service


@dataclass(frozen=True, slots=True)
class Findings:
    """What the evidence comes down to; None for what there is none of."""

    origin: Origin | None
    match: KnownFailureMatch | None
    odd: BehaviourFinding | None


def find(evidence: Evidence, table: KnownFailures) -> Findings:
    """Return what the evidence comes down to; ``table`` holds the known failures."""
    origin = _origin(evidence)
    match = _match(evidence, origin, table)
    if match is not None and origin is not None and origin.defect and not origin.holds(match.line):
        # Code that is wrong explains itself; what else failed meanwhile does not explain it.
        match = None
    return Findings(origin, match, None if origin is not None and origin.defect else _odd(evidence))


def failed(line: EvidenceLine) -> bool:
    """Return whether a line reports a failure of its service."""
    return line.level >= Level.ERROR or SERVED in line.roles


def _origin(evidence: Evidence) -> Origin | None:
    line = evidence.by_id().get(evidence.first_bad or "")
    if line is None:
        return None
    raised = next((other for other in evidence.lines if RAISED in other.roles), None)
    shown = [other for role in (FRAME, CALLED) for other in evidence.lines if role in other.roles]
    frames = [
        (trace.frames[-1], other) for other in shown if (trace := read_inline(other.text)) is not None and trace.frames
    ]
    trace = read_inline(line.text)
    if trace is not None and not frames:
        frames = [(frame, line) for frame in trace.files(_INLINE_FRAMES)]
    if raised is not None:
        name, _, said = message_of(raised).strip().partition(": ")
        trace = Traceback(name.rstrip(":"), said, 0, tuple(frame for frame, _ in reversed(frames)))
    return Origin(line, raised, trace if trace is not None and trace.exception else None, tuple(frames))


def _match(evidence: Evidence, origin: Origin | None, table: KnownFailures) -> KnownFailureMatch | None:
    """The known failure that the evidence matches best: where it began, else in its story, else where it is connected.

    What only follows from other failures explains them no further: it gives way to one that names who is to blame.
    """
    matches = _witnessed(list(_matches(evidence, origin, table)))
    best = max(matches, key=lambda match: match.confidence, default=None)
    if best is None or not best.failure.symptom:
        return best
    telling = [match for match in matches if not match.failure.symptom and match.failure.origin]
    telling = [match for match in telling if match.confidence >= _EXPLAINS]
    return max(telling, key=lambda match: match.confidence, default=best)


def _witnessed(matches: list[KnownFailureMatch]) -> list[KnownFailureMatch]:
    """Return matches, surer where several services report that the same backend fails, wherever it showed first."""
    told_by: dict[str, set[str]] = {}
    for match in matches:
        told_by.setdefault(match.failure.id, set()).add(match.line.service)
    return [
        replace(match, confidence=max(match.confidence, match.failure.confidence * _IN_STORY))
        if match.failure.origin in BACKENDS and len(told_by[match.failure.id]) > _WITNESSES and failed(match.line)
        else match
        for match in matches
    ]


def _matches(evidence: Evidence, origin: Origin | None, table: KnownFailures) -> Iterator[KnownFailureMatch]:
    story = set(evidence.story)
    for line in evidence.lines:
        own = origin is not None and origin.holds(line)
        near_origin = own or line.id in story
        if not _bad(line, origin, own=own, near_origin=near_origin) and SERVED not in line.roles:
            continue
        if OF_TRACE - {RAISED} & set(line.roles):
            continue
        if line.time < evidence.start - CLOCK_SKEW_US:
            continue
        beside = origin is not None and _beside(line, origin.line)
        place = _ON_ORIGIN if own else _IN_STORY if line.id in story or beside else _ELSEWHERE
        for failure, words in table.matches(message_of(line), line.service)[:_TRIED]:
            if near_origin or origin is None or _connected(line, failure, origin):
                confidence = failure.confidence * place * (1.0 if line.level >= Level.ERROR else _WARNED)
                yield KnownFailureMatch(failure, line, words, confidence)


def _beside(line: EvidenceLine, first: EvidenceLine) -> bool:
    """Whether a line is of the project in which it began, and of the same moment."""
    same = line.service == first.service or project(line.service) == project(first.service) != ""
    return same and abs(line.time - first.time) <= CLOCK_SKEW_US


def _bad(line: EvidenceLine, origin: Origin | None, *, own: bool, near_origin: bool) -> bool:
    """Whether a line may tell of the failure: where nothing is an error, at any level, as refusals often are INFO."""
    if own or (line.level >= Level.WARNING if near_origin else failed(line)):
        return True
    if origin is None or failed(origin.line):
        return False
    return near(line, [origin.line]) and project(line.service) == project(origin.line.service) != ""


def _connected(line: EvidenceLine, failure: KnownFailure, origin: Origin) -> bool:
    """Whether something connects a failure elsewhere with where it began: more than that it was on the same day."""
    first = origin.line
    if not ids_in(line.text).isdisjoint(ids_in(first.text)):
        return True
    if not near(line, [first]):
        return False
    same = line.service == first.service or project(line.service) == project(first.service) != ""
    named = names(line, (first.service,), first.host) or names(first, (line.service,), line.host)
    return same or named or failure.origin in BACKENDS


def _odd(evidence: Evidence) -> BehaviourFinding | None:
    """The finding that says most; of several slow services the one that the others call."""
    candidates = [_with_line(finding, evidence) for finding in shown_by_lines(evidence.findings)]
    ranked = [odd for odd in candidates if odd.line is not None or odd.finding.kind in SILENCES]
    return min(
        ranked,
        key=lambda odd: (_RANK[odd.finding.kind], *(-level for level in depth(odd.service))),
        default=None,
    )


def _with_line(finding: Finding, evidence: Evidence) -> BehaviourFinding:
    """A finding with the line of the evidence that shows it best, None where none does."""
    if finding.kind in SILENCES:
        of_host = finding.kind is FindingKind.HOST_SILENT
        last = (line for line in evidence.lines if LAST in line.roles)
        own = (line for line in last if (line.host == finding.host if of_host else line.service == finding.service))
        return BehaviourFinding(finding, next(own, None), 0.0)
    role = ODD[finding.kind]
    lines = [line for line in evidence.lines if role in line.roles and line.template == finding.template]
    if finding.kind not in {FindingKind.SLOW, FindingKind.LARGE_VALUE}:
        return BehaviourFinding(finding, lines[0] if lines else None, 0.0)
    numbers = [max(numbers_in(message_of(line), finding.kind), default=0.0) for line in lines]
    worst = max(numbers, default=0.0)
    # Who is called by others makes them slow too; one that is hardly slow itself does not.
    near = [
        (depth(line.service), number, line)
        for number, line in zip(numbers, lines, strict=True)
        if number >= _NEAR * worst
    ]
    if not near:
        return BehaviourFinding(finding, None, 0.0)
    _, number, line = max(near, key=lambda candidate: candidate[:2])
    return BehaviourFinding(finding, line, number)
