"""The sentences of a diagnosis, each with the lines that it stands on, and checked against them."""

import re
from collections.abc import Sequence
from typing import Final

from index.diagnosis.findings import BehaviourFinding, Findings, KnownFailureMatch, Origin, failed
from index.diagnosis.types import Claim
from index.diagnosis.wording import often, often_said, place, subject
from index.evidence.detector_findings import MISSING
from index.evidence.message_parts import call_in, calls_in, code_in, message_of, name_in, short
from index.evidence.selection import OF_TRACE, SERVED
from index.evidence.types import Evidence, EvidenceLine
from models.findings import SILENCES, FindingKind
from models.records import Level
from models.rfc3339 import time_text

_HITS: Final = 5
"""Other services that fail and are named, a judgement."""

_REASONS: Final = 3
"""Reasons of detectors that become hypotheses, a judgement."""

_QUOTED: Final = 160
"""Characters of a message that are quoted, a judgement."""


def claims_of(evidence: Evidence, findings: Findings, affected: Sequence[str]) -> tuple[Claim, ...]:
    """Return what happened, where, to whom; what detectors report without a line to show is a hypothesis.

    ``affected`` are the other services that the failure hit; others that failed are said to be unconnected.
    """
    claims: list[Claim] = []
    origin = findings.origin
    if origin is not None:
        claims += _origin(origin)
    frequent = often(evidence)
    if frequent is not None and (origin is None or not origin.strong):
        line, times = frequent
        text = f"The most frequent warning or failure of {line.service} is “{often_said(line)}”: {times}."
        claims.append(Claim(text, (line.id,), verified=True))
    if findings.match is not None:
        claims.append(_known(findings.match))
    if findings.odd is not None and findings.odd.line is not None:
        claims.append(_odd(findings.odd, findings.odd.line))
    claims += _hits(evidence, origin, affected)
    claims += [
        Claim(f"The detectors say: {_ended(reason)}", (), verified=False) for reason in evidence.reasons[:_REASONS]
    ]
    return tuple(dict.fromkeys(claims))


def _origin(origin: Origin) -> list[Claim]:
    line = origin.line
    said = short(message_of(line), _QUOTED)
    claims = [checked(f"It began in {line.service}: “{said}”.", (line,), (line.service, said))]
    if line.count > 1:
        claims.append(checked(f"{line.service} wrote this {line.count} times.", (line,), (line.service,)))
    if origin.trace is not None and origin.raised is not None:
        name = origin.trace.exception
        what = short(f"{name}: {origin.trace.message}" if origin.trace.message else name, 200)
        claims.append(checked(f"{line.service} raised {_ended(what)}", (origin.raised,), (line.service, name)))
    for depth, (frame, shown_by) in enumerate(origin.frames):
        verb = "It was raised in" if depth == 0 else "It was called from"
        names = (frame.file, str(frame.line), frame.function)
        claims.append(checked(f"{verb} {place(frame)}.", (shown_by,), names))
    for kind in ("request", "instance", "volume", "port"):
        name = name_in(line, kind)
        if name:
            claims.append(checked(f"It concerns {kind} {name}.", (line,), (name,)))
    return claims


def _known(match: KnownFailureMatch) -> Claim:
    line, words = match.line, short(match.words, 120)
    text = f"{line.service} reports a known failure, “{match.failure.title}”: “{words}”."
    return checked(text, (line,), (line.service, words))


def _odd(odd: BehaviourFinding, line: EvidenceLine) -> Claim:
    finding = odd.finding
    names = (line.service, subject(line))
    if finding.kind is FindingKind.SLOW:
        number, unit = f"{odd.number:.3g}", finding.unit or "s"
        usual = f"{finding.usual or 0.0:.3g} {unit}"
        text = f"{line.service} took {number} {unit} for {subject(line)}, usually below {usual}."
        return checked(text, (line,), (*names, number[:3]))
    if finding.kind in SILENCES:
        text = f"The last that {line.service} wrote, at {time_text(line.time)}: “{subject(line)}”."
    elif finding.kind in MISSING:
        text = f"{line.service} wrote “{subject(line)}”, and what usually follows is missing."
    else:
        text = f"Unusual in {line.service}: “{subject(line)}”."
    return checked(text, (line,), names)


def _hits(evidence: Evidence, origin: Origin | None, affected: Sequence[str]) -> list[Claim]:
    """Who else fails, one line each, the affected first; and what the service where it began answers its callers."""
    first = origin.line if origin else None
    by_service: dict[str, EvidenceLine] = {}
    for line in evidence.lines:
        if failed(line) and not OF_TRACE & set(line.roles) and not (first and line.service == first.service):
            by_service.setdefault(line.service, line)
    ordered = sorted(by_service, key=lambda service: service not in affected)
    claims = [_fails(by_service[service], hit=service in affected) for service in ordered[:_HITS]]
    own = (line for line in evidence.lines if first and _answered(line) and line.service == first.service)
    return [*claims, *map(_served, list(own)[:1])]


def _fails(line: EvidenceLine, *, hit: bool) -> Claim:
    """What another service reports."""
    if _answered(line):
        return _served(line)
    said = short(message_of(line), _QUOTED)
    if hit:
        return checked(f"{line.service} fails as well: “{said}”.", (line,), (line.service, said))
    text = f"{line.service} reports an error of its own, which nothing connects with this: “{said}”."
    return checked(text, (line,), (line.service, said))


def _answered(line: EvidenceLine) -> bool:
    """Whether a line is that of the server that answered; a client that was answered so logs a warning or an error."""
    return SERVED in line.roles and line.level < Level.WARNING


def _served(line: EvidenceLine) -> Claim:
    code, call = code_in(line), short(call_in(line), 120)
    to = f" to {short(calls_in(line), 120)}" if call else ""
    times = f", {line.count} times" if line.count > 1 else ""
    return checked(f"{line.service} answered {code}{to}{times}.", (line,), (line.service, code, call))


def checked(text: str, lines: Sequence[EvidenceLine], names: Sequence[str]) -> Claim:
    """Return a claim; it is verified if every name in it stands in one of its lines."""
    content = " ".join(f"{line.service} {line.host} {' '.join(line.text.split())}" for line in lines)
    return Claim(text, tuple(line.id for line in lines), verified=all(_stands(name, content) for name in names))


def _stands(name: str, content: str) -> bool:
    """Whether a name, perhaps cut short, stands in a text."""
    return re.sub(r" …$", "", name) in content


def _ended(text: str) -> str:
    return text if text.endswith((".", "…")) else f"{text}."
