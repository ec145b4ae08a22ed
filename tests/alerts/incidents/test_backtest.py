"""The threshold of pages that history asks for, and how it does on days that it has not seen."""

import pytest

from alerts.incidents.backtest import DAY, WalkedDay, most_pages, solve, walk_forward
from alerts.incidents.policy import PageBudget

ONE_A_DAY = PageBudget(1, 86_400.0)


def page(day: int, hour: int, importance: float) -> tuple[int, float]:
    """A page at an hour of a day."""
    return (20_000 + day) * DAY + hour * DAY // 24, importance


def test_each_day_is_judged_by_the_days_before_it() -> None:
    """A value that kept the budget on quiet days does not keep it on a day with more; the next day knows."""
    pages = [page(0, 3, 0.9), page(1, 1, 0.91), page(1, 2, 0.95), page(1, 9, 0.96), page(2, 0, 0.9), page(2, 1, 0.97)]
    # The second day is judged without a threshold, the third by the one that the second asks for.
    assert walk_forward(pages, ONE_A_DAY) == [
        WalkedDay(20_001 * DAY, 0.0, 3, 3),
        WalkedDay(20_002 * DAY, 0.96, 1, 1),
    ]
    assert solve(pages, ONE_A_DAY) == 0.97


def test_days_without_a_page_count_too_and_one_day_has_none_before() -> None:
    """Nothing comes of nothing."""
    walked = walk_forward([page(0, 3, 0.9), page(3, 3, 0.9)], ONE_A_DAY)
    assert [day.pages for day in walked] == [0, 0, 1]
    assert walk_forward([page(0, 3, 0.9)], ONE_A_DAY) == walk_forward([], ONE_A_DAY) == []


@pytest.mark.parametrize(("per_s", "most"), [(3_600.0, 1), (3 * 3_600.0, 2), (86_400.0, 3)])
def test_the_worst_stretch_counts(per_s: float, most: int) -> None:
    """Whatever its begin."""
    assert most_pages([page(0, hour, 0.9)[0] for hour in (1, 3, 20)], per_s) == most
