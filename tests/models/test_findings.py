"""Findings: their JSON form."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.findings import Finding, FindingKind, findings_from_json, to_millisecond

TEXT = st.text(max_size=5)
NUMBER = st.none() | st.floats(allow_nan=False, allow_infinity=False)

FINDINGS = st.builds(
    Finding,
    kind=st.sampled_from(FindingKind),
    template=TEXT,
    follows=TEXT,
    value=NUMBER,
    usual=NUMBER,
    unit=TEXT,
    service=TEXT,
    host=TEXT,
    count=st.integers(0, 1000),
    moment=st.none() | st.integers(0, 2 * 10**15).map(to_millisecond),
    seconds=st.floats(0, 1000),
    cycle_hours=st.sampled_from([0, 24, 168]),
    trained_s=st.floats(0, 1e7),
)


@given(FINDINGS)
def test_a_finding_survives_json(finding: Finding) -> None:
    """Every field reads back as it was, through bytes."""
    assert Finding.from_json(orjson.loads(orjson.dumps(finding.to_json()))) == finding


def test_json_leaves_out_what_does_not_apply() -> None:
    """Only the kind is always there; zero is a number that was seen, None is not."""
    assert Finding(FindingKind.NEW_MESSAGE).to_json() == {"kind": "new_message"}
    seen = Finding(FindingKind.RATE_LOW, template="beat", value=0.0, usual=4.0, moment=1_700_000_000_123_000)
    assert seen.to_json() == {
        "kind": "rate_low",
        "template": "beat",
        "value": 0.0,
        "usual": 4.0,
        "moment": "2023-11-14T22:13:20.123Z",
    }


@pytest.mark.parametrize("records", [None, [], "text", 5, [None], [{}], [{"kind": "later"}], [{"kind": 1}]])
def test_what_is_no_finding_is_skipped(records: object) -> None:
    """Old records have none, and newer ones may have kinds that are unknown here."""
    assert findings_from_json(records) == ()


def test_the_others_are_read() -> None:
    """One that is unknown does not hide those beside it."""
    good = Finding(FindingKind.ERRORS, value=3.0, usual=0.01)
    assert findings_from_json([{"kind": "unknown"}, good.to_json()]) == (good,)
