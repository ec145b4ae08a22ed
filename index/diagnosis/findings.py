"""What evidence comes down to: where it began, which known failure it tells of, what is odd in numbers and order."""

from dataclasses import dataclass
from typing import Final

from index.diagnosis.known_failures import KnownFailure, KnownFailures
from index.evidence.detector_findings import Behaviour, BehaviourKind, numbers_in, read_reasons
from index.evidence.message_parts import message_of
from index.evidence.selection import CALLED, FIRST_BAD, FRAME, LAST, ODD, OF_TRACE, RAISED, SERVED
from index.evidence.types import Evidence, EvidenceLine
from index.lines.service_layers import depth
from index.lines.tracebacks import Frame, Traceback, read_inline
from models.records import Level

_ON_ORIGIN: Final = 1.0
_IN_STORY: Final = 0.8
_ELSEWHERE: Final = 0.55
_WARNED: Final = 0.8

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
"""Share of the largest number from which on another one is as bad."""

_ORDER: Final = (
    BehaviourKind.SILENT,
    BehaviourKind.SLOW,
    BehaviourKind.REFUSED,
    BehaviourKind.MISSING,
    BehaviourKind.HIGH,
    BehaviourKind.RATE,
)
"""Which oddity says most about a cause, first."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where it began: the first bad line, with what was raised and where."""

    line: EvidenceLine
    raised: EvidenceLine | None
    trace: Traceback | None
    frames: tuple[tuple[Frame, EvidenceLine], ...]
    """Calls in the code of services, innermost first, each with the line that shows it."""

    @property
    def defect(self) -> bool:
        """Whether what was raised is what wrong code raises."""
        return self.trace is not None and self.trace.name in _DEFECTS

    @property
    def strong(self) -> bool:
        """Whether the line itself says that something is wrong, and not only that something is new."""
        return FIRST_BAD in self.line.roles

    def holds(self, line: EvidenceLine) -> bool:
        """Whether a line is the one where it began, or says what was raised there."""
        return line.id == self.line.id or (self.raised is not None and line.id == self.raised.id)


@dataclass(frozen=True, slots=True)
class KnownFailureMatch:
    """A known failure, the line that tells of it, the words that do, and how sure that is."""

    failure: KnownFailure
    line: EvidenceLine
    words: str
    confidence: float


@dataclass(frozen=True, slots=True)
class BehaviourFinding:
    """What a detector found, with a line that shows it and the number in it (0 without)."""

    behaviour: Behaviour
    line: EvidenceLine | None
    number: float

    @property
    def service(self) -> str:
        """Whom it is about."""
        return self.behaviour.service or (self.line.service if self.line else "")


@dataclass(frozen=True, slots=True)
class Findings:
    """All of it; None where there is none."""

    origin: Origin | None
    match: KnownFailureMatch | None
    odd: BehaviourFinding | None


def find(evidence: Evidence, table: KnownFailures) -> Findings:
    """Read the evidence."""
    origin = _origin(evidence)
    match = _match(evidence, origin, table)
    if match is not None and origin is not None and origin.defect and not origin.holds(match.line):
        # Code that is wrong explains itself; what else failed meanwhile does not explain it.
        match = None
    return Findings(origin, match, None if origin is not None and origin.defect else _odd(evidence))


def failed(line: EvidenceLine) -> bool:
    """Whether a line tells of a failure of its service."""
    return line.level >= Level.ERROR or SERVED in line.roles


def _origin(evidence: Evidence) -> Origin | None:
    line = evidence.by_id().get(evidence.first_bad or "")
    if line is None:
        return None
    raised = next((each for each in evidence.lines if RAISED in each.roles), None)
    shown = [each for role in (FRAME, CALLED) for each in evidence.lines if role in each.roles]
    frames = [
        (trace.frames[-1], each) for each in shown if (trace := read_inline(each.text)) is not None and trace.frames
    ]
    trace = read_inline(line.text)
    if trace is not None and not frames:
        frames = [(frame, line) for frame in trace.files(4)]
    if raised is not None:
        name, _, said = message_of(raised).strip().partition(": ")
        trace = Traceback(name.rstrip(":"), said, 0, tuple(frame for frame, _ in reversed(frames)))
    return Origin(line, raised, trace if trace is not None and trace.exception else None, tuple(frames))


def _match(evidence: Evidence, origin: Origin | None, table: KnownFailures) -> KnownFailureMatch | None:
    """The known failure that the evidence tells of best: where it began, else in its story, else anywhere."""
    story = set(evidence.story)
    best: KnownFailureMatch | None = None
    for line in evidence.lines:
        own = origin is not None and origin.holds(line)
        told = line.level >= Level.WARNING if own or line.id in story else failed(line)
        if not (told or SERVED in line.roles) or OF_TRACE - {RAISED} & set(line.roles):
            continue
        near = _ON_ORIGIN if own else _IN_STORY if line.id in story else _ELSEWHERE
        for failure, words in table.matches(message_of(line), line.service)[:3]:
            confidence = failure.confidence * near * (1.0 if line.level >= Level.ERROR else _WARNED)
            if best is None or confidence > best.confidence:
                best = KnownFailureMatch(failure, line, words, confidence)
    return best


def _odd(evidence: Evidence) -> BehaviourFinding | None:
    """The oddity that says most; of several slow services the one that the others call."""
    found = [_shown(each, evidence) for each in read_reasons(evidence.reasons)]
    ranked = [each for each in found if each.line is not None or each.behaviour.kind is BehaviourKind.SILENT]
    return min(
        ranked,
        key=lambda odd: (_ORDER.index(odd.behaviour.kind), *(-level for level in depth(odd.service))),
        default=None,
    )


def _shown(behaviour: Behaviour, evidence: Evidence) -> BehaviourFinding:
    role = ODD.get(behaviour.kind, "")
    if behaviour.kind is BehaviourKind.SILENT:
        mine = (line for line in evidence.lines if LAST in line.roles)
        return BehaviourFinding(
            behaviour, next((line for line in mine if line.service == behaviour.service), None), 0.0
        )
    lines = [line for line in evidence.lines if role in line.roles and line.template == behaviour.template]
    if behaviour.kind not in {BehaviourKind.SLOW, BehaviourKind.HIGH}:
        return BehaviourFinding(behaviour, lines[0] if lines else None, 0.0)
    found = [(max(numbers_in(message_of(line), behaviour.kind), default=0.0), line) for line in lines]
    worst = max((number for number, _ in found), default=0.0)
    # Who is called by others makes them slow too; one that is hardly slow itself does not.
    near = [(depth(line.service), number, line) for number, line in found if number >= _NEAR * worst]
    if not near:
        return BehaviourFinding(behaviour, None, 0.0)
    _, number, line = max(near, key=lambda each: each[:2])
    return BehaviourFinding(behaviour, line, number)
