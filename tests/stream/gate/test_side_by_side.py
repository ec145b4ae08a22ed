"""An incident of a shadow beside that of the bundle in use."""

import pytest

from alerts.messages.feedback import Opinion
from alerts.messages.wording import short_id
from models.rfc3339 import DAY
from stream.gate.shadow_checks import shadow_checks
from stream.gate.side_by_side import ShadowReport, SideBySide
from stream.gate.told_incidents import ToldIncident
from tests.stream.gate.samples import START, label, told


@pytest.mark.parametrize(
    ("champion", "shadow", "outcome"),
    [
        (told(0, "nova-api"), told(0, "nova-api", after_s=15), SideBySide.SAME),
        (told(0, "nova-api"), told(0, "nova-api", after_s=16), SideBySide.LATER),
        (told(0, "nova-api", after_s=30), told(0, "nova-api"), SideBySide.SOONER),
        (None, told(0, "nova-api"), SideBySide.ONLY_SHADOW),
        (told(0, "nova-api"), None, SideBySide.ONLY_CHAMPION),
    ],
    ids=["a step apart", "later", "sooner", "only shadow", "only champion"],
)
def test_what_is_told_within_a_step_is_told_at_the_same_time(
    champion: ToldIncident | None, shadow: ToldIncident | None, outcome: SideBySide
) -> None:
    """And what one alone tells is that one's."""
    assert SideBySide.of(champion, shadow) is outcome


def test_the_report_has_every_incident_in_the_order_of_their_begins() -> None:
    """In words and as a record; nothing is said of lines, which a shadow does not count."""
    both, lost, new = told(10, "nova-api"), told(20, "glance-api", pages=0), told(5, "keystone", pages=0)
    report = ShadowReport("nova@v2", "bundle", START, START + DAY, (both, lost), (new, both))
    assert [outcome for outcome, _, _ in report.rows] == ["only shadow", "same", "only champion"]
    head, *rows, counts = report.lines()
    assert head.startswith("nova@v2 judged in shadow for 1 d, ")
    assert [line.endswith(", paged") for line in rows] == [False, True, False]
    assert counts == "2 incidents by the champion, 2 in shadow: 1 same, 1 only champion, 1 only shadow"
    first = report.to_record()["incidents"][0]
    assert (first["champion"], first["shadow"]["services"]) == (None, ["keystone"])
    champion, shadow = report.reviewed
    assert (champion.days, champion.pages, shadow.incidents) == (1.0, 1, (new, both))


def test_where_nobody_told_anything_the_report_says_so() -> None:
    """A quiet shadow beside a quiet champion."""
    *_, counts = ShadowReport("nova@v2", "bundle", START, START + DAY, (), ()).lines()
    assert counts == "0 incidents by the champion, 0 in shadow: none"


def test_a_shadow_must_be_long_and_tell_what_people_were_told() -> None:
    """What it loses, and what it has too many of, is named."""
    both, lost = told(10, "nova-api"), told(20, "glance-api")
    new = [told(30 + 10 * n, "keystone") for n in range(9)]
    good = ShadowReport("nova@v2", "bundle", START, START + DAY, (both,), (both,))
    assert [check.passed for check in shadow_checks(good, 24.0, (), 1.0)] == [True, True, True]
    bad = ShadowReport("nova@v2", "bundle", START, START + DAY // 2, (both, lost), (both, *new))
    length, more, fewer = shadow_checks(bad, 24.0, (), 1.0)
    assert (length.passed, length.text) == (False, "12.0 hours beside the one in use, at least 24 are asked for")
    assert (more.name, len(more.exceptions)) == ("new incidents in shadow", 9)
    assert (fewer.name, list(fewer.exceptions)) == ("lost incidents in shadow", [short_id(lost.id)])
    labels = [label(30 + 10 * n, "keystone", Opinion.REAL) for n in range(9)]
    labels.append(label(20, "glance-api", Opinion.NOISE))
    assert [check.passed for check in shadow_checks(bad, 12.0, labels, 1.0)] == [True, True, True]
