"""Novelty: templates that training never saw, or never in this group."""

import pytest

from models.detectors.novelty import ELSEWHERE as HALF
from models.detectors.novelty import REMARK, Novelty
from models.features.vocabulary import Vocabulary
from models.features.window_features import WindowFeatures
from models.records import ALL_SOURCES, Level
from models.templates.matcher import template_id
from tests.models.detectors import normal
from tests.models.detectors.normal import (
    API,
    CLAIM,
    FRESH,
    HEARTBEAT,
    NORMAL,
    STRANGER,
    SYNCED,
    UNSEEN,
    at,
    facts,
    name,
    score,
    sentences_of,
)

DETECTOR = Novelty(normal.tokens_of_groups(NORMAL))
OTHER_UNSEEN = template_id("disk on fire")


def test_normal_windows_hold_nothing_new() -> None:
    """Of windows that it never saw, none scores."""
    assert not DETECTOR.score(FRESH).any()


def test_each_new_template_counts_once_however_often_it_comes() -> None:
    """An unseen one counts one, one known elsewhere a half; known ones nothing."""
    assert score(
        DETECTOR,
        at([(1, HEARTBEAT), (2, UNSEEN)]),
        at([(n, UNSEEN) for n in range(9)]),
        at([(1, UNSEEN), (2, OTHER_UNSEEN), (3, UNSEEN)]),
        at([(1, SYNCED), (2, SYNCED), (3, HEARTBEAT)]),
        at([(1, SYNCED), (2, UNSEEN)]),
        at([(1, SYNCED), (2, HEARTBEAT)], ALL_SOURCES),
    ) == [1.0, 1.0, 2.0, HALF, 1.0 + HALF, 0.0]


def test_what_is_new_needs_neither_baseline_nor_whole_window() -> None:
    """Torn windows and services without baseline have a score too: for the latter only the unseen is new."""
    assert score(
        DETECTOR,
        at([(1, UNSEEN)], whole=False),
        at([(1, UNSEEN), (2, HEARTBEAT)], STRANGER),
        at([(1, UNSEEN), (2, HEARTBEAT)], API),
    ) == [1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        ((Level.DEBUG, Level.DEBUG), 0.0),
        ((Level.DEBUG, Level.INFO), REMARK),
        ((Level.INFO, Level.INFO), REMARK),
        ((Level.INFO, Level.UNKNOWN), 2.0),
        ((Level.INFO, Level.WARNING), 2.0),
        ((Level.DEBUG, Level.ERROR), 1.0),
    ],
)
def test_new_texts_of_little_weight_are_one_remark(levels: tuple[Level, ...], expected: float) -> None:
    """Debug messages are none; beside a warning, or a line of unknown level, information counts in full."""
    weighing = Novelty(normal.tokens_of_groups(NORMAL), Level.INFO)
    assert score(weighing, at([(1, UNSEEN), (2, OTHER_UNSEEN)], levels=levels)) == [expected]
    assert score(DETECTOR, at([(1, UNSEEN), (2, OTHER_UNSEEN)], levels=levels)) == [2.0]


def test_the_level_is_kept_with_what_is_known() -> None:
    """Older bundles have none: all levels weigh alike."""
    weighing = Novelty(normal.tokens_of_groups(NORMAL), Level.INFO)
    assert score(Novelty.from_arrays(weighing.arrays()), at([(1, UNSEEN)])) == [REMARK]
    assert "weak_level" not in DETECTOR.arrays()
    assert score(Novelty.from_arrays(DETECTOR.arrays()), at([(1, UNSEEN)])) == [1.0]


def test_it_tells_how_many_are_new_and_names_those_known_elsewhere() -> None:
    """The unseen have no name; three others at most are named."""
    shown = facts(
        at([(1, UNSEEN), (2, UNSEEN), (3, HEARTBEAT)]),
        at([(1, UNSEEN), (2, OTHER_UNSEEN), (3, SYNCED)]),
        at([(1, CLAIM), (2, HEARTBEAT)]),
        at([(n, template) for n, template in enumerate(normal.TEMPLATES)], "instance:1"),
    )
    assert [sentences_of(DETECTOR, shown, i) for i in range(3)] == [
        ["1 new message type (never seen in training)"],
        [
            "2 new message types (never seen in training)",
            f"`{name(SYNCED)}` is new here (training saw it elsewhere only)",
        ],
        [],
    ]
    # No window of this group was seen at all, so what is usual there is unknown.
    assert sentences_of(DETECTOR, shown, 3) == []
    strict = Novelty({2: facts(at([(1, CLAIM)])).token_counts.token})
    assert len(sentences_of(strict, shown, 3)) == 3


def test_what_training_saw_though_rarely_is_not_called_new() -> None:
    """The sentence counts what training never saw."""
    windows = at([(1, UNSEEN), (2, OTHER_UNSEEN)])
    seen = Vocabulary(normal.VOCABULARY.ids.tolist(), [UNSEEN])
    shown = WindowFeatures.of(facts(windows).windows, seen, normal.GROUPS)
    assert sentences_of(DETECTOR, shown, 0) == ["1 new message type (never seen in training)"]
    both = Vocabulary(normal.VOCABULARY.ids.tolist(), [UNSEEN, OTHER_UNSEEN])
    assert sentences_of(DETECTOR, WindowFeatures.of(facts(windows).windows, both, normal.GROUPS), 0) == []
