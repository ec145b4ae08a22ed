"""Pace: how long calls of a service take, judged by the minute."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.features.usual_pace import CALLS, FEW, MINUTES, Pace, PaceSamples, token_of
from models.features.vocabulary import SPECIAL
from models.features.window_features import WindowFeatures
from models.records import F64
from models.rfc3339 import SECOND
from tests.models.bundles import Window, windows
from tests.models.detectors.normal import COMPUTE, GROUPS, HEARTBEAT, STARTED, VOCABULARY, token

FLOORS: list[tuple[float, ...]] = [()] * len(VOCABULARY)
FLOORS[token(STARTED)] = (1e-3,)
"""Only messages of one template tell how long something took."""

ELSEWHERE = "neutron-server@controller"


def minutes(durations: Sequence[Sequence[float] | F64], key: str = COMPUTE) -> WindowFeatures:
    """A window per minute, with a line for each duration and one without."""
    made = windows(
        [Window((HEARTBEAT,) + (STARTED,) * len(some), key, values=(float("nan"), *some)) for some in durations]
    )
    later = np.arange(len(made)) * 60 * SECOND
    time = made.time + np.repeat(later, np.diff(made.splits))
    made = dataclasses.replace(made, start=made.start + later, end=made.end + later, time=time)
    return WindowFeatures.of(made, VOCABULARY, GROUPS)


def usual(rng: np.random.Generator, count: int, calls: int = 5) -> list[F64]:
    """Calls of half a second, in the middle, of minutes that differ a little."""
    return [0.5 * np.exp(rng.normal(0, 0.2) + rng.normal(0, 0.5, calls)) for _ in range(count)]


def learnt(*seen: WindowFeatures) -> Pace:
    """Fit to all rows of these minutes."""
    samples = PaceSamples(FLOORS)
    for some in seen:
        samples.add(some, np.arange(len(some.tokens)))
    return samples.fit()


PACE = learnt(minutes(usual(np.random.default_rng(1), 15)))


def strangest(*durations: Sequence[float] | F64, key: str = COMPUTE) -> float:
    """Surprise of one minute, in nats."""
    return float(PACE.surprise(minutes(durations, key))[3].max(initial=0.0))


def test_a_quarter_of_an_hour_tells_a_slow_minute() -> None:
    """Ten times as slow, of several calls; twice as slow may be load."""
    assert strangest([0.5, 0.6, 0.4, 0.5]) == 0
    assert strangest([1.0, 1.2, 0.8, 1.0]) < 1.0
    assert strangest([5.0, 6.0, 4.0, 5.0]) > 5.0


def test_one_slow_call_among_others_is_no_slow_minute() -> None:
    """However slow it is; nor are one or two alone."""
    assert strangest([500.0, 0.5, 0.6, 0.4, 0.5, 0.5]) < 3.0
    assert strangest([500.0] * (CALLS - 1)) == 0


def test_normal_minutes_are_as_rare_as_the_model_says() -> None:
    """Of two hundred others one in ten thousand is beyond once in a day."""
    nats = PACE.surprise(minutes(usual(np.random.default_rng(2), 200)))[3]
    assert len(nats) == 200
    assert nats.max() < np.log(144.0)


def test_only_services_and_numbers_that_training_saw_are_judged() -> None:
    """Another service has other calls, and a template without durations none."""
    assert strangest([500.0] * 9, key=ELSEWHERE) == 0
    assert strangest([500.0] * 9, key="*") == 0
    samples = PaceSamples([()] * len(VOCABULARY))
    seen = minutes(usual(np.random.default_rng(1), 15))
    samples.add(seen, np.arange(len(seen.tokens)))
    assert len(samples.fit().code) == 0
    assert len(samples.fit().surprise(seen)[0]) == 0


@pytest.mark.parametrize(("count", "calls", "places"), [(MINUTES, FEW, 1), (MINUTES - 1, FEW, 0), (MINUTES, 2, 0)])
def test_few_calls_and_few_minutes_teach_nothing(count: int, calls: int, places: int) -> None:
    """A place needs both."""
    assert len(learnt(minutes(usual(np.random.default_rng(3), count, calls))).code) == places


@given(st.lists(st.floats(0.0, 1e6), min_size=CALLS, max_size=6), st.floats(1.0, 100.0))
@settings(max_examples=60, deadline=None)
def test_slower_calls_are_never_less_strange(durations: list[float], factor: float) -> None:
    """All of them by the same factor."""
    assert strangest([value * factor for value in durations]) >= strangest(durations) - 1e-6


def test_a_pace_comes_back_from_its_table_and_names_its_place() -> None:
    """With the token and the column that it watches."""
    assert token_of(int(PACE.code[0])) == (token(STARTED), 0)
    assert token(STARTED) >= SPECIAL
    shown = minutes([[5.0] * 4])
    again = Pace.from_table(PACE.table())
    assert again.surprise(shown)[3].tolist() == PACE.surprise(shown)[3].tolist()


def test_a_window_is_as_strange_in_any_company() -> None:
    """Of a batch of minutes as alone."""
    some: list[F64] = [*usual(np.random.default_rng(4), 20), np.array([5.0] * 4)]
    together = PACE.surprise(minutes(some))[3].tolist()
    assert together == [float(PACE.surprise(minutes([durations]))[3][0]) for durations in some]
