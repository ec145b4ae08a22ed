"""The low watermark: the earliest of the last rows, wherever they are cut."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.windows.key_clocks import LowWatermark
from models.windows.key_state import NEVER


@given(st.lists(st.integers(0, 50), min_size=1, max_size=120), st.lists(st.integers(1, 9), min_size=1, max_size=4))
@settings(max_examples=200, deadline=None)
def test_it_is_the_least_of_the_last_rows_wherever_they_are_cut(times: list[int], sizes: list[int]) -> None:
    """Before as many rows as it looks back on there is none, and it never falls."""
    most = 16
    watermark, got, start, turn = LowWatermark(1, most), [], 0, 0
    while start < len(times):
        piece = np.array(times[start : start + sizes[turn % len(sizes)]])
        got += watermark.add(piece).tolist()
        start, turn = start + len(piece), turn + 1
    expected, highest = [], NEVER
    for i in range(len(times)):
        highest = max(highest, min(times[i - most : i])) if i >= most else NEVER
        expected.append(highest)
    assert got == expected


def test_a_clock_that_is_ahead_has_no_say() -> None:
    """One that is behind holds the others back, as long as it writes."""
    watermark = LowWatermark(1, 16)
    watermark.add(np.array([100, 5, 100, 6] * 4))
    assert watermark.value == 5
    watermark.add(np.arange(1000, 1016))
    assert watermark.value == 1000


@pytest.mark.parametrize(("clocks", "expected"), [((0, 5, 9), NEVER), ((0, 5, 10), 40), ((0, 5, 15), 60)])
def test_where_a_clock_is_recorded_rows_count_for_a_span_of_it(clocks: tuple[int, ...], expected: int) -> None:
    """Counted from the first row on; what came at its begin does not count any more."""
    watermark = LowWatermark(10)
    for clock, time in zip(clocks, (20, 40, 60), strict=True):
        watermark.add_at(clock, np.array([time, time + 7]))
    assert watermark.value == expected


def test_a_flood_is_looked_back_on_by_rows() -> None:
    """However fast they come: their number bounds the memory."""
    watermark = LowWatermark(1000, 4)
    for n in range(6):
        watermark.add_at(0, np.array([n, n]))
    assert watermark.value == 4
