"""FollowUps: what nearly always comes with something else, and is missing."""

import numpy as np
import pytest

from models.detectors import missing_followups as followups
from models.detectors.missing_followups import SUPPORT, FollowUps
from models.records import ALL_SOURCES
from tests.models.detectors import normal
from tests.models.detectors.normal import (
    ACCEPTED,
    API,
    CLAIM,
    COMPUTE,
    DONE,
    FRESH,
    HEARTBEAT,
    PLUGGED,
    STARTED,
    STRANGER,
    Rows,
    at,
    facts,
    name,
    score,
    sentences_of,
)

DETECTOR = FollowUps.fit(normal.samples())
BEATS: Rows = [(10.0 * n, HEARTBEAT) for n in range(6)]


def task(begin: float, *without: int) -> Rows:
    """Lines of a task that begins then, but for some."""
    rows = [(begin, CLAIM), (begin + 3, PLUGGED), (begin + 6, STARTED)]
    return [row for row in rows if row[1] not in without]


def test_normal_windows_break_no_rule() -> None:
    """Of windows that it never saw, all but a few are silent."""
    scores = DETECTOR.score(FRESH)
    assert (scores == 0).mean() > 0.97


def test_a_follow_up_that_is_missing_scores() -> None:
    """In the window of a service, in that of everything, and at the end of a request."""
    lacking = [at([*BEATS, *task(5, STARTED)], key) for key in (COMPUTE, ALL_SOURCES)]
    request = at([(0, ACCEPTED), (1, CLAIM)], "req-1")
    assert min(score(DETECTOR, *lacking, request)) > 1.0
    assert score(DETECTOR, at([*BEATS, *task(5)]), at([(0, ACCEPTED), (1, CLAIM), (5, DONE)], "req-2")) == [0, 0]


def test_one_of_many_that_is_missing_scores() -> None:
    """Three tasks begin and two start: starts are there, but not as often as they should be."""
    short = at([*BEATS, *task(5), *task(16), *task(27, STARTED)])
    assert score(DETECTOR, short)[0] > 0
    assert score(DETECTOR, at([*BEATS, *task(5), *task(16), *task(27)])) == [0]
    usual = f"usually as often as `{name(CLAIM)}`, 3 times"
    assert f"`{name(STARTED)}` comes 2 times within 60 s ({usual})" in sentences_of(DETECTOR, facts(short), 0)


def test_what_begins_late_may_be_followed_later() -> None:
    """Nothing is missing yet of a task that begins in the newest step."""
    assert score(DETECTOR, at([*BEATS, *task(5), (58, CLAIM)])) == [0]


def test_more_that_is_missing_never_scores_less() -> None:
    """A task without its middle and end is stranger than one without its end."""
    one, two = score(DETECTOR, at([*BEATS, *task(5, STARTED)]), at([*BEATS, *task(5, STARTED, PLUGGED)]))
    assert one < two


def test_it_has_no_say_without_rules() -> None:
    """Torn windows, services that it does not know, and ones that it saw too seldom: NaN, and no reasons."""
    rows = [*BEATS, *task(5, STARTED)]
    odd = [at(rows, whole=False), at(rows, STRANGER), at(rows, API)]
    assert np.isnan(score(DETECTOR, *odd)).all()
    assert [sentences_of(DETECTOR, facts(*odd), i) for i in range(3)] == [[]] * 3
    whole = [at([*BEATS, *task(5)])]
    few, enough = (FollowUps.fit(normal.samples(facts(*whole * n))) for n in (SUPPORT - 1, SUPPORT))
    assert np.isnan(score(few, at(rows))[0])
    assert score(enough, at(rows))[0] > 0


def test_what_is_often_missing_is_no_rule() -> None:
    """Where one task in ten does not start, its absence is nothing to tell."""
    chosen = [at([*BEATS, *task(5, *([STARTED] if n % 10 == 0 else []))]) for n in range(200)]
    detector = FollowUps.fit(normal.samples(facts(*chosen)))
    assert score(detector, at([*BEATS, *task(5, STARTED)])) == [0]
    assert score(detector, at([*BEATS, *task(5, PLUGGED)]))[0] > 0


@pytest.mark.parametrize(("seen", "nats"), [(20, 0.742), (100, 2.313), (1000, 4.606)])
def test_a_miss_surprises_more_the_more_often_it_did_not_happen(seen: int, nats: float) -> None:
    """By how much the rule is surer than it must be, in nats; misses of several rules add up by their squares."""
    pair = [at([(1, CLAIM), (2, PLUGGED)])] * seen
    assert score(FollowUps.fit(normal.samples(facts(*pair))), at([(1, CLAIM)])) == [pytest.approx(nats, abs=1e-3)]
    three = [at([(1, CLAIM), (2, PLUGGED), (3, STARTED)])] * seen
    two = score(FollowUps.fit(normal.samples(facts(*three))), at([(1, CLAIM)]))
    assert two == [pytest.approx(nats * 2**0.5, abs=1e-3)]


def test_very_many_windows_are_scored_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which bounds memory and changes no score."""
    whole = DETECTOR.score(FRESH)
    monkeypatch.setattr(followups, "_ROWS", 7)
    assert DETECTOR.score(FRESH).tobytes() == whole.tobytes()


def test_it_names_what_is_missing_and_where() -> None:
    """One sentence per missing template, three at most; in a session they say so."""
    shown = facts(at([*BEATS, *task(5, STARTED)]), at([(0, ACCEPTED), (1, CLAIM)], "req-1"), at([*BEATS, *task(5)]))
    service, request, usual = ([*sentences_of(DETECTOR, shown, i)] for i in range(3))
    assert len(service) == 1
    assert service[0].startswith(f"`{name(STARTED)}` is missing (usually comes with `")
    assert service[0].endswith("` within 60 s)")
    assert request[0].startswith(f"`{name(DONE)}` is missing (usually comes with `")
    assert request[0].endswith("` in the same session)")
    assert usual == []


@pytest.mark.parametrize("most", [1, 3])
def test_only_the_surest_rules_are_kept(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    """However many templates a group has, a bundle stays small."""
    monkeypatch.setattr(followups, "MOST_RULES", most)
    arrays = FollowUps.fit(normal.samples()).arrays()
    assert {array.shape[1] for part, array in arrays.items() if part.endswith("rules")} == {most}
