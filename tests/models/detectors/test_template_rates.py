"""Rates: too many or too few of one template."""

from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.detectors.template_rates import Rates, cycle
from models.features.sequences import SHARED
from models.features.window_features import UNKNOWN, WindowFeatures
from models.records import ALL_SOURCES
from tests.models.bundles import Window, windows
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
    sentences_of,
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
    assert [sentences_of(DETECTOR, facts(*odd), i) for i in range(4)] == [[]] * 4
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
    shown = facts(beats(60), beats(6), at([(1, SYNCED)], ALL_SOURCES))
    (sentence,) = sentences_of(DETECTOR, shown, 0)
    assert sentence == f"`{name(HEARTBEAT)}` comes 60 times in 60 s (usually at most 6)"
    assert sentences_of(DETECTOR, shown, 1) == []
    lacking = sentences_of(DETECTOR, shown, 2)
    assert len(lacking) <= 3
    assert lacking[0] == f"`{name(HEARTBEAT)}` comes 0 times in 60 s (usually at least 6)"


@pytest.mark.parametrize("groups", [(), (UNKNOWN,), (5,)])
def test_groups_without_windows_are_left_out(groups: tuple[int, ...]) -> None:
    """Nothing is learnt of them, and nothing said."""
    assert Rates.fit(normal.samples(), groups).arrays() == {}


HOUR_US = 3_600_000_000
NOON, NIGHT = range(8, 20), (*range(8), *range(20, 24))


def busy(hour: int) -> int:
    """Heartbeats in a minute: many by day, one or so by night; none is due on Sundays."""
    return 0 if hour // 24 % 7 == 3 else 16 if hour % 24 in NOON else 1


def over(hours: range, each: int = 6) -> WindowFeatures:
    """Windows of these hours, each as busy as its hour."""
    made = windows([beats(busy(hour)) for hour in hours for _ in range(each)])
    span = made.end[0] - made.start[0]
    made.end[:] = (
        np.repeat([hour * HOUR_US for hour in hours], each) + np.tile(np.arange(each), len(hours)) * 60_000_000
    )
    made.start[:] = made.end - span
    return WindowFeatures.of(made, normal.VOCABULARY, normal.GROUPS)


def moved(window: Window, hour: int) -> WindowFeatures:
    """The same window at another hour."""
    made = windows([window])
    span = made.end[0] - made.start[0]
    made.end[:] = hour * HOUR_US + 1
    made.start[:] = made.end - span
    return WindowFeatures.of(made, normal.VOCABULARY, normal.GROUPS)


MONDAY = 4 * 24
"""The first of January 1970 was a Thursday."""


def test_what_is_usual_at_noon_is_much_at_night() -> None:
    """After five working days: by day it falls silent, by night it is as busy as by day."""
    detector = Rates.fit(normal.samples(over(range(MONDAY, MONDAY + 120), 30)), (SERVICE,))
    for hour, usual, odd in ((12, 16, 2), (3, 1, 12)):
        at_hour = MONDAY + 14 * 24 + hour
        assert detector.score(moved(beats(usual), at_hour)) == [0.0]
        assert detector.score(moved(beats(odd), at_hour))[0] > 1
        [reason, *_] = sentences_of(detector, moved(beats(odd), at_hour), 0)
        assert reason.endswith(" at this hour of the day)")
    again = Rates.from_arrays(detector.arrays())
    assert again.score(moved(beats(2), MONDAY + 12)) == detector.score(moved(beats(2), MONDAY + 12))


def test_after_weeks_a_sunday_is_no_monday() -> None:
    """Work on a Sunday is odd, though every other day has it at this hour; its rest is not."""
    detector = Rates.fit(normal.samples(over(range(MONDAY, MONDAY + 4 * 168), 30)), (SERVICE,))
    sunday = MONDAY + 5 * 168 + 6 * 24 + 12
    assert busy(sunday) == 0
    assert detector.score(moved(beats(0), sunday)) == [0.0]
    assert detector.score(moved(beats(16), sunday))[0] > 1
    assert sentences_of(detector, moved(beats(16), sunday), 0)[0].endswith(" at this hour of the week)")
    assert detector.score(moved(beats(16), sunday + 24)) == [0.0]
    assert detector.score(moved(beats(0), sunday + 24))[0] > 1


@pytest.mark.parametrize(
    ("hours", "expected"),
    [
        ([hour for hour in range(48) if hour % 5], 1),
        ([hour for hour in range(72) if hour % 5], 24),
        ([hour for hour in range(330) if hour % 5], 24),
        ([hour for hour in range(3 * 168) if hour % 5], 168),
        (range(0, 3000, 7), 1),
        (range(1), 1),
    ],
)
def test_it_takes_days_or_weeks_without_much_missing(hours: Iterable[int], expected: int) -> None:
    """A fifth is held back; single hours over months show no cycle, however many they are."""
    assert cycle(np.array(list(hours), np.int64) * HOUR_US) == expected
