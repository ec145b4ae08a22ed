"""Which other services a failure hit: those whose errors something connects with it, not all that failed that day."""

from dataclasses import dataclass

from index.diagnosis.connections import ids_in, names, near
from index.diagnosis.findings import Findings, Origin, failed
from index.diagnosis.known_failures import KnownFailure
from index.evidence.message_parts import message_of
from index.evidence.types import Evidence, EvidenceLine


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
            line for line in evidence.lines if line.service == own and failed(line) and near(line, [origin.line])
        ]
        story = evidence.story if any(anchor.id in evidence.story for anchor in anchors) else ()
        return cls(
            service=service,
            anchors=tuple(anchors),
            story=frozenset(story),
            ids=frozenset(name for line in (*anchors, *further) for name in ids_in(line.text)),
            failure=match.failure if match is not None else None,
        )

    def hold(self, line: EvidenceLine) -> bool:
        """Return whether an error of another service is connected."""
        if line.id in self.story or ids_in(line.text) & self.ids:
            return True
        if not near(line, self.anchors):
            return False
        if self.failure is not None and self.failure.words_in(message_of(line), line.service):
            return True
        return any(
            names(line, (anchor.service, self.service), anchor.host) or names(anchor, (line.service,), line.host)
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
    first = origin.line.service
    # Where it shows first is hit as well, if something else is to blame.
    own = (first,) if first != service and failed(origin.line) else ()
    others = (
        line.service
        for line in evidence.lines
        if failed(line) and line.service not in {first, service} and bonds.hold(line)
    )
    return tuple(dict.fromkeys((*own, *others)))
