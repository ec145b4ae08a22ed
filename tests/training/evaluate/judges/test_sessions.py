"""The threshold for sessions, from normal ones alone."""

import numpy as np
import pytest

from training.evaluate.judges.sessions import held_threshold


def test_many_sessions_give_their_own_quantile() -> None:
    """One of their scores, on a scale of decades or not."""
    normal = np.arange(2000.0)[::-1]
    assert held_threshold(normal, 0.999) == 1998.0
    assert held_threshold(normal, 0.999, decades=True) == 1998.0


def test_few_sessions_ask_for_as_many_decades_more_as_they_cannot_show() -> None:
    """The largest of 99 is exceeded once in a hundred times: one in a thousand lies a decade above."""
    normal = np.linspace(-5.0, -3.0, 99)
    assert held_threshold(normal, 0.999) == -3.0
    assert held_threshold(normal, 0.999, decades=True) == pytest.approx(-2.0)
    assert held_threshold(normal, 1.0, decades=True) == -3.0
