"""Scorers by promotion: loaded when due, few in memory, and who stands in for one that cannot be loaded."""

import logging
from dataclasses import replace

import numpy as np
import pytest

from models.errors import InvalidError, TocsinError, TransientError
from models.registry.manifest import Manifest
from models.rfc3339 import SECOND
from models.scorer import Scorer
from stream.promotion.due_scorers import KEPT, DueScorers
from stream.topics.promotions import PromotionKind, StoredPromotion
from tests.stream.promotion.samples import START, load, promotion, scorer, stored, version


def judge(scorers: DueScorers, second: int) -> str:
    """The bundle that judges a window at so many seconds after START."""
    ((one, chosen),) = scorers.due(np.array([START + second * SECOND], np.int64))
    assert chosen.all()
    return one.bundle_id


def test_each_time_has_its_scorer() -> None:
    """The first is the one that the worker came with; no version is loaded twice."""
    loaded: list[int] = []

    def counted(manifest: Manifest) -> Scorer:
        loaded.append(manifest.number)
        return load(manifest)

    scorers = DueScorers(scorer(1), version(1), counted)
    scorers.add([stored(2, 10, previous=1), stored(3, 20, previous=2)], "nova")
    assert [judge(scorers, second) for second in (5, 15, 25, 15, 5)] == [
        scorer(number).bundle_id for number in (1, 2, 3, 2, 1)
    ]
    assert loaded == [2, 3]


def test_few_scorers_stay_in_memory() -> None:
    """The ones used last."""
    scorers = DueScorers(scorer(1), version(1), load)
    scorers.add([stored(number, 10 * number, previous=number - 1) for number in range(2, 7)], "nova")
    for second in (25, 35, 45, 55, 65):
        judge(scorers, second)
    assert [number for number in range(1, 7) if scorers.is_ready(version(number))] == [6 - KEPT + 1, 5, 6]


def test_the_version_before_stands_in_for_one_that_cannot_be_loaded(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged once; a store that is away is not asked again for each frame."""
    tries: list[int] = []

    def refuse(manifest: Manifest) -> Scorer:
        tries.append(manifest.number)
        if manifest.number == 3:
            raise InvalidError("nova@v3 is damaged", "register it again")
        return load(manifest)

    scorers = DueScorers(scorer(1), version(1), refuse)
    scorers.add([stored(2, 10, previous=1), stored(3, 20, previous=2)], "nova")
    with caplog.at_level(logging.ERROR):
        assert [judge(scorers, second) for second in (15, 25, 26, 15)] == [scorer(2).bundle_id] * 4
    assert tries == [2, 3]
    assert scorers.failures == 1
    assert [record.getMessage() for record in caplog.records] == [
        "nova@v3 cannot judge what it is due for: nova@v3 is damaged; register it again"
    ]


def test_a_version_that_fails_is_as_one_that_cannot_be_loaded(caplog: pytest.LogCaptureFixture) -> None:
    """The version before judges from then on, also in a worker that began with the one that fails."""
    scorers = DueScorers(scorer(2), version(2), load)
    scorers.add([stored(2, 10, previous=1)], "nova")
    assert judge(scorers, 15) == scorer(2).bundle_id
    assert scorers.before(scorer(2)) is scorer(1)
    assert scorers.before(scorer(1)) is scorer(2)
    scorers.give_up(scorer(2), RuntimeError("no such operator"))
    assert judge(scorers, 15) == scorer(1).bundle_id
    assert scorers.failures == 1
    why = "it fails on windows that the version before can judge (RuntimeError: no such operator)"
    with pytest.raises(TocsinError) as told:
        scorers.prepare(version(2))
    assert str(told.value) == why
    assert why in caplog.text


def test_a_version_that_was_taken_back_stands_in_for_nobody() -> None:
    """Although a rollback names it as the version before."""
    scorers = DueScorers(scorer(1), version(1), load)
    back = replace(promotion(2, previous=3), kind=PromotionKind.ROLLBACK)
    scorers.add(
        [
            stored(2, 10, previous=1),
            stored(3, 20, previous=2),
            StoredPromotion(back, START + 30 * SECOND),
        ],
        "nova",
    )
    assert judge(scorers, 35) == scorer(2).bundle_id
    assert scorers.before(scorer(2)) is scorer(1)


def test_nobody_stands_in_for_the_first_version() -> None:
    """Nor for a scorer that is none of a version."""
    alone = DueScorers(scorer(1), version(1), load)
    assert alone.before(scorer(1)) is None
    assert alone.before(scorer(3)) is None
    alone.give_up(scorer(3), RuntimeError("it is not served"))
    assert alone.failures == 0


@pytest.mark.parametrize(
    ("raised", "kind", "text"),
    [
        (ValueError("opset 99"), InvalidError, r"nova@v2 cannot be used \(ValueError: opset 99\)"),
        (OSError("disk full"), TransientError, r"nova@v2 cannot be read \(disk full\)"),
    ],
    ids=["library", "disk"],
)
def test_whatever_a_library_says_of_a_version_ends_no_worker(
    raised: Exception, kind: type[TocsinError], text: str
) -> None:
    """It is refused as a damaged one is; what may pass is tried again."""

    def fail(_: Manifest) -> Scorer:
        raise raised

    scorers = DueScorers(scorer(1), version(1), fail)
    with pytest.raises(kind, match=text):
        scorers.prepare(version(2))
