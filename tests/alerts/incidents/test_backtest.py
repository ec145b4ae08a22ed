"""The threshold of pages that history asks for, and how it does on days that it has not seen."""

import numpy as np
import pytest

from alerts.incidents.backtest import WalkedDay, most_pages, solve, walk_forward
from alerts.incidents.policy import PageBudget
from models.rfc3339 import DAY

ONE_A_DAY = PageBudget(1, 86_400.0)


def page(day: int, hour: int, importance: float) -> tuple[int, float]:
    """A page at an hour of a day."""
    return (20_000 + day) * DAY + hour * DAY // 24, importance


def test_each_day_is_judged_by_the_days_before_it() -> None:
    """A value that kept the budget on quiet days does not keep it on a day with more; the next day knows."""
    pages = [page(0, 3, 0.9), page(1, 1, 0.91), page(1, 2, 0.95), page(1, 9, 0.96), page(2, 0, 0.9), page(2, 1, 0.97)]
    # The second day is judged without a threshold, the third by the one that the second asks for.
    assert walk_forward(pages, ONE_A_DAY) == [
        WalkedDay(20_001 * DAY, 0.0, tuple(time for time, _ in pages[1:4])),
        WalkedDay(20_002 * DAY, 0.96, (pages[5][0],)),
    ]
    assert solve(pages, ONE_A_DAY) == 0.97


def test_days_without_a_page_count_too_and_one_day_has_none_before() -> None:
    """Nothing comes of nothing."""
    walked = walk_forward([page(0, 3, 0.9), page(3, 3, 0.9)], ONE_A_DAY)
    assert [len(day.pages) for day in walked] == [0, 0, 1]
    assert walk_forward([page(0, 3, 0.9)], ONE_A_DAY) == walk_forward([], ONE_A_DAY) == []


def test_a_threshold_holds_where_days_are_alike_and_not_where_they_get_worse() -> None:
    """Two months behind a month of six pages a day, of which two are allowed."""
    random = np.random.default_rng(5)
    first = page(0, 0, 0.0)[0]
    times = [first + int(moment) for moment in np.sort(random.uniform(0, 90 * DAY, 540))]

    def days_over(importances: list[float]) -> int:
        walked = walk_forward(list(zip(times, importances, strict=True)), PageBudget(2, 86_400.0))
        return sum(len(day.pages) > 2 for day in walked[30:])

    alike = random.uniform(0.5, 1, len(times)).tolist()
    assert days_over(alike) <= 2
    assert days_over(sorted(alike)) > 50


@pytest.mark.parametrize(("per_s", "most"), [(3_600.0, 1), (3 * 3_600.0, 2), (86_400.0, 3)])
def test_the_worst_stretch_counts(per_s: float, most: int) -> None:
    """Whatever its begin."""
    assert most_pages([page(0, hour, 0.9)[0] for hour in (1, 3, 20)], per_s) == most
