"""Findings of detectors that lines can show."""

import pytest

from index.evidence.detector_findings import exceeds, shown_by_lines
from models.findings import Finding, FindingKind

ACCESS = '<*> "GET <*> HTTP<*>" status: <*> len: <*> time: <*>'
SLOW = Finding(FindingKind.SLOW, ACCESS, value=6.61, usual=0.755, unit="s", count=6)
REFUSED = Finding(FindingKind.REFUSED, ACCESS, value=503.0, usual=200.0, count=5)


@pytest.mark.parametrize(
    "finding",
    [
        SLOW,
        REFUSED,
        Finding(FindingKind.LARGE_VALUE, "used <*>", value=1000.0, usual=5.0, count=1),
        Finding(FindingKind.MISSING_FOLLOW_UP, "A", "B <*>", seconds=60.0),
        Finding(FindingKind.FEWER_FOLLOW_UPS, "A", "B", value=1.0, usual=3.0),
        Finding(FindingKind.SILENT, value=80.0, usual=12.0, unit="s", service="nova-compute", host="node-1"),
        Finding(FindingKind.HOST_SILENT, value=80.0, usual=12.0, unit="s", host="node-1", count=4),
    ],
)
def test_what_a_line_shows_is_kept(finding: Finding) -> None:
    """A value, a message without its follow-up, the last line of a source."""
    assert shown_by_lines([finding]) == (finding,)


@pytest.mark.parametrize(
    "finding",
    [
        Finding(FindingKind.ERRORS, value=8.0, usual=0.01),
        Finding(FindingKind.NEW_MESSAGE, count=2),
        Finding(FindingKind.ABSENT, "A"),
        Finding(FindingKind.RATE_HIGH, "A", value=9.0, usual=3.0, seconds=60.0),
        # The size of an answer follows from what was asked for.
        Finding(FindingKind.LARGE_VALUE, ACCESS, value=107_400.0, usual=103_000.0, count=1),
        # Of a template that training did not see, or a record that lacks its numbers.
        Finding(FindingKind.MISSING_FOLLOW_UP, "", "B"),
        Finding(FindingKind.SLOW, ACCESS),
        Finding(FindingKind.SILENT, service="nova-compute"),
    ],
)
def test_what_lines_tell_better_or_not_at_all_is_left_out(finding: Finding) -> None:
    """Counts of errors and of new templates, rates, and what is incomplete."""
    assert shown_by_lines([finding]) == ()


def test_a_line_shows_a_finding_by_its_own_numbers() -> None:
    """A duration is compared with durations and not with a length."""
    assert exceeds(SLOW, '1.2.3.4 "GET / HTTP/1.1" status: 200 len: 900 time: 4.5')
    assert not exceeds(SLOW, '1.2.3.4 "GET / HTTP/1.1" status: 200 len: 900 time: 0.5')
    assert exceeds(REFUSED, '1.2.3.4 "GET / HTTP/1.1" status: 500 len: 900 time: 0.5')
    assert not exceeds(REFUSED, '1.2.3.4 "GET / HTTP/1.1" status: 200 len: 90 time: 0.5')
