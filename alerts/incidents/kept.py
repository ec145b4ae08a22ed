"""How much of an incident is kept, however long it lasts: judgements, so that a record stays at some tens of kB."""

from collections.abc import Iterable
from typing import Final

from models.findings import Finding, FindingKind

IDS: Final = 64
"""Requests, instances, ports, volumes; the newest stay."""
TEMPLATES: Final = 24
"""Templates; the first stay, as they tell what began."""
REASONS: Final = 10
"""Reasons; the first stay."""
FINDINGS: Final = 10
"""Findings; the strongest stay."""
SERVICES: Final = 64
"""Services; the first stay."""
PAGES: Final = 64
"""Times of pages; the newest stay."""
TOLD: Final = 200
"""What was published of its signals; the newest stays: more than ``SIGNALS`` can make news of."""

PARTS: Final = 32
"""Ids of incidents that became part of it; the newest stay."""
ORDERS: Final = 32
"""Orders of people; the newest stay."""


def strongest(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return the first findings, at most ``FINDINGS``; of those about the same subject only the first.

    Where a host is quiet as a whole, this stands for each of its sources that is silent.
    """
    new = tuple(findings)
    quiet = {finding.host: finding for finding in reversed(new) if finding.kind is FindingKind.HOST_SILENT}
    by_subject: dict[tuple[str, ...], Finding] = {}
    for finding in (quiet.get(of.host, of) if of.kind is FindingKind.SILENT else of for of in new):
        subject = (finding.kind, finding.template, finding.follows, finding.service, finding.host)
        by_subject.setdefault(subject, finding)
    return tuple(by_subject.values())[:FINDINGS]


def first_names(names: Iterable[str], limit: int) -> tuple[str, ...]:
    """Return each name once, the first ``limit`` of them."""
    return tuple(dict.fromkeys(names))[:limit]
