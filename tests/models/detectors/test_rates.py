"""Rates: too many or too few of one template."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.detectors.rates import Rates
from models.facts import UNKNOWN
from models.records import EVERYTHING
from models.sequences import SHARED
from tests.models.bundles import Window
from tests.models.detectors import normal
from tests.models.detectors.normal import (
    API,
    CLAIM,
    COMPUTE,
    FRESH,
    HEARTBEAT,
    PLUGGED,
    STARTED,
    STRANGER,
    SYNCED,
    at,
    facts,
    name,
    score,
    told,
)

SERVICE = normal.GROUPS.of(facts(at([(1, CLAIM)])).windows)[0].item()
DETECTOR = Rates.fit(normal.samples(), (SHARED, SERVICE))
TASK = [(20.0, CLAIM), (23.0, PLUGGED), (26.0, STARTED)]


def beats(count: int, key: str = COMPUTE) -> Window:
    """Make a window with so many heartbeats, and a usual task."""
    return at([*((n * 59 / max(count, 1), HEARTBEAT) for n in range(count)), *TASK], key)


def test_counts_in_the_range_that_was_seen_score_nothing() -> None:
    """All but a few normal windows."""
    scores = DETECTOR.score(FRESH)[FRESH.group >= SHARED]
    assert (scores == 0).mean() > 0.95


def test_too_few_and_too_many_score_by_their_distance() -> None:
    """Six heartbeats are usual; none, three, twelve and sixty are farther and farther from it."""
    usual, three, none, twelve, sixty = score(DETECTOR, *map(beats, (6, 3, 0, 12, 60)))
    assert usual == 0.0
    assert 0 < three < none
    assert 0 < twelve < sixty
    assert sixty > DETECTOR.score(FRESH)[FRESH.group >= SHARED].max()


@given(st.integers(7, 80), st.integers(1, 20))
@settings(max_examples=40, deadline=None)
def test_more_of_too_many_never_scores_less(count: int, more: int) -> None:
    """The distance rises with the count."""
    some, many = score(DETECTOR, beats(count), beats(count + more))
    assert some < many


def test_only_groups_that_were_asked_for_have_a_baseline() -> None:
    """Others, torn windows and services unheard of: NaN, no reason; neither do too few windows make one."""
    odd = [beats(0, "req-1"), beats(0, API), beats(0, STRANGER), at(TASK, whole=False)]
    assert np.isnan(score(DETECTOR, *odd)).all()
    assert [DETECTOR.reasons(facts(*odd), i) for i in range(4)] == [[]] * 4
    few, enough = (Rates.fit(normal.samples(facts(*[beats(6)] * n)), (SERVICE,)) for n in (19, 20))
    assert np.isnan(score(few, beats(0))[0])
    assert score(enough, beats(0))[0] > 0


def test_a_rare_outlier_does_not_widen_the_range() -> None:
    """One window in two hundred may lie outside: what happened once in a long training is told when it comes again."""
    once = Rates.fit(normal.samples(facts(*[beats(6)] * 399, beats(30))), (SERVICE,))
    often = Rates.fit(normal.samples(facts(*[beats(6)] * 390, *[beats(30)] * 10)), (SERVICE,))
    assert score(once, beats(30))[0] > 0
    assert score(often, beats(30)) == [0.0]


def test_where_counts_vary_more_must_happen() -> None:
    """Thirty heartbeats are stranger where there always are six than where there are one to twenty."""
    steady, erratic = (
        Rates.fit(normal.samples(facts(*map(beats, counts))), (SERVICE,)) for counts in ([6] * 100, [*range(1, 21)] * 5)
    )
    (surprised,), (used_to_it,) = score(steady, beats(30)), score(erratic, beats(30))
    assert surprised == pytest.approx((30**0.5 - 6**0.5) / 0.35, abs=1e-4)
    assert 0 < used_to_it < surprised / 2


def test_it_tells_how_many_and_how_many_are_usual() -> None:
    """The farthest first, three at most; nothing of a usual window."""
    shown = facts(beats(60), beats(6), at([(1, SYNCED)], EVERYTHING))
    (sentence,) = told(DETECTOR.reasons(shown, 0))
    assert sentence == f"60 of {name(HEARTBEAT)} in 60 s, usually 6 to 6"
    assert DETECTOR.reasons(shown, 1) == []
    lacking = told(DETECTOR.reasons(shown, 2))
    assert len(lacking) <= 3
    assert lacking[0] == f"0 of {name(HEARTBEAT)} in 60 s, usually 6 to 6"


@pytest.mark.parametrize("groups", [(), (UNKNOWN,), (5,)])
def test_groups_without_windows_are_left_out(groups: tuple[int, ...]) -> None:
    """Nothing is learnt of them, and nothing said."""
    assert Rates.fit(normal.samples(), groups).arrays() == {}


@given(normal.BATCHES)
@settings(max_examples=40, deadline=None)
def test_the_company_does_not_matter(batch: tuple[list[Window], list[int]]) -> None:
    """Alone or among others: the same to the last bit."""
    normal.assert_company_does_not_matter(DETECTOR, *batch)


@given(normal.ANY)
@settings(max_examples=20, deadline=None)
def test_it_reads_back_as_it_was(chosen: list[Window]) -> None:
    """Its arrays are all that it learnt."""
    normal.assert_reads_back(DETECTOR, chosen)
