"""Causes: which rule gives the cause where several apply."""

from dataclasses import replace

import pytest

from index.diagnosis.causes import cause_of
from index.diagnosis.findings import BehaviourFinding, Findings, KnownFailureMatch, Origin
from index.diagnosis.known_failures import KnownFailure, shipped
from index.evidence.selection import FIRST_BAD
from index.evidence.types import Evidence, EvidenceLine
from index.lines.tracebacks import Traceback
from models.findings import Finding, FindingKind
from models.records import Level
from tests.index.cloud import NOON

CALM = EvidenceLine("L1", "f.log", 0, 3, NOON, "nova-api", "", Level.INFO, "text", "text", 1, 5.0)
BAD = replace(CALM, level=Level.ERROR, roles=(FIRST_BAD,))
EVIDENCE = Evidence("cloud", ("nova-api",), NOON, NOON, (), (CALM,))

SIGN = Origin(CALM, None, None, ())
ERROR = Origin(BAD, None, None, ())
DEFECT = replace(ERROR, trace=Traceback("TypeError", "wrong", 0, ()))


def odd(kind: FindingKind) -> BehaviourFinding:
    """A finding of a kind that a line shows."""
    finding = Finding(kind, "text", "next", value=9.0, usual=1.0, service="cinder-volume")
    return BehaviourFinding(finding, CALM, 9.0)


def match(name: str, line: EvidenceLine = BAD) -> KnownFailureMatch:
    """A known failure that a line matches."""
    failure: KnownFailure = next(entry for entry in shipped().entries if entry.id == name)
    return KnownFailureMatch(failure, line, "words", 0.8)


QUIET = odd(FindingKind.HOST_SILENT)
SILENT, SLOW, REFUSED = odd(FindingKind.SILENT), odd(FindingKind.SLOW), odd(FindingKind.REFUSED)
MISSING, LARGE = odd(FindingKind.MISSING_FOLLOW_UP), odd(FindingKind.LARGE_VALUE)
TIMEOUT, FULL = match("messaging-timeout"), match("disk-full")


@pytest.mark.parametrize(
    ("origin", "known", "behaviour", "rule", "confidence"),
    [
        (DEFECT, None, None, "defect", 0.8),
        (DEFECT, TIMEOUT, SILENT, "defect", 0.85),
        (None, None, SILENT, "silent source", 0.6),
        (ERROR, TIMEOUT, SILENT, "silent source", 0.75),
        (ERROR, FULL, SILENT, "known failure", 0.8),
        (None, None, QUIET, "silent source", 0.6),
        (ERROR, TIMEOUT, QUIET, "silent source", 0.75),
        (SIGN, match("disk-full", CALM), SILENT, "behaviour", 0.6),
        (None, None, SLOW, "behaviour", 0.45),
        (SIGN, None, MISSING, "behaviour", 0.35),
        (SIGN, match("disk-full", CALM), SLOW, "behaviour", 0.45),
        (SIGN, FULL, SLOW, "known failure", 0.8),
        (ERROR, None, SLOW, "error", 0.45),
        (ERROR, FULL, LARGE, "known failure", 0.8),
        (ERROR, None, REFUSED, "error", 0.45),
        (SIGN, None, REFUSED, "other behaviour", 0.4),
        (SIGN, None, LARGE, "other behaviour", 0.2),
        (SIGN, None, None, "first sign", 0.2),
        (None, None, None, "", 0.1),
    ],
)
def test_the_first_rule_that_applies_gives_the_cause(
    origin: Origin | None,
    known: KnownFailureMatch | None,
    behaviour: BehaviourFinding | None,
    rule: str,
    confidence: float,
) -> None:
    """In the order that the module writes down."""
    cause = cause_of(EVIDENCE, Findings(origin, known, behaviour))
    assert (cause.rule, cause.confidence) == (rule, confidence)
