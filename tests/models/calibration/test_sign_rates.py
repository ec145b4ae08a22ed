"""Rates of signs: known beforehand, giving way to what the cloud shows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.calibration.sign_rates import PER_DAY, PRIOR, PRIOR_DAYS, SignRates
from models.detectors.signs import Sign, SignEvidence
from models.errors import InvalidError

DAY_S = 86_400.0
QUARTER = SignRates.of(SignEvidence({}, 900.0))
"""After a quarter of an hour without any."""


def per_day(rates: SignRates, signs: int) -> float:
    """Expected windows a day that are at least so anomalous."""
    return float(PER_DAY / 10 ** rates.strength(np.array([float(signs)]))[0])


def test_after_minutes_each_sign_keeps_the_budget_and_the_serious_ones_by_far() -> None:
    """One false alarm a day for all together; a crash is rarer than an error by more than ten times."""
    assert 0.5 < per_day(QUARTER, Sign.ERROR) < 1.0
    assert per_day(QUARTER, Sign.BURST) < 0.3
    assert per_day(QUARTER, Sign.CRITICAL) < per_day(QUARTER, Sign.ERROR) / 10
    assert per_day(QUARTER, Sign.ERROR) == pytest.approx(sum(QUARTER.per_day.values()), rel=1e-4)


def test_one_unlucky_error_in_two_hours_silences_lone_errors_and_nothing_else() -> None:
    """Above one a day they fire no more; bursts and crashes still do."""
    rates = SignRates.of(SignEvidence({Sign.ERROR: 1}, 7200.0))
    assert per_day(rates, Sign.ERROR) > 1.0
    assert per_day(rates, Sign.BURST) < 0.3


def test_of_several_signs_the_rarest_counts() -> None:
    """Whatever else there is."""
    assert per_day(QUARTER, Sign.ERROR | Sign.BURST | Sign.CRITICAL) == per_day(QUARTER, Sign.CRITICAL)


@given(st.sampled_from(list(Sign)), st.integers(0, 1000), st.floats(60.0, 1e8))
def test_the_prior_gives_way(sign: Sign, count: int, seconds: float) -> None:
    """The rate lies between what was known beforehand and what this cloud shows, ever nearer to the latter."""
    seen = count / (seconds / DAY_S)
    rate = SignRates.of(SignEvidence({sign: count}, seconds)).per_day[sign]
    assert min(PRIOR[sign], seen) - 1e-6 <= rate <= max(PRIOR[sign], seen) + 1e-6
    weight = PRIOR_DAYS / (PRIOR_DAYS + seconds / DAY_S)
    assert rate == pytest.approx(weight * PRIOR[sign] + (1 - weight) * seen, rel=1e-6, abs=1e-6)


def test_no_sign_has_no_strength() -> None:
    """Nor has a session, which shows none."""
    assert QUARTER.strength(np.array([0.0, np.nan])).tolist() == [0.0, 0.0]
    assert QUARTER.strength(np.zeros(0)).shape == (0,)


def test_rates_read_back_and_damaged_ones_are_refused() -> None:
    """Every sign has one, above 0."""
    assert SignRates.from_json(QUARTER.to_json()) == QUARTER
    for damage in ({}, {**QUARTER.to_json(), "error": 0.0}, {**QUARTER.to_json(), "no such": 1.0}, {"error": "x"}):
        with pytest.raises(InvalidError, match="signs"):
            SignRates.from_json(damage)
