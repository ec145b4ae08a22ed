"""Findings of detectors that lines can show: too high values, missing follow-ups, silent sources."""

import re
from collections.abc import Iterable
from typing import Final

from models.detectors.number_meaning import tells_duration
from models.findings import SILENCES, Finding, FindingKind

MISSING: Final = frozenset({FindingKind.MISSING_FOLLOW_UP, FindingKind.FEWER_FOLLOW_UPS})
"""Kinds that say that what usually follows a message does not come, or not as often."""

HIGH: Final = frozenset({FindingKind.SLOW, FindingKind.REFUSED, FindingKind.LARGE_VALUE})
"""Kinds that say that a number in a message is above the usual."""

_TIMES: Final = re.compile(r"(?i)(?:time: ?|took )(\d+(?:\.\d+)?)|(\d+\.\d+)(?= ?s)")
_NUMBERS: Final = re.compile(r"(?<![\w.-])\d+(?:\.\d+)?(?![\w.-])")


def shown_by_lines(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return the findings that lines can show, in their order.

    Errors and new templates are left out, as their lines are selected anyway; so are rates and orders, which no single
    line shows, and other numbers of messages that report a duration: the size of an answer follows from the request.
    """
    return tuple(finding for finding in findings if _is_shown(finding))


def exceeds(finding: Finding, message: str) -> bool:
    """Return whether a message of the finding's template has the value that is unusual."""
    if finding.value is None or finding.usual is None:
        return False
    if finding.kind is FindingKind.REFUSED:
        return re.search(rf"\b{int(finding.value / 100)}\d\d\b", message) is not None
    return any(number > finding.usual for number in numbers_in(message, finding.kind))


def numbers_in(message: str, kind: FindingKind) -> list[float]:
    """Return the numbers of a message that may be unusual: of SLOW its durations, where it names any as such."""
    if kind is FindingKind.SLOW and (times := [float(a or b) for a, b in _TIMES.findall(message)]):
        return times
    return [float(number) for number in _NUMBERS.findall(message)]


def _is_shown(finding: Finding) -> bool:
    if finding.kind in SILENCES:
        return bool(finding.service or finding.host) and finding.value is not None and finding.usual is not None
    if finding.kind in HIGH:
        size_of_answer = finding.kind is FindingKind.LARGE_VALUE and tells_duration(finding.template)
        return bool(finding.template) and None not in {finding.value, finding.usual} and not size_of_answer
    return finding.kind in MISSING and bool(finding.template)
