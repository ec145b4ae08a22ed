"""Which other services a failure hit: those whose errors something connects with it, not all that failed that day."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from index.diagnosis.findings import Findings, failed
from index.diagnosis.known_failures import KnownFailure
from index.evidence.message_parts import message_of
from index.evidence.types import Evidence, EvidenceLine
from index.lines.patterns import UUID
from index.lines.service_layers import names_of, project
from models.rfc3339 import SECOND

_BEFORE_US: Final = 60 * SECOND
"""Microseconds before the first bad line within which an error of another service may belong to it (a judgement)."""

_AFTER_US: Final = 300 * SECOND
"""Microseconds after it (a judgement)."""

_GENERIC: Final = frozenset(
    {
        *("api", "server", "agent", "compute", "volume", "scheduler", "conductor", "worker", "engine", "metadata"),
        *("dhcp", "l3", "wsgi", "backup", "service", "log", "daemon", "main", "access", "error"),
    }
)
"""Words of services' names that say nothing of which service it is."""

_LEAST_NAME: Final = 4
"""Characters from which on a word of a service's name is looked for in messages (a judgement)."""

_IDS: Final = re.compile(rf"(?i)(?:req-)?{UUID}")
_ZEROS: Final = re.compile(r"[0-]+")


def affected_services(evidence: Evidence, findings: Findings, service: str) -> tuple[str, ...]:
    """Return the services that a failure hit, in the order of the evidence; ``service`` is where it began.

    A service is hit if one of its errors belongs to the same request or shares an id with the first bad line, tells of
    the same known failure, or names the failing service or host (or is named by it) in the time around.
    """
    origin = findings.origin
    if origin is None:
        return ()
    anchors = [line for line in evidence.lines if origin.holds(line)] or [origin.line]
    match = findings.match
    # A failure that only another service tells of is what is to be connected, not what connects.
    failure = None if match is None or match.line.service not in {origin.line.service, service} else match.failure
    if match is not None and failure is not None:
        anchors.append(match.line)
    others = (line for line in evidence.lines if failed(line) and line.service not in {origin.line.service, service})
    return tuple(dict.fromkeys(line.service for line in others if _belongs(line, evidence, failure, anchors, service)))


def _belongs(
    line: EvidenceLine, evidence: Evidence, failure: KnownFailure | None, anchors: list[EvidenceLine], service: str
) -> bool:
    """Whether something connects an error of another service with where it began."""
    story = set(evidence.story)
    if line.id in story and any(anchor.id in story for anchor in anchors):
        return True
    if _ids(line.text) & {name for anchor in anchors for name in _ids(anchor.text)}:
        return True
    if not any(-_BEFORE_US <= line.time - anchor.time <= _AFTER_US for anchor in anchors):
        return False
    if failure is not None and failure.words_in(message_of(line), line.service):
        return True
    return any(
        _names(line, (anchor.service, service), anchor.host) or _names(anchor, (line.service,), line.host)
        for anchor in anchors
    )


def _ids(text: str) -> set[str]:
    return {name.lower() for name in _IDS.findall(text) if not _ZEROS.fullmatch(name)}


def _names(line: EvidenceLine, services: Iterable[str], host: str) -> bool:
    """Whether a message names one of some services, or a host other than its own."""
    names = {name for service in services if service for name in _telling_names(service, line.service)}
    if host and host != line.host:
        names.add(host.lower())
    message = message_of(line).lower()
    return any(re.search(rf"(?<![a-z0-9]){re.escape(name)}(?![a-z0-9])", message) for name in names)


@lru_cache(maxsize=4_096)
def _telling_names(service: str, writer: str) -> frozenset[str]:
    """Words by which messages of ``writer`` name a service: its name, and its project where that is another one."""
    own = project(writer)
    words = {word for word in names_of(service) if len(word) >= _LEAST_NAME and word not in _GENERIC}
    return frozenset({service.lower(), service.lower().replace("-", "_"), *(words - {own, *names_of(writer)})})
