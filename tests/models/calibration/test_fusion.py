"""Fusion: strengths of all detectors to expected false alarms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.calibration.fusion import BLOCK_US, COMMON, Fusion, blocks_of, fit_extremes, joint
from models.calibration.sign_rates import SignRates
from models.calibration.tails import Calibration, fit_tail
from models.detectors.signs import Sign, SignEvidence
from models.errors import InvalidError
from models.features.sequences import SHARED

RNG = np.random.default_rng(7)
TAIL = fit_tail(RNG.exponential(1.0, 2000))


def fusion(*kinds: int) -> Fusion:
    """One detector, calibrated on exponential scores of twenty days, five windows to a block."""
    raw = RNG.exponential(1.0, 20_000)
    calibration = Calibration(dict.fromkeys(kinds, TAIL))
    strength = joint({"a": calibration.strength(np.full(len(raw), kinds[0], np.int32), raw)}, len(raw))
    extremes = fit_extremes(strength, np.arange(len(raw)) // 5, 20.0)
    return Fusion({"a": calibration}, dict.fromkeys(kinds, extremes))


def test_as_many_windows_reach_the_budget_as_it_says() -> None:
    """Of normal windows like those of calibration, at most one a day is expected at one false alarm a day."""
    model = fusion(0)
    days = 200
    raw = RNG.exponential(1.0, 1000 * days)
    kinds = np.zeros(len(raw), np.int32)
    alarms = model.false_alarms(kinds, model.strengths(kinds, {"a": raw})) <= 0
    assert 0 < alarms.sum() / days < 1.5


@given(st.lists(st.floats(0, 40), min_size=1, max_size=50), st.integers(1, 20))
def test_a_higher_strength_is_never_expected_more_often(strengths: list[float], blocks: int) -> None:
    """Expected false alarms fall with the strength, and strictly far beyond anything seen."""
    seen = np.array(strengths)
    extremes = fit_extremes(seen, np.arange(len(seen)) % blocks, 0.5)
    assert (np.diff(extremes.log_per_day(np.linspace(0, max(strengths), 100))) <= 1e-9).all()
    beyond = extremes.log_per_day(max(*strengths, extremes.loc) + np.array([1.0, 10.0, 100.0]))
    assert (np.diff(beyond) < 0).all()


def test_an_erratic_kind_is_trusted_less() -> None:
    """Where the largest strength differs from block to block, the same strength is expected more often."""
    even = fit_extremes(np.full(100, 4.0), np.arange(100), 1.0)
    erratic = fit_extremes(np.tile([0.0, 8.0], 50), np.arange(100), 1.0)
    assert erratic.log_per_day(np.array([15.0]))[0] > even.log_per_day(np.array([15.0]))[0]


def test_of_many_blocks_the_upper_tenth_is_asked_too() -> None:
    """Quartiles of blocks that are mostly quiet say nothing of the busy ones; few blocks do not say enough."""
    many, few = (np.where(np.arange(count) % 8, 1.0 + RNG.random(count) / 9, 6.0) for count in (4000, 200))
    wide, prior = (fit_extremes(each, np.arange(len(each)), len(each) / 144).scale for each in (many, few))
    assert wide > 2.0
    assert prior == pytest.approx(0.834, abs=0.01)


def test_a_few_faults_among_the_normal_logs_hardly_move_the_threshold() -> None:
    """One block in twenty with something far beyond the others; the largest would be taken for usual otherwise."""
    clean = RNG.gumbel(4.0, 1.0, 400)
    foul = np.where(np.arange(400) % 20, clean, 30.0)
    blocks = np.arange(400)
    expected, found = (fit_extremes(each, blocks, 4.0).log_per_day(np.array([20.0]))[0] for each in (clean, foul))
    assert expected < -4
    assert abs(found - expected) < 2.0


def test_strong_and_weak_voices_both_count() -> None:
    """One strong voice keeps its strength, several weak ones add up, and what is common adds nothing."""
    n = np.ones(1)
    alone = joint({"a": 6.0 * n, "b": 0.3 * n}, 1)[0]
    assert alone == pytest.approx(6.0 - COMMON)
    assert joint({"a": 6.0 * n, "b": 2.0 * n, "c": 2.0 * n}, 1)[0] > alone
    assert joint({"a": 0.5 * n}, 1)[0] == 0


def test_one_voice_that_is_sure_among_all_windows_of_a_day_needs_no_other() -> None:
    """Of windows over everything, and errors of a source; others' mumbling makes it no less rare."""
    model = fusion(0, SHARED)
    erratic = fit_extremes(np.tile([0.0, 8.0], 50), np.arange(100) // 2, 1.0)
    model = Fusion(model.parts, {0: erratic, SHARED: erratic})
    kinds = np.array([0, SHARED], np.int32)
    said = {"a": np.full(2, 6.0), "b": np.zeros(2)}
    source, everything = model.false_alarms(kinds, said) + np.log10([0.03, 0.97])
    # A hundred windows a day in fifty blocks, and two detectors.
    assert everything == pytest.approx(np.log10(100 * 2) - 6.0 * 50 / 51)
    assert source == pytest.approx(erratic.log_per_day(joint(said, 2))[0])
    assert source > 0 > everything
    errors = model.false_alarms(kinds, {"levels": said["a"], "b": said["b"]}) + np.log10([0.03, 0.97])
    assert errors == pytest.approx([everything, everything])
    louder = model.false_alarms(kinds, {**said, "b": np.full(2, 5.0)}) + np.log10([0.03, 0.97])
    assert (louder <= [source, everything]).all()


def test_a_sign_of_failure_fires_by_its_own_rate_whatever_the_others_say() -> None:
    """It neither adds to the joint strength nor shares its budget; without rates it counts nothing."""
    rates = SignRates.of(SignEvidence({}, 900.0))
    calm = fusion(0, SHARED)
    model = Fusion(calm.parts, calm.fused, rates)
    kinds = np.array([0, SHARED, SHARED], np.int32)
    raws = {"a": np.array([0.1, 0.1, 0.1]), "signs": np.array([Sign.ERROR, Sign.CRITICAL, 0.0])}
    said = model.strengths(kinds, raws)
    assert sorted(said) == ["a", "signs"]
    expected = np.log10([sum(rates.per_day.values()), rates.per_day[Sign.CRITICAL]])
    rate, without = model.false_alarms(kinds, said), calm.false_alarms(kinds, calm.strengths(kinds, raws))
    assert rate[:2] == pytest.approx(expected, abs=0.01)
    assert (rate[:2] < expected + 1e-6).all()
    assert rate[2] == without[2] > 0
    assert sorted(calm.strengths(kinds, raws)) == ["a"]
    assert joint({"signs": np.full(1, 9.0)}, 1)[0] == 0


def test_what_is_stranger_than_a_sign_counts_for_more() -> None:
    """Next to it the sign is nothing; and of two windows with the same sign the stranger one ranks above."""
    model = Fusion(fusion(0).parts, fusion(0).fused, SignRates.of(SignEvidence({}, 900.0)))
    kinds = np.zeros(4, np.int32)
    raws = {"a": np.array([40.0, 40.0, 5.0, 6.0]), "signs": np.array([0.0, *(Sign.ERROR,) * 3])}
    first, second, calm, odd = model.false_alarms(kinds, model.strengths(kinds, raws))
    assert first == pytest.approx(second)
    assert first < -1
    assert odd < calm < 0


def test_a_sign_and_the_joint_strength_are_no_two_pieces_of_news() -> None:
    """Errors that are as rare by their strength as by their sign are hardly rarer by both."""
    rates = SignRates.of(SignEvidence({}, 900.0))
    calm = fusion(0)
    model = Fusion(calm.parts, calm.fused, rates)
    strengths = {"a": np.linspace(0.0, 9.0, 100), "signs": rates.strength(np.full(100, float(Sign.ERROR)))}
    kinds = np.zeros(100, np.int32)
    joined = model.false_alarms(kinds, strengths)
    by_sign = np.log10(sum(rates.per_day.values()))
    alone = calm.false_alarms(kinds, {"a": strengths["a"]})
    assert joined == pytest.approx(np.minimum(alone, by_sign), abs=0.005)


def test_windows_over_everything_get_most_of_the_budget() -> None:
    """The same strength counts for more there than in one source."""
    model = fusion(0, 1, SHARED)
    kinds = np.array([0, 1, SHARED], np.int32)
    rate = model.false_alarms(kinds, {"a": np.full(3, 9.0)})
    assert rate[2] < rate[0] == rate[1]


def test_an_unknown_kind_of_window_is_judged_too() -> None:
    """A kind without samples borrows instead of failing."""
    assert np.isfinite(fusion(0).false_alarms(np.array([5], np.int32), {"a": np.array([3.0])})).all()


def test_blocks_are_stretches_of_one_tenant() -> None:
    """Ten minutes of a tenant are a block; another tenant or time is another."""
    end = np.array([0, BLOCK_US - 1, BLOCK_US, 0])
    numbers = blocks_of(["a", "a", "a", "b"], end).tolist()
    assert numbers[0] == numbers[1]
    assert len(set(numbers)) == 3


def test_json_keeps_every_digit() -> None:
    """What was written reads back as the same numbers."""
    model = fusion(0, SHARED)
    assert Fusion.from_json(model.to_json()) == model


@pytest.mark.parametrize(
    "damaged", [{}, {"parts": {}}, {"parts": {}, "fused": {}}, {"parts": {}, "fused": {"0": {}}}, []]
)
def test_a_damaged_calibration_is_refused(damaged: object) -> None:
    """What is no calibration is refused with advice."""
    with pytest.raises(InvalidError, match="train the bundle"):
        Fusion.from_json(damaged)  # type: ignore[arg-type]


def test_no_samples_are_refused() -> None:
    """Without a window there is nothing to calibrate on."""
    with pytest.raises(InvalidError, match="normal operation"):
        fit_extremes(np.zeros(0), np.zeros(0, np.int64), 1.0)
