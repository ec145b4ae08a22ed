"""Words that several sentences of a diagnosis share: what was raised where, what a line is about."""

import re
from typing import Final

from index.diagnosis.findings import KnownFailureMatch, Origin, failed
from index.evidence.message_parts import call_in, code_in, message_of, short
from index.evidence.types import Evidence, EvidenceLine
from index.lines.source_times import SourceTimes
from index.lines.tracebacks import Frame
from models.findings import Finding
from models.records import Level
from models.rfc3339 import time_text

_MILLISECONDS: Final = 1_000
"""Milliseconds in a second."""

_SUBJECT: Final = 120
"""Characters of a call or message that are quoted, a judgement."""


_SENTENCE: Final = re.compile(r"(?<=[^\s.])[.;] |\n")
"""Where a sentence of a message ends."""

_SAID: Final = 140
"""Characters of the words of a known failure that are quoted, a judgement."""


def said_of(match: KnownFailureMatch) -> str:
    """Return the sentence of a line in which the words of a known failure stand, from these words on."""
    message = message_of(match.line)
    begin = message.find(match.words)
    said = message[begin:] if begin >= 0 else match.words
    return short(_SENTENCE.split(said, maxsplit=1)[0], _SAID)


def raised_in(origin: Origin) -> str:
    """Return what was raised and where, in a few words."""
    name = origin.trace.name if origin.trace is not None else ""
    return f"{name} in {place(origin.frames[0][0])}" if origin.frames else name


def place_of(subject: EvidenceLine | Finding | SourceTimes) -> str:
    """Return who wrote a line, is found odd, or wrote at some times, and on which host."""
    return f"{subject.service} on {subject.host}" if subject.host else subject.service


def lower_first(text: str) -> str:
    """Return a sentence so that it can go on behind a colon; names keep their capitals."""
    word = text.partition(" ")[0]
    return text if word[1:] != word[1:].lower() else text[:1].lower() + text[1:]


def place(frame: Frame) -> str:
    """Return a call, as people look it up."""
    return f"{frame.file}, line {frame.line}, in {frame.function}"


def subject(line: EvidenceLine | None) -> str:
    """Return what a line is about: its HTTP call, else its message."""
    if line is None:
        return "a step"
    return short(call_in(line), _SUBJECT) or short(message_of(line), _SUBJECT)


def duration(number: float, unit: str) -> str:
    """Return a duration as people write it: from a second on in seconds."""
    if unit == "ms" and number >= _MILLISECONDS:
        number, unit = number / _MILLISECONDS, "s"
    return f"{number:.3g} {unit}" if number < _MILLISECONDS else f"{number:,.0f} {unit}"


def answer(line: EvidenceLine | None) -> str:
    """Return what a line says was answered."""
    return f"{code_in(line)} to {subject(line)}" if line is not None and code_in(line) else subject(line)


def verb(origin: Origin) -> str:
    """Return what the service did where it began."""
    if failed(origin.line) or origin.trace is not None:
        return "failed"
    return "warned" if origin.line.level >= Level.WARNING else "wrote something new"


def often(evidence: Evidence) -> tuple[EvidenceLine, str] | None:
    """Return the line of what fails most often, and how often, since when and from where; None where nothing does."""
    frequent = evidence.frequent
    line = evidence.by_id().get(frequent.line) if frequent is not None else None
    if frequent is None or line is None:
        return None
    first, last = time_text(frequent.first), time_text(frequent.last)
    same_day = first[:10] == last[:10]
    begin, end = (text[11:19] if same_day else _dated(text) for text in (first, last))
    span = f"from {begin} to {end} UTC" if frequent.count > 1 else f"at {begin} UTC"
    times = f"{frequent.count:,} times" if frequent.count > 1 else "once"
    peer = ""
    if frequent.peers == 1:
        peer = (
            f", each time with {frequent.peer}" if frequent.peer_count == frequent.count else f", with {frequent.peer}"
        )
    elif frequent.peers:
        peer = f", most often with {frequent.peer} ({frequent.peer_count:,} times; {frequent.peers:,} peers in all)"
    return line, f"{times} {span}{peer}"


def _dated(text: str) -> str:
    """Return date and time; lines that name no year are read as of the first one there is."""
    return text[:19].replace("T", " ").removeprefix("1970-")


def often_said(line: EvidenceLine) -> str:
    """Return what a line has in common with all of its template, else its message."""
    return short(message_of(line) if not line.template else line.template, _SUBJECT)
