"""What to do next: from the table of known failures, from runbooks, and from what the evidence names."""

import re
from collections.abc import Iterable
from typing import Final

from index.evidence.message_parts import name_in, short
from index.evidence.types import Evidence, EvidenceLine
from index.lines.tracebacks import Frame
from index.search.documents import DocumentKind

_MAX: Final = 8
_RELATED: Final = 0.25
"""Score from which on a document of the memory has to do with the incident."""

_ITEM: Final = re.compile(r"^\s*(?:[-*+]|\d{1,2}[.)])\s+(.+)$", re.MULTILINE)
_KINDS: Final = ("request", "instance", "volume", "port")


def steps(
    evidence: Evidence, actions: Iterable[str], line: EvidenceLine | None, frame: Frame | None
) -> tuple[str, ...]:
    """Steps, the first thing first; ``line`` is the one that tells most, ``frame`` where the code failed."""
    names = _names(evidence, line)
    found = [_filled(action, names) for action in actions]
    found += _runbooks(evidence)
    if frame is not None:
        found.append(
            f"Read {frame.file} around line {frame.line} ({frame.function}) in the version that runs{_on(line)}."
        )
    if names["request"]:
        found.append(f"Follow the request through all services: grep {names['request']}")
    if evidence.changes:
        last = evidence.changes[-1]
        found.append(f"Check what changed shortly before in {last.service}: {short(last.text, 120)}")
    found += _past(evidence)
    if not found:
        found.append(_look(evidence, line))
    return tuple(dict.fromkeys(found))[:_MAX]


def _names(evidence: Evidence, line: EvidenceLine | None) -> dict[str, str]:
    """What the placeholders of actions stand for: as the telling line says, else as its story does."""
    by_id = evidence.by_id()
    story = [by_id[each] for each in evidence.story if each in by_id]
    lines = [each for each in (line, *story) if each is not None]
    names = {kind: next((name for each in lines if (name := name_in(each, kind))), "") for kind in _KINDS}
    names["host"] = next((each.host for each in lines if each.host), "")
    names["service"] = line.service if line is not None else ""
    return names


def _filled(action: str, names: dict[str, str]) -> str:
    for kind, name in names.items():
        action = action.replace(f"{{{kind}}}", name or f"<{kind}>")
    return action.replace("{{", "{").replace("}}", "}")


def _runbooks(evidence: Evidence) -> list[str]:
    """The steps of the best runbook; a page without a list is named."""
    pages = [each for each in evidence.similar if each.kind == DocumentKind.RUNBOOK and each.score >= _RELATED]
    out: list[str] = []
    for page in pages[:2]:
        items = [short(item, 200) for item in _ITEM.findall(page.text)][:3]
        out += [f"Runbook “{page.title}”: {item}" for item in items or [short(page.text, 200)]]
    return out


def _past(evidence: Evidence) -> list[str]:
    past = [each for each in evidence.similar if each.kind != DocumentKind.RUNBOOK and each.score >= _RELATED]
    return [f"Compare with {each.kind} {each.id}: {short(each.title or each.text, 120)}" for each in past[:1]]


def _on(line: EvidenceLine | None) -> str:
    return f" on {line.host}" if line is not None and line.host else ""


def _look(evidence: Evidence, line: EvidenceLine | None) -> str:
    service = line.service if line is not None else evidence.services[0] if evidence.services else ""
    where = f" of {service}" if service else ""
    return f"Look at the log{where} around the lines that are cited; no rule knows this failure."
