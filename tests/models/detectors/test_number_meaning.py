"""What numbers in messages mean, by the words around them."""

import pytest

from models.detectors.number_meaning import duration_floors, is_measure, is_status, meaning_of, tells_duration
from models.findings import FindingKind

ACCESS = '<*> "GET <*> HTTP<*>" status: <*> len: <*> time: <*>'
SLOW, REFUSED, LARGE = FindingKind.SLOW, FindingKind.REFUSED, FindingKind.LARGE_VALUE


@pytest.mark.parametrize(
    ("template", "column", "numbers", "value", "expected"),
    [
        (ACCESS, 1, 3, 503.0, (REFUSED, "")),
        (ACCESS, 1, 3, 302.0, (LARGE, "")),
        (ACCESS, 2, 3, 503.0, (LARGE, "")),
        (ACCESS, 0, 3, 2.5, (SLOW, "s")),
        # Neither all of the <*> nor as many as are labelled are numbers: the words of the whole template decide.
        (ACCESS, 1, 2, 2.5, (SLOW, "")),
        (ACCESS, 1, 2, 503.0, (REFUSED, "")),
        ("Took <*> seconds to build instance.", 0, 1, 90.0, (SLOW, "s")),
        ("<*> seconds to spawn <*>", 0, 1, 90.0, (SLOW, "s")),
        ("slept <*> ms", 0, 1, 90.0, (SLOW, "ms")),
        ("Total: <*> MB, used: <*> MB", 1, 2, 9000.0, (LARGE, "MB")),
        ("queue of <*> holds <*>", 1, 2, 9000.0, (LARGE, "")),
        ("queue of <*> holds <*>", 0, 1, 9000.0, (LARGE, "")),
        ("returned with HTTP <*>", 0, 1, 500.0, (REFUSED, "")),
        ("returned with HTTP <*>", 0, 1, float("inf"), (LARGE, "")),
    ],
)
def test_a_number_means_what_its_label_says(
    template: str, column: int, numbers: int, value: float, expected: tuple[FindingKind, str]
) -> None:
    """A duration, an HTTP status that is an error, or any number, with its unit."""
    assert meaning_of(template, column, numbers, value) == expected


def test_values_of_older_bundles_stand_in_the_order_of_the_message() -> None:
    """The status of a request log comes before its duration."""
    assert meaning_of(ACCESS, 0, 3, 503.0, by_meaning=False) == (REFUSED, "")
    assert meaning_of(ACCESS, 2, 3, 2.5, by_meaning=False) == (SLOW, "s")
    assert meaning_of(ACCESS, 1, 2, 2.5, by_meaning=False) == (SLOW, "")


UWSGI = (
    "[pid: <*>|app: <*>|req: <*>] <*> () {<*> vars in <*> bytes} [<*>] GET <*> => generated <*> bytes in <*> msecs"
    " (HTTP<*>) <*> headers in <*> bytes (<*> switches on core <*>)"
)


@pytest.mark.parametrize(
    ("template", "numbers", "expected"),
    [
        (UWSGI, 4, [True, True, True, True]),
        (ACCESS, 3, [True, True, True]),
        ("Took <*> seconds to build instance.", 1, [True]),
        ("response code <*>: try again", 1, [True]),
        ("up <*> seconds, <*> users", 2, [False, None]),
        ("uptime: <*> s", 1, [False]),
        ("connection #<*> from port <*> closed after <*> ms", 3, [True, False, False]),
        ("used_ram=<*> used_disk=<*>", 2, [True, True]),
        # One has a label that says so, and comes first, whatever the others are.
        ("<*> finished <*>. Time elapsed: <*>", 2, [True, None]),
        ("<*> of <*> done", 2, [None, None]),
        ("<*> requests served", 1, [None]),
        ("", 1, [None]),
    ],
)
def test_labels_and_units_tell_measures_from_names(template: str, numbers: int, expected: list[bool | None]) -> None:
    """Durations, sizes and codes measure; processes, requests and times since a start do not."""
    assert [is_measure(template, column, numbers) for column in range(numbers)] == expected


def test_a_status_stands_in_a_message_that_tells_of_one() -> None:
    """A three-digit number elsewhere may be anything."""
    assert is_status('<*> "GET / HTTP<*>" <*>', 200.0)
    assert not is_status('<*> "GET / HTTP<*>" <*>', 20.0)
    assert not is_status("worker <*> started", 200.0)


def test_templates_that_report_durations_are_known() -> None:
    """By a label or a unit."""
    assert tells_duration(ACCESS)
    assert not tells_duration("Total: <*> MB")


@pytest.mark.parametrize(
    ("template", "floors"),
    [
        (UWSGI, (1.0,)),
        (ACCESS, (1e-3,)),
        ("# Query_time: <*>  Lock_time: <*> Rows_sent: <*>", (1e-3, 1e-3)),
        ("Total: <*> MB", ()),
        ("", ()),
    ],
)
def test_durations_come_first_and_have_a_floor_of_a_millisecond(template: str, floors: tuple[float, ...]) -> None:
    """In their own unit."""
    assert duration_floors(template) == floors
