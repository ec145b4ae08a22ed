"""Which version is due when."""

import numpy as np

from models.rfc3339 import SECOND
from stream.promotion.timeline import PromotionTimeline
from stream.topics.promotions import StoredPromotion
from tests.stream.promotion.samples import START, stored


def due(promotions: list[StoredPromotion], *seconds: int) -> list[int | None]:
    """The number of the version that is due at each of these seconds after START; None for that of the start."""
    times = np.array([START + second * SECOND for second in seconds], np.int64)
    numbers: list[int | None] = [None] * len(seconds)
    for manifest, chosen in PromotionTimeline().with_more(promotions, "nova").due(times):
        for i in chosen.tolist():
            numbers[i] = None if manifest is None else manifest.number
    return numbers


def test_a_version_is_due_from_its_moment_on() -> None:
    """Before the first promotion the version that it names as the one before."""
    assert due([stored(2, 10, previous=1), stored(3, 20, previous=2)], 9, 10, 19, 20, 1000) == [1, 2, 2, 3, 3]
    assert due([stored(2, 10)], 9, 10) == [None, 2]
    assert due([], 0) == [None]


def test_the_later_word_counts() -> None:
    """A rollback that is due sooner than a promotion before it on the topic takes that promotion's place, too."""
    assert due([stored(2, 50, previous=1), stored(1, 20, previous=2)], 10, 20, 50, 60) == [1, 1, 1, 1]


def test_other_names_do_not_count() -> None:
    """One topic may serve several models."""
    assert due([stored(7, 5, name="neutron"), stored(2, 10, previous=1)], 5, 10) == [1, 2]


def test_without_times_the_last_version_stands() -> None:
    """Who asks for nothing still learns who judges."""
    ((manifest, numbers),) = PromotionTimeline((stored(2, 10), stored(3, 20))).due(np.zeros(0, np.int64))
    assert manifest is not None
    assert (manifest.number, len(numbers)) == (3, 0)
