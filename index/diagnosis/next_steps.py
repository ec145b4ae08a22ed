"""What to do next: from the table of known failures, from runbooks, and from what the evidence names."""

import re
from collections.abc import Iterable
from typing import Final

from index.diagnosis.known_failures import fill
from index.evidence.message_parts import name_in, short
from index.evidence.types import Evidence, EvidenceLine
from index.lines.tracebacks import Frame
from index.search.documents import DocumentKind

_MAX: Final = 8
"""Steps of a diagnosis, a judgement."""

_RELATED: Final = 0.25
"""Score (cosine) from which a document of the search index is related to the incident, a judgement."""

_ITEM: Final = re.compile(r"^\s*(?:[-*+]|\d{1,2}[.)])\s+(.+)$", re.MULTILINE)
_KINDS: Final = ("request", "instance", "volume", "port")


def steps(
    evidence: Evidence, actions: Iterable[str], line: EvidenceLine | None, frame: Frame | None
) -> tuple[str, ...]:
    """Return the steps in order; ``line`` is the most important one, ``frame`` where the code failed."""
    names = _names(evidence, line)
    following = [fill(action, names) for action in actions]
    following += _runbooks(evidence)
    if frame is not None:
        following.append(
            f"Read {frame.file} around line {frame.line} ({frame.function}) in the version that runs{_on(line)}."
        )
    if names["request"]:
        following.append(f"Follow the request through all services: grep {names['request']}")
    if evidence.changes:
        last = evidence.changes[-1]
        following.append(f"Check what changed shortly before in {last.service}: {short(last.text, 120)}")
    following += _past(evidence)
    if not following:
        following.append(_look(evidence, line))
    return tuple(dict.fromkeys(following))[:_MAX]


def _names(evidence: Evidence, line: EvidenceLine | None) -> dict[str, str]:
    """What the placeholders of actions stand for: as ``line`` says, else as the story does."""
    by_id = evidence.by_id()
    story = [by_id[name] for name in evidence.story if name in by_id]
    lines = story if line is None else [line, *story]
    names = {kind: next((name for one in lines if (name := name_in(one, kind))), "") for kind in _KINDS}
    names["host"] = next((one.host for one in lines if one.host), "")
    names["service"] = line.service if line is not None else ""
    return names


def _runbooks(evidence: Evidence) -> list[str]:
    """The steps of the best runbook; a page without a list is named."""
    pages = [page for page in evidence.similar if page.kind == DocumentKind.RUNBOOK and page.score >= _RELATED]
    out: list[str] = []
    for page in pages[:2]:
        items = [short(item, 200) for item in _ITEM.findall(page.text)][:3]
        out += [f"Runbook “{page.title}”: {item}" for item in items or [short(page.text, 200)]]
    return out


def _past(evidence: Evidence) -> list[str]:
    past = [other for other in evidence.similar if other.kind != DocumentKind.RUNBOOK and other.score >= _RELATED]
    return [f"Compare with {other.kind} {other.id}: {short(other.title or other.text, 120)}" for other in past[:1]]


def _on(line: EvidenceLine | None) -> str:
    return f" on {line.host}" if line is not None and line.host else ""


def _look(evidence: Evidence, line: EvidenceLine | None) -> str:
    service = line.service if line is not None else evidence.services[0] if evidence.services else ""
    where = f" of {service}" if service else ""
    return f"Look at the log{where} around the lines that are cited; no rule knows this failure."
