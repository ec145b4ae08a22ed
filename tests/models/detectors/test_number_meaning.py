"""What numbers in messages mean, by the words around them."""

import pytest

from models.detectors.number_meaning import meaning_of, tells_duration
from models.findings import FindingKind

ACCESS = '<*> "GET <*> HTTP<*>" status: <*> len: <*> time: <*>'
SLOW, REFUSED, LARGE = FindingKind.SLOW, FindingKind.REFUSED, FindingKind.LARGE_VALUE


@pytest.mark.parametrize(
    ("template", "column", "numbers", "value", "expected"),
    [
        (ACCESS, 0, 3, 503.0, (REFUSED, "")),
        (ACCESS, 0, 3, 302.0, (LARGE, "")),
        (ACCESS, 1, 3, 503.0, (LARGE, "")),
        (ACCESS, 2, 3, 2.5, (SLOW, "s")),
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


def test_templates_that_report_durations_are_known() -> None:
    """By a label or a unit."""
    assert tells_duration(ACCESS)
    assert not tells_duration("Total: <*> MB")
