"""A diagnosis as a page of Markdown, for whoever is woken by it: what, where, why, proof, what to do."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from index.diagnosis.types import Diagnosis, Mode
from index.evidence.types import Evidence, EvidenceLine
from index.text.sanitize import escape_control
from models.rfc3339 import time_text

PROOF: Final = 20
"""Lines that are shown; the JSON form has all."""

_TEXT: Final = 400
"""Characters of a line that are shown (a judgement)."""

_FILES: Final = 10
"""Files without text that are named (a judgement)."""

_TICKS: Final = re.compile("`+")

_MODES: Final = {
    Mode.DETERMINISTIC: "rules, without a language model",
    Mode.TWIN: "a past incident that is like this one",
    Mode.LLM: "a language model, checked against the lines",
}


@dataclass(frozen=True, slots=True)
class About:
    """What was analysed and how."""

    issue: str
    files: int
    lines: int
    refused: int
    ranking: str
    """By what lines were ranked, and ``fast`` or ``hybrid``."""
    judge: str = ""
    """A sentence: which bundle judged, or that none did."""
    unreadable: tuple[str, ...] = ()
    """Names of the files that hold no text."""


def report(about: About, evidence: Evidence, diagnosis: Diagnosis, others: Sequence[str] = ()) -> str:
    """Write the page; ``others`` is what else is in the logs, a phrase each."""
    return "\n".join(_lines(about, evidence, diagnosis, others)) + "\n"


def _lines(about: About, evidence: Evidence, diagnosis: Diagnosis, others: Sequence[str]) -> Iterator[str]:
    yield f"# {escape_control(about.issue)}"
    yield ""
    yield f"**What happened.** {escape_control(diagnosis.summary)}"
    yield ""
    yield f"**Where it began.** {escape_control(diagnosis.service) or 'unknown'}{_also(diagnosis)}"
    yield ""
    yield f"**Why.** {escape_control(diagnosis.cause)} (confidence {diagnosis.confidence:.0%})"
    if others:
        yield ""
        yield from (f"- Also in these logs: {escape_control(other)}." for other in others)
    if diagnosis.actions:
        yield from ("", "## Next steps", "")
        yield from (f"{number}. {escape_control(action)}" for number, action in enumerate(diagnosis.actions, 1))
    if diagnosis.claims:
        yield from ("", "## Findings", "")
        for claim in diagnosis.claims:
            guess = "" if claim.verified else "Hypothesis: "
            yield f"- {guess}{escape_control(claim.text)}{_cited(claim.lines)}"
    yield from ("", "## Proof", "")
    yield from _proof(evidence)
    if diagnosis.timeline:
        yield from ("", "## Timeline", "")
        for moment in diagnosis.timeline:
            cited = _cited((moment.line,) if moment.line else ())
            yield f"- {time_text(moment.time)} {escape_control(moment.service)}: {escape_control(moment.text)}{cited}"
    if evidence.reasons:
        yield from ("", "## What the detectors say", "")
        yield from (f"- {escape_control(reason)}" for reason in evidence.reasons)
    if evidence.similar:
        yield from ("", "## Like it", "")
        yield from (
            f"- {similar.kind} {escape_control(similar.title or similar.id)} ({similar.score:.2f})"
            for similar in evidence.similar
        )
    yield from ("", "---", "")
    yield _foot(about, diagnosis)


def _also(diagnosis: Diagnosis) -> str:
    others = [escape_control(name) for name in diagnosis.services if name != diagnosis.service]
    return f"; it hit {', '.join(others)}" if others else ""


def _cited(lines: Sequence[str]) -> str:
    return f" [{', '.join(lines)}]" if lines else ""


def _proof(evidence: Evidence) -> Iterator[str]:
    if not evidence.lines:
        yield "No line is about the issue."
        return
    for line in evidence.lines[:PROOF]:
        times = f", {line.count} times" if line.count > 1 else ""
        why = f" ({', '.join(line.roles)})" if line.roles else ""
        first = " **first bad**" if line.id == evidence.first_bad else ""
        yield f"- {line.id}{first} {escape_control(line.source)}:{line.offset + 1}{times}{why}"
        yield from _quoted(line)
    left = len(evidence.lines) - PROOF
    if left > 0:
        yield f"- … and {left} more; --json has all"


def _quoted(line: EvidenceLine) -> Iterator[str]:
    text = escape_control(line.text)
    shown = text if len(text) <= _TEXT else f"{text[:_TEXT]} …"
    # A fence longer than any in the text: a line must not end its own quotation.
    longest = max(map(len, _TICKS.findall(shown)), default=0)
    fence = "`" * max(3, longest + 1)
    yield from (f"  {fence}", f"  {shown}", f"  {fence}")


def _foot(about: About, diagnosis: Diagnosis) -> str:
    refused = f" ({about.refused:,} not understood)" if about.refused else ""
    model = f", {diagnosis.model}" if diagnosis.model else ""
    cost = f", ${diagnosis.cost_usd:.4f}" if diagnosis.cost_usd else ""
    notes = "".join(f"  \n{escape_control(note)}" for note in (_left_out(about), about.judge, diagnosis.note) if note)
    files = f"{about.files} file{'s' if about.files != 1 else ''}"
    return (
        f"{about.lines:,} lines of {files}{refused}; ranked by {about.ranking};"
        f" explained by {_MODES[diagnosis.mode]}{model}{cost}; {diagnosis.seconds:.1f} s.{notes}"
    )


def _left_out(about: About) -> str:
    if not about.unreadable:
        return ""
    count = len(about.unreadable)
    more = f" and {count - _FILES} more" if count > _FILES else ""
    what = "1 file" if count == 1 else f"{count} files"
    return (
        f"Left out {what} in which no text can be read (binary or noise): {', '.join(about.unreadable[:_FILES])}{more}."
    )
