"""Words that several sentences of a diagnosis share: what was raised where, what a line is about."""

from typing import Final

from index.diagnosis.findings import Origin, failed
from index.evidence.message_parts import call_in, code_in, message_of, short
from index.evidence.types import EvidenceLine
from index.lines.tracebacks import Frame
from models.records import Level

_SUBJECT: Final = 120
"""Characters of a call or message that are quoted, a judgement."""


def raised_in(origin: Origin) -> str:
    """Return what was raised and where, in a few words."""
    name = origin.trace.name if origin.trace is not None else ""
    return f"{name} in {place(origin.frames[0][0])}" if origin.frames else name


def place(frame: Frame) -> str:
    """Return a call, as people look it up."""
    return f"{frame.file}, line {frame.line}, in {frame.function}"


def subject(line: EvidenceLine | None) -> str:
    """Return what a line is about: its HTTP call, else its message."""
    if line is None:
        return "a step"
    return short(call_in(line), _SUBJECT) or short(message_of(line), _SUBJECT)


def answer(line: EvidenceLine | None) -> str:
    """Return what a line says was answered."""
    return f"{code_in(line)} to {subject(line)}" if line is not None and code_in(line) else subject(line)


def verb(origin: Origin) -> str:
    """Return what the service did where it began."""
    if failed(origin.line) or origin.trace is not None:
        return "failed"
    return "warned" if origin.line.level >= Level.WARNING else "wrote something new"
