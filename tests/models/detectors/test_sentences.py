"""Sentences of findings: the unusual number first, what is usual in brackets."""

import pytest
from hypothesis import given

from models.detectors.sentences import sentence
from models.findings import Finding, FindingKind
from tests.models.test_findings import FINDINGS

GET = '<*> "GET <*>" time: <*>'


@pytest.mark.parametrize(
    ("finding", "expected"),
    [
        (Finding(FindingKind.NEW_MESSAGE, count=1), "1 new message type (never seen in training)"),
        (Finding(FindingKind.NEW_HERE, "A"), "`A` is new here (training saw it elsewhere only)"),
        (Finding(FindingKind.ERRORS, value=6.0, usual=0.01), "6 error lines (usually 0.01)"),
        (
            Finding(FindingKind.SLOW, GET, value=2.6, usual=0.7421, unit="s", count=1),
            f"`{GET}` takes 2.6 s (usually below 0.742 s)",
        ),
        (
            Finding(FindingKind.REFUSED, GET, value=503.0, usual=200.0, count=4),
            f"`{GET}` answers 503 in 4 lines (usually at most 200)",
        ),
        (
            Finding(FindingKind.LARGE_VALUE, "used <*> MB", value=11602.0, usual=1018.0, unit="MB", count=1),
            "`used <*> MB` has a value of 11,602 MB (usually below 1,018 MB)",
        ),
        (
            Finding(FindingKind.MISSING_FOLLOW_UP, "A", "B", seconds=60.0),
            "`B` is missing (usually comes with `A` within 60 s)",
        ),
        (
            Finding(FindingKind.FEWER_FOLLOW_UPS, "A", "B", value=1.0, usual=3.0),
            "`B` comes once in the same session (usually as often as `A`, 3 times)",
        ),
        (
            Finding(FindingKind.SILENT, value=96.4, usual=31.0, unit="s", service="nova-compute", host="compute-2"),
            "nova-compute on compute-2 has written nothing for 96 s (usually at most 31 s)",
        ),
        (
            Finding(FindingKind.SILENT, value=96.4, usual=31.0, unit="s", service="nova/nova-compute"),
            "nova/nova-compute has written nothing for 96 s (usually at most 31 s)",
        ),
        (
            Finding(FindingKind.HOST_SILENT, value=96.4, usual=31.0, unit="s", host="c2", count=4),
            "all 4 sources of c2 have written nothing for 96 s (usually at most 31 s): host or shipper of c2 is quiet",
        ),
        (
            Finding(FindingKind.RATE_HIGH, "A", value=128.0, usual=82.0, seconds=60.0, cycle_hours=24),
            "`A` comes 128 times in 60 s (usually at most 82 at this hour of the day)",
        ),
        (
            Finding(FindingKind.RATE_LOW, "A", value=0.0, usual=1.0, seconds=60.0),
            "`A` comes 0 times in 60 s (usually at least 1)",
        ),
        (
            Finding(FindingKind.RATE_HIGH, value=4.0, usual=0.0, seconds=60.0),
            "4 lines never seen in training in 60 s (usually at most 0)",
        ),
        (
            Finding(FindingKind.CRITICAL, value=1.0, service="nova-scheduler", trained_s=1020.0),
            "1 critical line of nova-scheduler (none like this in 17 minutes of training)",
        ),
        (
            Finding(FindingKind.FIRST_ERRORS, value=5.0, service="glance-api", trained_s=7200.0),
            "5 error lines of glance-api (none like these in 2 hours of training)",
        ),
        (
            Finding(FindingKind.FIRST_ERRORS, value=2.0, trained_s=86_400.0 * 21),
            "2 error lines (none like these in 21 days of training)",
        ),
        (Finding(FindingKind.FIRST_ERRORS, value=2.0, trained_s=60.0), "2 error lines (none like it in training)"),
        (Finding(FindingKind.FIRST_ERRORS, value=2.0, service="glance-api"), "2 error lines of glance-api"),
        (
            Finding(FindingKind.REFUSALS, value=20.0, service="nova-api", seconds=60.0),
            "20 requests to nova-api refused in 60 s (answers 4xx, far more than usual)",
        ),
        (Finding(FindingKind.RESTARTS, value=4.0, seconds=60.0), "4 starts of a process in 60 s"),
        (Finding(FindingKind.UNUSUAL_BEGIN, "A"), "the session begins with `A` (no session did in training)"),
        (Finding(FindingKind.UNUSUAL_END, "A"), "the session ends with `A` (no session did in training)"),
        (Finding(FindingKind.UNUSUAL_ORDER, "A", "B"), "`B` comes right after `A` (never seen in training)"),
        (Finding(FindingKind.ABSENT, "A"), "`A` is missing (the most similar normal window has it)"),
        (
            Finding(FindingKind.UNEXPECTED),
            "a message never seen in training is unexpected (the most similar normal window lacks it)",
        ),
    ],
)
def test_each_kind_has_its_words(finding: Finding, expected: str) -> None:
    """As alerts show them."""
    assert sentence(finding) == expected


@given(FINDINGS)
def test_every_finding_makes_a_sentence(finding: Finding) -> None:
    """Whatever a record holds, also fields that its kind should have and has not."""
    assert sentence(finding)


@pytest.mark.parametrize(
    ("number", "expected"),
    [(0.0030644, "0.00306"), (12.0, "12"), (999.4, "999"), (1000.0, "1,000"), (107400.0, "107,400"), (1e30, "1e+30")],
)
def test_numbers_are_written_as_people_read_them(number: float, expected: str) -> None:
    """Three digits, or all of a number above a thousand."""
    assert f" of {expected} (" in sentence(Finding(FindingKind.LARGE_VALUE, "A", value=number, usual=1.0))
