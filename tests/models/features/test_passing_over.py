"""Windows without new texts of little weight."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.features.passing_over import is_weak, judged, known_share
from models.features.vocabulary import Vocabulary
from models.features.window_features import WindowFeatures
from models.records import Level, RowFlag
from models.templates.matcher import template_id
from models.windows.batches import without
from tests.models.bundles import Window, windows
from tests.models.detectors.normal import (
    CLAIM,
    COMPUTE,
    GROUPS,
    HEARTBEAT,
    STARTED,
    UNSEEN,
    VOCABULARY,
    at,
    facts,
)

OTHER = template_id("another text that training never saw")
DEBUG, INFO, WARNING, UNKNOWN = Level.DEBUG, Level.INFO, Level.WARNING, Level.UNKNOWN


def test_new_texts_up_to_a_level_are_weak() -> None:
    """Not those that training knows, nor warnings, nor lines of unknown level; with UNKNOWN as the level none."""
    shown = facts(Window((UNSEEN, UNSEEN, CLAIM, CLAIM), COMPUTE, levels=(DEBUG, INFO, INFO, WARNING)))
    assert is_weak(shown, INFO).tolist() == [True, True, False, False]
    assert is_weak(shown, DEBUG).tolist() == [True, False, False, False]
    assert not is_weak(shown, UNKNOWN).any()


def test_what_training_saw_though_rarely_is_weak_but_for_errors() -> None:
    """As what a service writes at its start, without a level, or in warnings."""
    mild = Window((UNSEEN,) * 3, COMPUTE, levels=(UNKNOWN, WARNING, INFO))
    batch = windows([mild, Window((UNSEEN,), COMPUTE, levels=(Level.ERROR,)), Window((OTHER,), COMPUTE)])
    rare = WindowFeatures.of(batch, Vocabulary(VOCABULARY.ids.tolist(), [UNSEEN]), GROUPS)
    assert is_weak(rare, UNKNOWN).tolist() == [True, True, True, False, False]


@pytest.mark.parametrize("level", [UNKNOWN, WARNING, Level.CRITICAL])
def test_beside_news_only_debug_messages_are_weak(level: Level) -> None:
    """A new warning is news, and so is the new information beside it; in its own window only."""
    window = Window((UNSEEN, UNSEEN, UNSEEN), COMPUTE, levels=(DEBUG, INFO, level))
    shown = facts(window, Window((UNSEEN,), COMPUTE))
    assert is_weak(shown, INFO).tolist() == [True, False, False, True]


@pytest.mark.parametrize("mark", [RowFlag.CLIENT_FAULT, RowFlag.SERVER_FAULT, RowFlag.FAILURE, RowFlag.CRASH])
def test_bad_news_is_weak_only_at_debug(mark: RowFlag) -> None:
    """A request that is refused for the first time is news at level INFO; that a process starts is not."""
    window = Window((UNSEEN,), COMPUTE, levels=(INFO,), marks=(mark,))
    debug = Window((UNSEEN,), COMPUTE, levels=(DEBUG,), marks=(mark,))
    start = Window((UNSEEN,), COMPUTE, levels=(INFO,), marks=(RowFlag.START,))
    assert is_weak(facts(window, debug, start), INFO).tolist() == [False, True, True]


def test_all_else_is_as_if_they_were_not_there() -> None:
    """Rows, fresh rows and context of the windows that remain are those of windows that never had them."""
    noisy = Window((CLAIM, UNSEEN, HEARTBEAT, UNSEEN, STARTED, UNSEEN), COMPUTE, fresh=3, context=2)
    quiet = Window((CLAIM, HEARTBEAT, STARTED), COMPUTE, fresh=1, context=1, seconds=(0, 2, 4))
    left, wanted = judged(facts(noisy, quiet), INFO), facts(quiet, quiet)
    for name in ("splits", "new_rows", "context", "time", "template", "level"):
        assert getattr(left.windows, name).tolist() == getattr(wanted.windows, name).tolist(), name
    assert left.tokens.tolist() == wanted.tokens.tolist()
    assert left.token_counts.hashes().tolist() == wanted.token_counts.hashes().tolist()


def test_windows_without_them_stay_what_they_are() -> None:
    """Nothing is worked out again."""
    shown = facts(at([(1, CLAIM)]))
    assert judged(shown, INFO) is shown


@given(st.lists(st.lists(st.booleans(), max_size=6), min_size=1, max_size=5))
@settings(max_examples=60, deadline=None)
def test_each_window_keeps_the_rows_that_are_not_dropped(dropped: list[list[bool]]) -> None:
    """Whatever windows lie before it, and if nothing of it is left."""
    batch = windows([Window((CLAIM,) * len(rows), COMPUTE) for rows in dropped])
    flat = np.array([drop for rows in dropped for drop in rows], np.bool_)
    left = without(batch, flat)
    assert np.diff(left.splits).tolist() == left.new_rows.tolist() == [rows.count(False) for rows in dropped]
    assert left.row_ids.tolist() == np.flatnonzero(~flat).tolist()


def test_the_known_share_of_a_window_leaves_debug_messages_out() -> None:
    """Debug messages come beside the others; a reworded one comes in the place of another."""
    shown = facts(
        Window((UNSEEN, UNSEEN, CLAIM), COMPUTE, levels=(DEBUG, INFO, INFO)),
        Window((UNSEEN, CLAIM), COMPUTE, levels=(DEBUG, INFO)),
        Window((UNSEEN,), COMPUTE, levels=(DEBUG,)),
    )
    assert known_share(shown, INFO).tolist() == pytest.approx([0.5, 1.0, 1.0])
