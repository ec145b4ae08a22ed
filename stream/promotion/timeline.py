"""Which version is due when, from the promotions in the order of their topic."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from models.arrays import unique
from models.records import I64
from models.registry.manifest import Manifest
from stream.topics.promotions import StoredPromotion


@dataclass(frozen=True, slots=True)
class PromotionTimeline:
    """The promotions of one name.  Of two that are due at a time the later word counts: that of the higher offset."""

    promotions: tuple[StoredPromotion, ...] = ()

    def with_more(self, stored: Iterable[StoredPromotion], name: str) -> "PromotionTimeline":
        """Return the timeline with further promotions, of which those of other names are left out."""
        return PromotionTimeline(self.promotions + tuple(one for one in stored if one.promotion.manifest.name == name))

    @property
    def first(self) -> Manifest | None:
        """The version that was due before the first promotion, None where it is not known."""
        return self.promotions[0].promotion.previous if self.promotions else None

    def due(self, times: I64) -> list[tuple[Manifest | None, I64]]:
        """Return the versions that are due at some times (n,), in microseconds, each with the numbers of its times.

        Versions come in the order of their promotions.  Where no time is, the version of the last promotion stands.
        """
        number = np.full(len(times), -1, np.int64)
        for i, stored in enumerate(self.promotions):
            number[times >= stored.since] = i
        last = len(self.promotions) - 1
        chosen: Sequence[int] = unique(number).tolist() or [last]
        return [
            (self.first if i < 0 else self.promotions[i].promotion.manifest, np.flatnonzero(number == i))
            for i in chosen
        ]
