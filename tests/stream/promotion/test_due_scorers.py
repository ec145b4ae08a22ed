"""Scorers by promotion: loaded when due, few in memory, and who stands in for one that cannot be loaded."""

import logging

import numpy as np
import pytest

from models.errors import InvalidError
from models.registry.manifest import Manifest
from models.rfc3339 import SECOND
from models.scorer import Scorer
from stream.promotion.due_scorers import KEPT, DueScorers
from tests.stream.promotion.samples import START, load, scorer, stored, version


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
