"""Transitions: pairs of successive events that training never saw in the group."""

import numpy as np

from models.detectors.transitions import Transitions, pairs_of
from models.records import ALL_SOURCES
from tests.models.bundles import Window
from tests.models.detectors import normal
from tests.models.detectors.normal import (
    ACCEPTED,
    API,
    CLAIM,
    DONE,
    HEARTBEAT,
    NORMAL,
    STARTED,
    STRANGER,
    SYNCED,
    UNSEEN,
    at,
    facts,
    name,
    score,
    sentences_of,
)

DETECTOR = Transitions(np.unique(pairs_of(NORMAL)[1]))


def request(*templates: int) -> Window:
    """Make a session of these, a second apart."""
    return at(enumerate(templates), "req-1")


def test_normal_windows_have_no_new_pair() -> None:
    """Requests are all of one form; how a service's tasks interleave is met in training nearly always."""
    scores = DETECTOR.score(normal.FRESH)
    assert not scores[normal.FRESH.group == 1].any()
    assert (scores[normal.FRESH.group > 6] == 0).mean() > 0.9


def test_each_different_new_pair_counts_once() -> None:
    """Order matters, the begin and the end of a session are part of it, and the same pair twice is one."""
    assert score(
        DETECTOR,
        request(ACCEPTED, CLAIM, CLAIM, DONE),
        request(ACCEPTED, DONE),
        request(ACCEPTED, CLAIM),
        request(CLAIM, DONE),
        request(DONE, CLAIM, ACCEPTED),
        request(ACCEPTED, CLAIM, DONE, CLAIM, DONE, CLAIM, DONE),
    ) == [0, 1, 1, 1, 4, 1]


def test_a_source_has_neither_begin_nor_end() -> None:
    """Where its windows are cut is chance."""
    assert score(DETECTOR, at([(1, STARTED)]), at([(1, HEARTBEAT), (2, HEARTBEAT), (3, STARTED)])) == [0, 0]
    assert score(DETECTOR, at([(1, HEARTBEAT), (2, SYNCED), (3, HEARTBEAT)])) == [2]


def test_unseen_templates_make_no_pairs() -> None:
    """They are told of elsewhere; counting them here too would say the same twice."""
    assert score(DETECTOR, request(ACCEPTED, CLAIM, UNSEEN, DONE), request(UNSEEN)) == [0, 0]


def test_the_source_of_everything_and_groups_never_seen_have_no_say() -> None:
    """NaN, and no reasons."""
    odd = [at([(1, SYNCED), (2, STARTED)], key) for key in (ALL_SOURCES, API, STRANGER, "instance:1")]
    assert np.isnan(score(DETECTOR, *odd)).all()
    assert not any(sentences_of(DETECTOR, facts(*odd), i) for i in range(4))


def test_untaught_it_is_silent() -> None:
    """Without a single pair there is nothing to compare with."""
    empty = Transitions(np.zeros(0, np.int64))
    assert np.isnan(score(empty, request(DONE, ACCEPTED))).all()
    assert sentences_of(empty, facts(request(DONE, ACCEPTED)), 0) == []


def test_it_tells_of_begin_end_and_order() -> None:
    """Each in its own words, three at most."""
    shown = facts(
        request(CLAIM, DONE), request(ACCEPTED, CLAIM), request(ACCEPTED, DONE), request(DONE, CLAIM, ACCEPTED)
    )
    reasons = [sentences_of(DETECTOR, shown, i) for i in range(4)]
    assert reasons[:3] == [
        [f"the session begins with `{name(CLAIM)}` (no session did in training)"],
        [f"the session ends with `{name(CLAIM)}` (no session did in training)"],
        [f"`{name(DONE)}` comes right after `{name(ACCEPTED)}` (never seen in training)"],
    ]
    assert len(reasons[3]) == 3


def test_pairs_of_one_window_are_never_taken_across_windows() -> None:
    """The last event of one and the first of the next are no pair."""
    window, packed = pairs_of(facts(at([(1, STARTED)]), at([(1, SYNCED)]), at([(1, STARTED), (2, SYNCED)])))
    assert window.tolist() == [2]
    assert len(packed) == 1
