"""A version that rings all the time is known by its share of windows, and by what the one before says of them."""

import pytest

from stream.promotion.firing_counts import LEAST_WINDOWS, FiringCounts, rings

ENOUGH = LEAST_WINDOWS


@pytest.mark.parametrize(
    ("windows", "fired", "before", "is_excess"),
    [
        (ENOUGH, 200, 1, True),
        (ENOUGH, 200, 0, True),
        (ENOUGH, 80, 0, False),
        (ENOUGH, 200, 20, False),
        (ENOUGH, 200, None, False),
        (ENOUGH - 2, 398, 0, False),
    ],
    ids=["far more", "alone", "not a fifth", "a fault of everything", "nobody to ask", "too few"],
)
def test_a_version_is_far_beyond_its_budget_by_both(
    windows: int, fired: int, before: int | None, *, is_excess: bool
) -> None:
    """A fault that the version before tells as well is no reason."""
    counts = FiringCounts()
    for _ in range(2):
        counts.add("new", windows // 2, fired // 2, None if before is None else before // 2)
    counts.add("new", 0, 0, None if before is None else before % 2)
    assert bool(counts.excess("new")) == is_excess
    assert counts.excess("old") == ""


def test_only_batches_in_which_it_rings_count_against_it() -> None:
    """The reason says the counts, for people who read the rollback."""
    counts = FiringCounts()
    counts.add("new", 500, 5)
    assert not rings(500, 5)
    counts.add("new", 500, 450, 2)
    assert rings(500, 450)
    assert counts.excess("new") == (
        "455 of 1000 windows; where it rings, it fires 450 times and the version before 2 times"
    )
