"""Nearest: what a window holds, or how often, beside the nearest window of normal operation."""

import numpy as np
import pytest

from models.detectors import nearest_normal as nearest
from models.detectors.nearest_normal import Nearest
from models.findings import FindingKind
from models.records import ALL_SOURCES
from tests.models.detectors import normal
from tests.models.detectors.normal import (
    API,
    CLAIM,
    ELSEWHERE,
    FRESH,
    HEARTBEAT,
    NORMAL,
    PLUGGED,
    STARTED,
    STRANGER,
    SYNCED,
    UNSEEN,
    at,
    facts,
    name,
    score,
    sentences_of,
    text,
)

SETS, COUNTS = (Nearest.fit(normal.samples(), binary=binary) for binary in (True, False))
BOTH = pytest.mark.parametrize("detector", [SETS, COUNTS], ids=["sets", "counts"])
BEATS = [(10.0 * n, HEARTBEAT) for n in range(6)]
TASK = [(20.0, CLAIM), (23.0, PLUGGED), (26.0, STARTED)]


@BOTH
def test_windows_that_it_knows_have_no_distance(detector: Nearest) -> None:
    """What it was fitted on lies on a reference: nothing is above a thousandth."""
    assert detector.score(NORMAL).max() < 1e-3


@BOTH
def test_other_normal_windows_are_near(detector: Nearest) -> None:
    """Of normal windows that it never saw all but a few lie where it knows one."""
    assert np.quantile(detector.score(FRESH), 0.95) < 0.01


@BOTH
def test_what_is_strange_is_farther_than_all_that_is_normal(detector: Nearest) -> None:
    """A service without its heartbeat, one that speaks of something else, and one of nothing known."""
    missing, other, unseen = score(detector, at(TASK), at([*BEATS, *TASK, (5, SYNCED)]), at([(1, UNSEEN), (2, UNSEEN)]))
    assert missing > detector.score(FRESH).max()
    assert other > detector.score(FRESH).max()
    assert unseen == 1.0


def test_only_counts_look_at_how_often() -> None:
    """Thirty claims without more starts are the same set, but another vector."""
    storm = at([*BEATS, *TASK, *((30 + n / 2, CLAIM) for n in range(30))])
    assert score(SETS, storm)[0] < 1e-3
    assert score(COUNTS, storm)[0] > COUNTS.score(FRESH).max()


@BOTH
def test_it_says_nothing_where_it_cannot_compare(detector: Nearest) -> None:
    """Torn windows, services that training did not see, and services of which it saw too little: NaN, no reason."""
    few = Nearest.fit(normal.samples(facts(*[at(BEATS)] * 19)), binary=True)
    enough = Nearest.fit(normal.samples(facts(*[at(BEATS)] * 20)), binary=True)
    odd = [at(TASK, whole=False), at(TASK, STRANGER), at(TASK, API)]
    assert np.isnan(score(detector, *odd)).all()
    assert [sentences_of(detector, facts(*odd), i) for i in range(3)] == [[], [], []]
    assert np.isnan(score(few, at(TASK))[0])
    assert score(enough, at(TASK))[0] == 1.0


def test_it_names_what_is_missing_and_what_is_unusual() -> None:
    """Beside the nearest normal window; what no window of the group ever held is for another detector to tell."""
    phases = [at([(1, CLAIM), (2, PLUGGED), (3, STARTED)]), at([(1, HEARTBEAT), (2, SYNCED)])]
    detector = Nearest.fit(normal.samples(facts(*phases * 20)), binary=True)
    shown = facts(
        at([(1, CLAIM), (2, PLUGGED)]),
        at([(1, CLAIM), (2, PLUGGED), (3, STARTED), (4, SYNCED)]),
        at([(1, CLAIM), (2, PLUGGED), (3, STARTED), (4, ELSEWHERE)]),
    )
    reasons = [sentences_of(detector, shown, i) for i in range(3)]
    assert reasons == [
        [f"`{name(STARTED)}` is missing (the most similar normal window has it)"],
        [f"`{name(SYNCED)}` is unexpected (the most similar normal window lacks it)"],
        [],
    ]


def test_it_names_three_differences_at_most() -> None:
    """A window that lacks nearly everything is told in short."""
    reported = normal.findings_of(SETS, facts(at([(20.0, STARTED)], ALL_SOURCES)), 0, text)
    assert len(reported) == 3
    absent = {finding.template for finding in reported if finding.kind is FindingKind.ABSENT}
    assert {name(HEARTBEAT), name(SYNCED)} < absent


@pytest.mark.parametrize("binary", [True, False])
def test_of_very_many_windows_it_keeps_some(monkeypatch: pytest.MonkeyPatch, *, binary: bool) -> None:
    """So many different windows of each group, and no more."""
    monkeypatch.setattr(nearest, "REFERENCES", 5)
    arrays = Nearest.fit(normal.samples(), binary=binary).arrays()
    assert max(len(array) for part, array in arrays.items() if part.endswith("vectors")) <= 5


def test_forgetting_what_it_compared_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Distances are remembered to save time only."""
    monkeypatch.setattr(nearest, "CACHED", 3)
    again = Nearest.from_arrays(COUNTS.arrays())
    for _ in range(2):
        assert again.score(FRESH).tobytes() == COUNTS.score(FRESH).tobytes()
