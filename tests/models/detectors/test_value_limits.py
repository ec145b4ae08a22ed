"""Values: numbers inside lines that are far larger than training ever showed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.detectors import value_limits as values
from models.detectors.value_limits import FEW, MOST, Values, ValueSamples
from models.features.window_features import WindowFeatures
from models.records import VALUES
from tests.models.bundles import Window
from tests.models.detectors import normal
from tests.models.detectors.normal import (
    COMPUTE,
    FRESH,
    HEARTBEAT,
    NORMAL,
    PLUGGED,
    STARTED,
    UNSEEN,
    VOCABULARY,
    facts,
    name,
    score,
    sentences_of,
)

NAN = float("nan")


def fitted(source: WindowFeatures = NORMAL) -> Values:
    """Fit to all rows of these windows."""
    collected = ValueSamples(len(VOCABULARY))
    collected.add(source, np.arange(len(source.tokens)))
    return collected.fit()


DETECTOR = fitted()
LIMIT = float(DETECTOR.arrays()["limit"][normal.token(STARTED), 0])


def lines(*numbers: float, template: int = STARTED) -> Window:
    """Make a window with a line per number, and one without."""
    return Window((HEARTBEAT,) + (template,) * len(numbers), COMPUTE, values=(NAN, *numbers))


def test_normal_values_are_below_their_limit() -> None:
    """One line in two hundred may lie above, and then by little."""
    scores = DETECTOR.score(FRESH)
    assert (scores == 0).mean() > 0.95
    assert scores.max() < 2.0


def test_what_takes_ten_times_as_long_scores() -> None:
    """The excess is summed over lines, and that of one line is limited."""
    usual, slow, slower, twice, forever = score(
        DETECTOR, lines(5.0), lines(50.0), lines(500.0), lines(50.0, 50.0), lines(1e30)
    )
    assert usual == 0.0
    assert slow > max(DETECTOR.score(FRESH))
    assert slower == forever == MOST
    assert twice == pytest.approx(min(2 * slow, 2 * MOST), abs=2e-3)


@given(st.floats(0, 1e30), st.floats(0, 1e30))
@settings(max_examples=60, deadline=None)
def test_a_larger_value_never_scores_less(one: float, other: float) -> None:
    """The score rises with the value, from nothing at the limit."""
    low, high = score(DETECTOR, lines(min(one, other)), lines(max(one, other)))
    assert low <= high
    assert low == 0.0 or np.float32(min(one, other)) > LIMIT


def test_small_missing_and_endless_numbers_are_nothing() -> None:
    """Below the limit, no number, negative: silent; what no double can hold is as large as can be."""
    assert score(DETECTOR, lines(0.0), lines(NAN), lines(-3.0), lines(float("-inf")), lines(float("inf"))) == [
        0.0,
        0.0,
        0.0,
        0.0,
        MOST,
    ]


def test_places_seen_too_seldom_have_no_limit() -> None:
    """Templates whose numbers were not met often enough, and unseen templates, may show any number."""
    few, enough = (fitted(facts(*[lines(1.0, template=PLUGGED)] * count)) for count in (FEW - 1, FEW))
    assert score(few, lines(1e6, template=PLUGGED)) == [0.0]
    assert score(enough, lines(1e6, template=PLUGGED)) == [MOST]
    assert score(DETECTOR, lines(1e6, template=UNSEEN), lines(1e6, template=PLUGGED)) == [0.0, 0.0]


def test_without_any_number_it_is_silent() -> None:
    """Logs without numbers can be learnt from."""
    silent = fitted(facts(Window((HEARTBEAT,), COMPUTE)))
    assert score(silent, lines(1e6)) == [0.0]
    assert ValueSamples(len(VOCABULARY)).fit().score(FRESH).max() == 0.0


def test_each_place_in_a_line_has_its_own_limit() -> None:
    """A large second number is strange where the first may be as large."""
    source = facts(*[lines(1000.0)] * FEW)
    source.windows.values[:, 1] = 1.0
    detector = fitted(source)
    shown = facts(lines(1000.0), lines(1000.0))
    shown.windows.values[:, 1] = [NAN, 1.0, NAN, 900.0]
    assert detector.score(shown).tolist() == [0.0, MOST]
    (sentence,) = sentences_of(detector, shown, 1)
    assert "has a value of 900 (usually below 1)" in sentence


def test_it_tells_how_many_what_like_and_what_is_usual() -> None:
    """Of the template that stands out most; nothing of a usual window."""
    shown = facts(lines(5.0, 50.0, 60.0, 70.0), lines(5.0))
    assert sentences_of(DETECTOR, shown, 0) == [
        f"`{name(STARTED)}` has a value of 60 in 3 lines (usually below {LIMIT:.3g})",
    ]
    assert sentences_of(DETECTOR, shown, 1) == []


def test_of_very_many_values_a_fair_part_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded, and the limit stays about what it was."""
    monkeypatch.setattr(values, "_KEPT", 200)
    collected = ValueSamples(len(VOCABULARY))
    for part in range(8):
        batch = facts(*normal.normal(part, 40))
        collected.add(batch, np.arange(len(batch.tokens)))
    assert 50 < len(collected) <= 200
    limit = float(collected.fit().arrays()["limit"][normal.token(STARTED), 0])
    assert limit == pytest.approx(LIMIT, rel=0.3)
    assert collected.fit().arrays()["limit"].shape == (len(VOCABULARY), VALUES)


def test_thinning_keeps_the_values_of_a_line_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where each line has two numbers, the second has a limit after it as the first has."""
    monkeypatch.setattr(values, "_KEPT", 300)
    source = facts(*[lines(1000.0)] * 151)
    source.windows.values[:, 1] = np.where(source.tokens == normal.token(STARTED), 1.0, NAN)
    limit = fitted(source).arrays()["limit"][normal.token(STARTED), :2]
    assert limit.tolist() == [1000.0, 1.0]
