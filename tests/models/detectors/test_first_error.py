"""Onset: whether a window ends with an error."""

from dataclasses import replace

import numpy as np
import pytest

from models.calibration.tails import Calibration, fit_tail
from models.detectors.ensemble import SCORE_SCALE
from models.detectors.first_error import Onset
from models.records import ALL_SOURCES, Level
from tests.models.bundles import Window
from tests.models.detectors import normal
from tests.models.detectors.normal import CLAIM, COMPUTE, HEARTBEAT, facts, score, sentences_of

DETECTOR = Onset()
AT_ERROR = Window((CLAIM, HEARTBEAT), ALL_SOURCES, seconds=(3.0, 59.9995), levels=(2, 4))


@pytest.mark.parametrize(
    ("window", "found"),
    [
        (AT_ERROR, 1),
        (replace(AT_ERROR, key=COMPUTE), np.nan),
        (replace(AT_ERROR, levels=(2, int(Level.CRITICAL))), 1),
        (replace(AT_ERROR, levels=(4, int(Level.WARNING))), 0),
        (replace(AT_ERROR, seconds=(3.0, 59.9985)), 0),
        (normal.at([(59.9995, CLAIM)], "req-1", levels=(4,)), np.nan),
        (Window((), ALL_SOURCES), 0),
    ],
)
def test_an_error_in_the_last_millisecond_is_found(window: Window, found: float) -> None:
    """Not one before, nor a line of a lower level; only everything is asked."""
    assert score(DETECTOR, window) == pytest.approx([found], nan_ok=True)


def test_it_says_as_much_as_such_windows_are_rare() -> None:
    """One in so many as were seen, and no more: there is no more than one error in a moment."""
    for seen, strength in ((0, 3.0), (20, 1.7), (400, 0.4)):
        tail = fit_tail(np.repeat([0.0, 1.0], [999 - seen, seen]), SCORE_SCALE["onset"])
        assert Calibration({0: tail}).strength(np.zeros(1, np.int32), np.ones(1))[0] == pytest.approx(strength, abs=0.1)


def test_it_leaves_the_words_to_the_errors() -> None:
    """How many there are says the detector that counts them."""
    assert sentences_of(DETECTOR, facts(AT_ERROR), 0) == []
