"""Who did not answer: the service that was called, as the line of a failed call and its traceback name it."""

from collections import Counter
from typing import Final

from index.diagnosis.findings import Findings, KnownFailureMatch
from index.evidence.types import Evidence
from index.lines.callees import callee
from models.rfc3339 import SECOND

_TOGETHER_US: Final = 2 * SECOND
"""Microseconds around a failed call in which the same service tells of it (a judgement)."""


def called(evidence: Evidence, findings: Findings, match: KnownFailureMatch) -> str:
    """Return the service that did not answer, the one that most lines of the failed call name; "" where none does."""
    line = match.line
    origin = findings.origin
    frames = origin.frames if origin is not None and origin.holds(line) else ()
    texts = [line.text, *(f"{frame.file}" for frame, _ in frames)]
    texts += [
        other.text
        for other in evidence.lines
        if other.service == line.service and other.host == line.host and abs(other.time - line.time) <= _TOGETHER_US
    ]
    named = Counter(name for text in texts if (name := callee(text, line.service)))
    return named.most_common(1)[0][0] if named else ""
