"""From findings to a probable cause: in words, with a confidence, where it began, and what to do about it.

The first rule that applies gives the cause.  Their order, and why:

1. *defect*: an exception that wrong code raises explains itself; what else failed meanwhile does not explain it.
2. *silent source*: a service that stopped writing explains why others get no answer, so it goes before known failures
   of that sort, unless they say that another one was called, and before errors that match no known failure.
3. *restart*: a service was started again, and no line says that anything failed.
4. *behaviour*: a service that is slow or leaves a step out, where no line says outright that something failed.
5. *known failure*: a line matches an entry of the table of known failures.
6. *error*: the first bad line says that something is wrong, and no known failure explains it.
7. *other behaviour*: what only shows that something is unusual: refused requests, large numbers.
8. *first sign*: the first line of a kind that training did not see, which says nothing of a failure.

Where none applies the cause is unknown.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Generic, TypeVar

from index.diagnosis.called import called
from index.diagnosis.cause_texts import (
    STEPS,
    Cause,
    of_behaviour,
    of_defect,
    of_error,
    of_first_sign,
    of_match,
    of_restart,
    of_silent_source,
    unknown,
)
from index.diagnosis.findings import BehaviourFinding, Findings, KnownFailureMatch, Origin, failed
from index.evidence.types import Evidence
from index.lines.source_times import AWAY_US, SourceTimes
from models.findings import SILENCES

_NO_ANSWER: Final = frozenset(
    {
        *("messaging-timeout", "gateway-timeout", "bad-gateway", "connection-refused", "nova-compute-down"),
        *("cinder-service-down", "neutron-agent-down", "nova-no-valid-host", "cinder-no-backend", "nova-vif-timeout"),
    }
)
"""Known failures that a service which has stopped causes in others."""

Subject = TypeVar("Subject")


@dataclass(frozen=True, slots=True)
class _Rule(Generic[Subject]):
    """A rule: ``when`` returns what the cause would be about, None where it does not apply; ``make`` words it."""

    name: str
    when: Callable[[Evidence, Findings], Subject | None]
    make: Callable[[Evidence, Findings, Subject], Cause]

    def apply(self, evidence: Evidence, findings: Findings) -> Cause | None:
        """Return the cause, None where the rule does not apply."""
        about = self.when(evidence, findings)
        return None if about is None else self.make(evidence, findings, about)


def cause_of(evidence: Evidence, findings: Findings) -> Cause:
    """Return the most probable cause that the findings support; it is called unknown where they support none."""
    for rule in _RULES:
        cause = rule.apply(evidence, findings)
        if cause is not None:
            return replace(cause, rule=rule.name)
    return unknown(evidence)


def _defect(_: Evidence, findings: Findings) -> Origin | None:
    origin = findings.origin
    return origin if origin is not None and origin.defect else None


def _silent_source(evidence: Evidence, findings: Findings) -> BehaviourFinding | None:
    odd, match = findings.odd, findings.match
    if odd is None or odd.finding.kind not in SILENCES:
        return None
    if match is None:
        return odd
    return odd if match.failure.id in _NO_ANSWER and called(evidence, findings, match) is None else None


def _restart(evidence: Evidence, findings: Findings) -> SourceTimes | None:
    """The source that was started again: one of the incident's, else the one that was away for longest."""
    if findings.match is not None or (findings.origin is not None and findings.origin.strong):
        return None
    restarted = [
        (times.service in evidence.services, times.restart.until - times.restart.since, times)
        for times in evidence.sources
        if times.restart is not None
    ]
    ranked = [one for one in restarted if one[0] or one[1] >= AWAY_US]
    return max(ranked, key=lambda one: one[:2])[2] if ranked else None


def _behaviour(_: Evidence, findings: Findings) -> BehaviourFinding | None:
    said_outright = (findings.origin is not None and findings.origin.strong) or (
        findings.match is not None and failed(findings.match.line)
    )
    telling = findings.odd is not None and findings.odd.finding.kind in STEPS
    return findings.odd if telling and not said_outright else None


def _known_failure(_: Evidence, findings: Findings) -> KnownFailureMatch | None:
    return findings.match


def _error(_: Evidence, findings: Findings) -> Origin | None:
    origin = findings.origin
    return origin if origin is not None and origin.strong else None


def _other_behaviour(_: Evidence, findings: Findings) -> BehaviourFinding | None:
    return findings.odd


def _first_sign(_: Evidence, findings: Findings) -> Origin | None:
    return findings.origin


_RULES: Final[tuple[_Rule[Origin] | _Rule[BehaviourFinding] | _Rule[KnownFailureMatch] | _Rule[SourceTimes], ...]] = (
    _Rule("defect", _defect, of_defect),
    _Rule("silent source", _silent_source, of_silent_source),
    _Rule("restart", _restart, of_restart),
    _Rule("behaviour", _behaviour, of_behaviour),
    _Rule("known failure", _known_failure, of_match),
    _Rule("error", _error, of_error),
    _Rule("other behaviour", _other_behaviour, of_behaviour),
    _Rule("first sign", _first_sign, of_first_sign),
)
"""The rules in order of priority; the docstring of this module says why they stand so."""
