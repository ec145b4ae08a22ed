"""A version that rings all the time is known by its share of windows, and by that of the one before."""

import pytest

from stream.promotion.firing_counts import LEAST_WINDOWS, FiringCounts

ENOUGH = LEAST_WINDOWS


@pytest.mark.parametrize(
    ("before", "after", "is_excess"),
    [
        ((ENOUGH, 1), (ENOUGH, 200), True),
        ((ENOUGH, 1), (ENOUGH, 80), False),
        ((ENOUGH, 40), (ENOUGH, 200), False),
        ((ENOUGH - 1, 0), (ENOUGH, 400), False),
        ((ENOUGH, 0), (ENOUGH - 1, 399), False),
    ],
    ids=["far more", "not a fifth", "a fault of everything", "nothing to compare with", "too few"],
)
def test_a_version_is_far_beyond_its_budget_by_both(
    before: tuple[int, int], after: tuple[int, int], *, is_excess: bool
) -> None:
    """A fault that the version before had told as well is no reason."""
    counts = FiringCounts()
    counts.add("old", *before)
    for _ in range(2):
        counts.add("new", after[0] // 2, after[1] // 2)
    counts.add("new", after[0] - 2 * (after[0] // 2), after[1] - 2 * (after[1] // 2))
    assert bool(counts.excess("old", "new")) == is_excess
    assert counts.excess("old", "old") == ""


def test_the_reason_says_the_counts() -> None:
    """For people who read the rollback."""
    counts = FiringCounts()
    counts.add("old", 1000, 1)
    counts.add("new", 500, 250)
    assert counts.excess("old", "new") == "250 of 500 windows, the version before 1 of 1000"
