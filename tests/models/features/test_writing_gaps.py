"""Gaps of sources: how strange a silence is, learnt from a quarter of an hour."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.features.writing_gaps import DAY_S, LEAST, GapModel, GapTally, fit_gaps
from models.records import F64

QUARTER = 900.0


def gaps_of(rng: np.random.Generator, mean: float, seconds: float = QUARTER) -> F64:
    """Random gaps that fill some time."""
    gaps = rng.exponential(mean, int(3 * seconds / mean) + 10)
    return gaps[np.cumsum(gaps) < seconds]


def model(*sources: F64) -> GapModel:
    """Fit to the gaps of some sources."""
    tallies = []
    for gaps in sources:
        tally = GapTally()
        tally.add(gaps)
        tallies.append(tally)
    return fit_gaps(tallies)


def clock(period: float, seconds: float = QUARTER) -> F64:
    """Gaps of a source that a clock makes write, a little early or late."""
    rng = np.random.default_rng(3)
    return period + rng.uniform(-0.3, 0.3, int(seconds / period))


@pytest.mark.parametrize("period", [10.0, 15.0, 60.0])
def test_who_writes_by_the_clock_is_missed_within_two_minutes(period: float) -> None:
    """Four times a minute as once a minute; two silences of a period in a row would say nothing of random writers."""
    one = model(clock(period))
    assert one.steady.tolist() == [True]
    (((usual, late),),) = (one.surprise(np.array([[period * 1.01], [120.0 + period / 3]])).T,)
    assert usual < 1.0
    assert late > 5.0


def test_silences_are_as_rare_as_the_model_says() -> None:
    """Of random writers: in two hundred times a quarter of an hour, silences below once in a quarter are few."""
    rng = np.random.default_rng(1)
    strange, trials = 0, 200
    for _ in range(trials):
        learnt = model(gaps_of(rng, 5.0))
        longest = gaps_of(rng, 5.0).max()
        strange += learnt.surprise(np.array([[longest]]))[0, 0] > np.log(10.0)
    # Once in ten blocks of ten minutes each would be one in seven.
    assert strange / trials < 0.15


def test_the_fewer_gaps_were_seen_the_less_a_silence_says() -> None:
    """The same rhythm for five minutes, a quarter of an hour and two hours."""
    rng = np.random.default_rng(2)
    silent = np.array([[60.0, 2.0]])
    short, long = (
        np.median([model(gaps_of(rng, 5.0, s), gaps_of(rng, 5.0, s)).surprise(silent)[0, 0] for _ in range(30)])
        for s in (120.0, QUARTER)
    )
    assert 0 < short < long


def test_when_users_sleep_nobody_who_follows_them_is_strange() -> None:
    """All are silent alike; one that is silent while the others write is not at rest, and a clock does not sleep."""
    rng = np.random.default_rng(4)
    learnt = model(*(gaps_of(rng, 3.0) for _ in range(6)), clock(15.0))
    asleep = np.array([[60.0] * 6 + [5.0]])
    one = np.array([[100.0] + [3.0] * 5 + [5.0]])
    stopped_clock = np.array([[60.0] * 6 + [90.0]])
    assert learnt.surprise(asleep).max() < 1.0
    assert learnt.surprise(one)[0, 0] > 5.0
    assert learnt.surprise(stopped_clock)[0, 6] > 5.0


def test_two_logs_of_one_service_that_stop_together_are_both_strange() -> None:
    """The others show that users are there; where half of them are silent, users may be going."""
    rng = np.random.default_rng(8)
    learnt = model(*(gaps_of(rng, 3.0) for _ in range(8)))
    surprise = learnt.surprise(np.array([[100.0] * 2 + [3.0] * 6, [100.0] * 4 + [3.0] * 4]))
    assert surprise[0, :2].min() > 5.0
    assert surprise[1].max() < surprise[0, :2].min() / 2


def test_a_lone_follower_may_be_at_rest_until_training_saw_days() -> None:
    """Beside a clock nothing says whether users are there; whoever was watched for a day was seen at night."""
    rng = np.random.default_rng(5)
    silent = np.array([[170.0, 5.0]])
    assert model(gaps_of(rng, 3.0), clock(15.0)).surprise(silent)[0, 0] == 0
    assert model(gaps_of(rng, 3.0, 2 * DAY_S), clock(15.0, 2 * DAY_S)).surprise(silent)[0, 0] > 5.0


@given(st.lists(st.floats(0.0, 500.0), min_size=3, max_size=3), st.integers(0, 2), st.floats(0.0, 300.0))
@settings(max_examples=60, deadline=None)
def test_a_longer_silence_is_never_less_strange(silent: list[float], source: int, more: float) -> None:
    """Of one source, whatever the others do."""
    rng = np.random.default_rng(6)
    learnt = model(*(gaps_of(rng, mean) for mean in (2.0, 5.0, 9.0)))
    longer = [*silent]
    longer[source] += more
    assert learnt.surprise(np.array([longer]))[0, source] >= learnt.surprise(np.array([silent]))[0, source]


def test_a_tally_keeps_the_longest_gaps_alone() -> None:
    """However many there are; those below a second only add to the time."""
    tally = GapTally()
    tally.add(np.arange(1000.0) / 10)
    assert len(tally.longest) < 30
    assert max(tally.longest) == 99.9
    assert tally.count == 990
    assert tally.seconds == pytest.approx(np.arange(1000.0).sum() / 10)


def test_a_model_comes_back_from_its_table() -> None:
    """With all that decides."""
    rng = np.random.default_rng(7)
    learnt = model(gaps_of(rng, 3.0), gaps_of(rng, 4.0))
    again = GapModel.from_arrays(**learnt.arrays())
    silent = np.array([[100.0, 50.0]])
    assert again.surprise(silent).tolist() == learnt.surprise(silent).tolist()
    assert len(fit_gaps([])) == 0
    assert LEAST > 2
