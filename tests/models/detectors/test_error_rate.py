"""Levels: more error lines and tracebacks than the group normally shows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.detectors.error_rate import Levels, errors_of
from models.records import ALL_SOURCES, Level
from tests.models.bundles import Window
from tests.models.detectors import normal
from tests.models.detectors.normal import API, COMPUTE, FRESH, GROUPS, HEARTBEAT, STRANGER, facts, score, sentences_of

DETECTOR = Levels.fit(normal.samples(), len(GROUPS))


def lines(errors: int, key: str = COMPUTE, level: int = Level.ERROR, continuations: int = 0) -> Window:
    """Make a window of two usual lines and so many of this level."""
    rows = (HEARTBEAT,) * (errors + 2)
    return Window(rows, key, levels=(int(Level.INFO),) * 2 + (int(level),) * errors, continuations=continuations)


@pytest.mark.parametrize(
    ("level", "count"), [(Level.UNKNOWN, 0), (Level.WARNING, 0), (Level.ERROR, 3), (Level.CRITICAL, 3)]
)
def test_lines_of_error_and_above_count(level: int, count: int) -> None:
    """A warning does not, nor does a line whose level is unknown."""
    assert errors_of(facts(lines(3, level=level))).tolist() == [count]


def test_tracebacks_count_as_one_more() -> None:
    """However many lines they have."""
    assert errors_of(facts(lines(0, continuations=1), lines(1, continuations=40))).tolist() == [1, 2]


def test_normal_windows_score_nothing_or_little() -> None:
    """Where one window in twenty has an error, one error is below what twenty are by far."""
    usual = DETECTOR.score(FRESH)
    assert (usual == 0).mean() > 0.9
    assert usual.max() < 4.0
    assert score(DETECTOR, lines(20))[0] > 10 * usual.max()


@given(st.integers(0, 60), st.sampled_from([COMPUTE, API, STRANGER, ALL_SOURCES, "req-1"]))
@settings(max_examples=50, deadline=None)
def test_more_errors_never_score_less(errors: int, key: str) -> None:
    """One more is always more anomalous, in every group, and no error is no anomaly."""
    none, some, more = score(DETECTOR, lines(0, key), lines(errors, key), lines(errors + 1, key))
    assert none == 0.0
    assert some < more


def test_an_error_weighs_more_where_there_are_fewer() -> None:
    """Groups are compared with themselves: a noisy one may show more."""
    noisy = Levels.fit(normal.samples(facts(*[lines(5)] * 50, *[lines(0, API)] * 50)), len(GROUPS))
    assert score(noisy, lines(5), lines(5, API), lines(5, STRANGER)) == pytest.approx([0.0, 26.08, 26.08], abs=0.01)


def test_it_tells_how_many_and_how_many_are_usual() -> None:
    """Nothing where there is none; where no baseline is, none is usual."""
    shown = facts(lines(0), lines(1, API), lines(3, STRANGER), lines(1, continuations=5))
    rate = f"{float(np.mean(errors_of(normal.NORMAL)[normal.NORMAL.group == 8])):.2g}"
    assert [sentences_of(DETECTOR, shown, i) for i in range(4)] == [
        [],
        ["1 error line (usually 0.01)"],
        ["3 error lines (usually 0)"],
        [f"2 error lines (usually {rate})"],
    ]
