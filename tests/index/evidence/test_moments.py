"""Times that an issue names, and what else it names outright."""

import pytest

from index.evidence.issue import read_issue
from index.text.moments import Moments
from models.rfc3339 import parse_time


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Instances fail since 9:14", "09:14 UTC"),
        ("between 09:10 and 9:20", "09:10 to 09:20 UTC"),
        ("from 23:50 to 00:10", "23:50 to 00:10 UTC"),
        ("on 2026-03-03 09:14:22 it broke", "2026-03-03 09:14 UTC"),
        ("2026-03-03T09:14Z", "2026-03-03 09:14 UTC"),
        ("at 9:14 and, once more, at 11:40", "09:14 UTC, 11:40 UTC"),
        ("fa:16:3e:11:22:33 has no address, 10.0.0.1:5672 neither", ""),
    ],
)
def test_times_are_read_as_people_write_them(text: str, said: str) -> None:
    """Addresses are no times."""
    moments = Moments.read(text)
    assert moments.text() == said
    assert bool(moments) == bool(said)


def test_a_stretch_is_near_a_time_within_ten_minutes() -> None:
    """On any day where none is named, also over midnight."""
    begin = parse_time("2026-03-03T09:14:00Z")
    minute = 60_000_000
    moments = Moments.read("around 09:20")
    assert moments.distance(begin, begin + minute) == 6 * minute
    assert moments.distance(begin - 10 * minute, begin - 5 * minute) is None
    assert moments.distance(begin + 6 * minute, begin + 7 * minute) == 0
    assert Moments.read("2026-03-04 09:20").distance(begin, begin + minute) is None
    late = parse_time("2026-03-03T23:58:00Z")
    assert Moments.read("at 00:01").distance(late, late + minute) == 3 * minute


@pytest.mark.parametrize(
    ("text", "subjects", "hosts"),
    [
        ("Every request hangs, nothing works", set(), set()),
        ("All APIs answer with errors", set(), set()),
        ("nova-conductor does not answer", {"nova-conductor"}, set()),
        ("nova-compute on compute-9 is dead", {"nova-compute"}, {"compute-9"}),
        ("10.20.0.11 cannot be reached", set(), {"10.20.0.11"}),
        ("Swift containers cannot be listed", {"swift", "container"}, set()),
        ("HTTP/1.1 and ipv4 are slow", set(), set()),
    ],
)
def test_an_issue_says_what_it_is_about(text: str, subjects: set[str], hosts: set[str]) -> None:
    """What is said of anything is no subject."""
    issue = read_issue(text)
    assert subjects <= issue.subjects | issue.own_words
    assert bool(subjects) != issue.general
    assert issue.hosts == hosts


def test_what_an_issue_is_about_comes_from_its_concepts() -> None:
    """People say "image" where the logs say glance."""
    assert {"glanc", "imag"} <= read_issue("Uploading an image fails").subjects
    assert read_issue("Uploading an image fails").projects == {"glance"}
    assert read_issue("Booting is refused with 403").statuses == {"403"}
