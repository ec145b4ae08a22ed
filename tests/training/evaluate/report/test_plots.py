"""Plots: round numbers at the axes, and texts that do not lie on each other."""

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.evaluate.report.plots import reliability_plot, ticks, trace_plot

TEXT = re.compile(r'<text class="note" x="([^"]+)" y="([^"]+)" text-anchor="[a-z]+">([^<]*)</text>')


def heights(plot: str, names: set[str]) -> list[float]:
    """Return where the texts of these names stand, from the top."""
    return sorted(float(y) for _, y, name in TEXT.findall(plot) if name in names)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.0, 1.0, [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (-2.0, 3.0, [-2.0, -1.0, 0.0, 1.0, 2.0, 3.0]),
        (-5.9, 40.6, [0.0, 10.0, 20.0, 30.0, 40.0]),
    ],
)
def test_axes_have_round_numbers(low: float, high: float, expected: list[float]) -> None:
    """Of steps 1, 2, 2.5 or 5, whatever the range."""
    assert ticks(low, high) == expected


@given(low=st.floats(-1e6, 1e6), width=st.floats(1e-3, 1e6))
def test_there_are_a_handful_of_them_inside(low: float, width: float) -> None:
    """Neither none nor a row of them."""
    found = ticks(low, low + width)
    assert 1 <= len(found) <= 7
    assert all(low - 1e-6 * width <= value <= low + width * (1 + 1e-6) for value in found)


def test_names_of_thresholds_that_are_close_stand_apart() -> None:
    """One above the other, in the order of their lines."""
    names = ("an hour", "a day", "held back")
    plot = trace_plot([(0.0, -4.0), (3600.0, 40.0)], [], list(zip(names, (-1.4, 0.0, 0.1), strict=True)))
    found = heights(plot, set(names))
    assert len(found) == 3
    assert all(b - a >= 12 for a, b in pairwise(found))


def test_powers_are_told_in_full() -> None:
    """Without exponents, up to the largest."""
    plot = reliability_plot([0.01, 1000.0], [("windows", [0.02, 900.0])], 0.01)
    assert {"0.01", "0.1", "1", "10", "100", "1,000"} <= {name for _, _, name in TEXT.findall(plot)}
