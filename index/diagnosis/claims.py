"""The sentences of a diagnosis, each with the lines that it stands on, and checked against them."""

import re
from collections.abc import Sequence
from typing import Final

from index.diagnosis.causes import place, subject
from index.diagnosis.findings import BehaviourFinding, Findings, KnownFailureMatch, Origin, failed
from index.diagnosis.types import Claim
from index.evidence.detector_findings import BehaviourKind
from index.evidence.message_parts import call_in, code_in, message_of, name_in, short
from index.evidence.selection import OF_TRACE, SERVED
from index.evidence.types import Evidence, EvidenceLine
from models.records import Level
from models.rfc3339 import time_text

_HITS: Final = 5
_REASONS: Final = 3


def claims_of(evidence: Evidence, findings: Findings) -> tuple[Claim, ...]:
    """What happened, where, to whom; what detectors say without a line to show is a hypothesis."""
    found: list[Claim] = []
    origin = findings.origin
    if origin is not None:
        found += _origin(origin)
    if findings.match is not None:
        found.append(_known(findings.match))
    if findings.odd is not None and findings.odd.line is not None:
        found.append(_odd(findings.odd))
    found += _hits(evidence, origin)
    found += [
        Claim(f"The detectors say: {_ended(reason)}", (), verified=False) for reason in evidence.reasons[:_REASONS]
    ]
    return tuple(dict.fromkeys(found))


def _origin(origin: Origin) -> list[Claim]:
    line = origin.line
    said = short(message_of(line), 160)
    found = [checked(f"It began in {line.service}: “{said}”.", (line,), (line.service, said))]
    if line.count > 1:
        found.append(checked(f"{line.service} wrote this {line.count} times.", (line,), (line.service,)))
    if origin.trace is not None and origin.raised is not None:
        name = origin.trace.exception
        what = short(f"{name}: {origin.trace.message}" if origin.trace.message else name, 200)
        found.append(checked(f"{line.service} raised {_ended(what)}", (origin.raised,), (line.service, name)))
    for n, (frame, at) in enumerate(origin.frames):
        verb = "It was raised in" if n == 0 else "It was called from"
        found.append(checked(f"{verb} {place(frame)}.", (at,), (frame.file, str(frame.line), frame.function)))
    for kind in ("request", "instance", "volume", "port"):
        name = name_in(line, kind)
        if name:
            found.append(checked(f"It concerns {kind} {name}.", (line,), (name,)))
    return found


def _known(match: KnownFailureMatch) -> Claim:
    line, words = match.line, short(match.words, 120)
    text = f"{line.service} tells of a known failure, “{match.failure.title}”: “{words}”."
    return checked(text, (line,), (line.service, words))


def _odd(odd: BehaviourFinding) -> Claim:
    line, behaviour = odd.line, odd.behaviour
    assert line is not None  # noqa: S101 - asked for only where there is one
    names = (line.service, subject(line))
    match behaviour.kind:
        case BehaviourKind.SLOW:
            number = f"{odd.number:.3g}"
            text = f"{line.service} took {number} s for {subject(line)}, usually below {behaviour.usual:.3g} s."
            return checked(text, (line,), (*names, number[:3]))
        case BehaviourKind.SILENT:
            text = f"The last that {line.service} wrote, at {time_text(line.time)}: “{subject(line)}”."
            return checked(text, (line,), names)
        case BehaviourKind.MISSING:
            return checked(
                f"{line.service} wrote “{subject(line)}”, and what usually follows is missing.", (line,), names
            )
        case _:
            return checked(f"Unusual in {line.service}: “{subject(line)}”.", (line,), names)


def _hits(evidence: Evidence, origin: Origin | None) -> list[Claim]:
    """Who else fails, one line each; and what the service where it began answers its callers."""
    first = origin.line if origin else None
    told = {first.service} if first else set()
    found: list[Claim] = []
    for line in evidence.lines:
        if line.service in told or not failed(line) or OF_TRACE & set(line.roles):
            continue
        told.add(line.service)
        said = short(message_of(line), 160)
        text = f"{line.service} fails as well: “{said}”."
        found.append(_served(line) if _answered(line) else checked(text, (line,), (line.service, said)))
        if len(found) >= _HITS:
            break
    answered = (each for each in evidence.lines if first and _answered(each) and each.service == first.service)
    return [*found, *map(_served, list(answered)[:1])]


def _answered(line: EvidenceLine) -> bool:
    """Whether a line is that of the one who answered; who was answered so complains."""
    return SERVED in line.roles and line.level < Level.WARNING


def _served(line: EvidenceLine) -> Claim:
    code, call = code_in(line), short(call_in(line), 120)
    to = f" to {call}" if call else ""
    times = f", {line.count} times" if line.count > 1 else ""
    return checked(f"{line.service} answered {code}{to}{times}.", (line,), (line.service, code, call))


def checked(text: str, lines: Sequence[EvidenceLine], names: Sequence[str]) -> Claim:
    """A claim, verified if every name in it stands in one of its lines."""
    content = " ".join(f"{line.service} {line.host} {' '.join(line.text.split())}" for line in lines)
    return Claim(text, tuple(line.id for line in lines), verified=all(_stands(name, content) for name in names))


def _stands(name: str, content: str) -> bool:
    """Whether a name, perhaps cut short, stands in a text."""
    return re.sub(r" …$", "", name) in content


def _ended(text: str) -> str:
    return text if text.endswith((".", "…")) else f"{text}."
