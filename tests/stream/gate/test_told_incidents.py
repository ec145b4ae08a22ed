"""Which incidents of two bundles are the same, and how a review's record is read."""

import pytest

from stream.gate.told_incidents import ReviewedLogs, TroubleSpan, pairs
from tests.stream.gate.samples import episode, told


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (episode(0, "nova-api"), episode(0, "nova-api"), True),
        (episode(0, "nova-api"), episode(4, "nova-api"), True),
        (episode(0, "nova-api"), episode(5, "nova-api"), False),
        (episode(0, "nova-api", "keystone"), episode(0, "keystone"), True),
        (episode(0, "nova-api", "keystone"), episode(0, "glance-api", "keystone"), False),
        (episode(0, "nova-api"), episode(0, "nova-api", tenant="other"), False),
        (episode(0), episode(0), False),
    ],
    ids=["alike", "three minutes apart", "further apart", "begins elsewhere", "only beside", "tenant", "nowhere"],
)
def test_same_is_what_began_where_the_other_had_trouble_at_that_time(
    one: TroubleSpan, other: TroubleSpan, *, same: bool
) -> None:
    """Both ways round."""
    assert one.is_same(other) is same
    assert other.is_same(one) is same


def test_every_incident_of_either_bundle_stands_in_some_pair() -> None:
    """One that the other bundle tells as two has both beside it."""
    whole, lost = told(0, "nova-api", "keystone"), told(60, "glance-api")
    parts = [told(0, "nova-api", after_s=30), told(1, "keystone")]
    new = told(30, "cinder-api")
    assert list(pairs([whole, lost], [*parts, new])) == [
        (whole, parts[0]),
        (whole, parts[1]),
        (None, new),
        (lost, None),
    ]


def test_the_record_of_a_review_is_read() -> None:
    """An incident is told by its first alert; one without an alert is not."""
    times = {"first": "2026-11-01T10:00:00Z", "last": "2026-11-01T10:02:00Z"}
    incident = {"incident_id": "a", "tenant": "default", "services": ["nova-api", "keystone"], **times}
    alerts = [
        {"incident_id": "a", "updated": "2026-11-01T10:00:20Z", "page": False, "summary": "errors"},
        {"incident_id": "a", "updated": "2026-11-01T10:00:50Z", "page": True, "summary": "The database is gone"},
    ]
    record = {
        "incidents": [incident, {**incident, "incident_id": "b"}],
        "alerts": alerts,
        "lines": 70,
        "unknown": 0.25,
        "templates": 9,
        "from": "2026-11-01T00:00:00Z",
        "to": "2026-11-01T12:00:00Z",
    }
    read = ReviewedLogs.from_record(record)
    assert (read.lines, read.days, read.unknown, read.templates, read.pages) == (70, 0.5, 0.25, 9, 1)
    (one,) = read.incidents
    assert (one.summary, one.told_at - one.episode.first) == ("The database is gone", 20_000_000)
    assert one.episode.services == ("nova-api", "keystone")
