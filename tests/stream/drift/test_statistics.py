"""The statistics of drift against known values."""

import numpy as np
import pytest

from stream.drift.statistics import binomial_tail, stability_index


@pytest.mark.parametrize(
    ("count", "trials", "share", "tail"),
    [(0, 10, 0.1, 1.0), (1, 10, 0.1, 0.6513216), (3, 10, 0.1, 0.0701908), (10, 10, 0.5, 1 / 1024), (1, 0, 0.1, 0.0)],
)
def test_the_tail_of_the_binomial_distribution(count: int, trials: int, share: float, tail: float) -> None:
    """As tables have it."""
    assert binomial_tail(count, trials, share) == pytest.approx(tail, abs=1e-7)


def test_of_days_without_drift_not_more_are_called_drifted_than_allowed() -> None:
    """A thousand days of 144 stretches, of which one in ten is unusual, at one false alarm in thirty days."""
    unusual = np.random.default_rng(3).binomial(144, 0.1, 1000)
    alarms = sum(binomial_tail(count, 144, 0.1) <= 1 / 30 for count in unusual.tolist())
    assert 0 < alarms <= 1000 / 30 * 1.3


def test_scores_that_stay_have_a_small_index_and_those_that_move_a_large_one() -> None:
    """With ties, too: a bin holds what lies at its edge."""
    random = np.random.default_rng(4)
    usual_scores = np.round(random.normal(size=5000), 1)
    edges = np.unique(np.quantile(usual_scores, np.arange(1, 10) / 10, method="lower"))
    usual = [(float(edge), float((usual_scores <= edge).mean())) for edge in edges]
    assert stability_index(usual, usual_scores) == pytest.approx(0.0, abs=1e-9)
    assert stability_index(usual, np.round(random.normal(size=5000), 1)) < 0.05
    assert stability_index(usual, np.round(random.normal(1.0, size=5000), 1)) > 0.25
