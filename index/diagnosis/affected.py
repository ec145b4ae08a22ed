"""Which other services a failure hit: those whose errors something connects with it, not all that failed that day."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from index.diagnosis.findings import Findings, Origin, failed
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


@dataclass(frozen=True, slots=True)
class _Bonds:
    """What may connect an error with where it began."""

    service: str
    """Where it began."""
    anchors: tuple[EvidenceLine, ...]
    """The first bad line, what was raised there, and the line that matches a known failure."""
    story: frozenset[str]
    """Ids of the lines of the anchors' story; empty where no anchor is part of it."""
    ids: frozenset[str]
    """Requests and things that the anchors, and further errors of the service around them, are about."""
    failure: KnownFailure | None

    @classmethod
    def of(cls, evidence: Evidence, findings: Findings, origin: Origin, service: str) -> "_Bonds":
        """Return what connects errors with the origin."""
        own = origin.line.service
        anchors = [line for line in evidence.lines if origin.holds(line)]
        # A failure that only another service tells of is what is to be connected, not what connects.
        match = findings.match if findings.match and findings.match.line.service in {own, service} else None
        if match is not None:
            anchors.append(match.line)
        # Calls fail by the same failure one after the other, each with a request of its own.
        further = [
            line for line in evidence.lines if line.service == own and failed(line) and _near(line, [origin.line])
        ]
        story = evidence.story if any(anchor.id in evidence.story for anchor in anchors) else ()
        return cls(
            service=service,
            anchors=tuple(anchors),
            story=frozenset(story),
            ids=frozenset(name for line in (*anchors, *further) for name in _ids(line.text)),
            failure=match.failure if match is not None else None,
        )

    def hold(self, line: EvidenceLine) -> bool:
        """Return whether an error of another service is connected."""
        if line.id in self.story or _ids(line.text) & self.ids:
            return True
        if not _near(line, self.anchors):
            return False
        if self.failure is not None and self.failure.words_in(message_of(line), line.service):
            return True
        return any(
            _names(line, (anchor.service, self.service), anchor.host) or _names(anchor, (line.service,), line.host)
            for anchor in self.anchors
        )


def affected_services(evidence: Evidence, findings: Findings, service: str) -> tuple[str, ...]:
    """Return the services that a failure hit, in the order of the evidence; ``service`` is where it began.

    A service is hit if one of its errors shares a request or another id with the first bad line, or with a further
    error of the same service in the time around; if it tells of the same known failure; or if it names the failing
    service or host, or is named by it, in the time around.
    """
    origin = findings.origin
    if origin is None:
        return ()
    bonds = _Bonds.of(evidence, findings, origin, service)
    own = {origin.line.service, service}
    others = (line.service for line in evidence.lines if failed(line) and line.service not in own and bonds.hold(line))
    return tuple(dict.fromkeys(others))


def _near(line: EvidenceLine, anchors: Iterable[EvidenceLine]) -> bool:
    """Whether a line is in the time around one of some others."""
    return any(-_BEFORE_US <= line.time - anchor.time <= _AFTER_US for anchor in anchors)


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
