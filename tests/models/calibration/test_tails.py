"""Calibration: raw scores to expected false alarms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.calibration.tails import Calibration, fit_tail
from models.errors import InvalidError

SCORES = st.lists(st.floats(0, 50, allow_subnormal=False).map(lambda x: round(x, 4)), min_size=1, max_size=300)


@given(SCORES)
@settings(max_examples=100, deadline=None)
def test_a_higher_score_is_never_less_anomalous_and_does_not_saturate(scores: list[float]) -> None:
    """Probabilities fall with the raw score, and strictly beyond anything that was seen."""
    tail = fit_tail(np.array(scores), 4.0)
    inside = tail.log_probability(np.linspace(0, max(scores), 200))
    assert (np.diff(inside) <= 0).all()
    beyond = tail.log_probability(max(scores) + np.array([0.01, 1.0, 10.0, 100.0, 1000.0]))
    assert (np.diff(beyond) < 0).all()
    assert beyond[0] <= inside[-1]


@given(SCORES)
@settings(max_examples=100, deadline=None)
def test_a_score_beyond_all_samples_is_no_rarer_than_they_can_tell(scores: list[float]) -> None:
    """The largest of n samples has a probability of at least a tenth of 1 / (n + 1): few samples promise little."""
    tail = fit_tail(np.array(scores), 4.0)
    probability = np.exp(tail.log_probability(np.array([max(scores)])))[0]
    assert probability >= 0.1 / (len(scores) + 1)


def test_probabilities_are_those_of_the_distribution_that_the_samples_came_from() -> None:
    """On exponential scores what is rare is called at most ten times too likely, and never twice too rare."""
    raw = np.random.default_rng(3).exponential(1.0, 20_000)
    at = np.array([1.0, 3.0, 6.0, 9.0])
    ratio = np.exp(fit_tail(raw, 4.0).log_probability(at) + at)
    assert (ratio > 0.5).all()
    assert (ratio < 10.0).all()


def test_a_few_samples_promise_less_than_many() -> None:
    """What lies beyond all samples is less surprising where there were few of them."""
    rng = np.random.default_rng(4)
    beyond = np.array([20.0])
    few, many = (fit_tail(rng.exponential(1.0, n), 4.0).log_probability(beyond)[0] for n in (30, 30_000))
    assert few > many


@given(SCORES)
@settings(max_examples=30)
def test_json_keeps_every_digit(scores: list[float]) -> None:
    """What was written reads back as the same numbers."""
    calibration = Calibration({0: fit_tail(np.array(scores)), 4: fit_tail(np.array(scores[:1]), 2.0)})
    assert Calibration.from_json(calibration.to_json()) == calibration


@pytest.mark.parametrize("damaged", [{"0": {}}, {"0": {"knots": 3}}, {"x": {}}, []])
def test_a_damaged_calibration_is_refused(damaged: object) -> None:
    """What is no calibration is refused with advice."""
    with pytest.raises(InvalidError, match="train the bundle"):
        Calibration.from_json(damaged)  # type: ignore[arg-type]


def test_a_detector_without_a_say_adds_nothing() -> None:
    """NaN and kinds that calibration never saw have no strength; what is rare has more than what is common."""
    calibration = Calibration({0: fit_tail(np.arange(100.0))})
    kinds, raw = np.array([0, 0, 0, 5], np.int32), np.array([np.nan, 3.0, 99.0, 99.0])
    strength = calibration.strength(kinds, raw)
    assert strength[0] == strength[3] == 0
    assert strength[2] > strength[1] > 0


def test_no_samples_are_refused() -> None:
    """Without a window there is nothing to calibrate on."""
    with pytest.raises(InvalidError, match="normal operation"):
        fit_tail(np.zeros(0))
