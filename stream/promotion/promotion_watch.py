"""Follows the topic ``models`` beside the roles, and gives them the bundle that is due.

A promotion is due no sooner than ``LEAST_LEAD_S`` after Kafka has stored it.  So who has read the topic to its end less
than that time ago knows every bundle that is due by now.  Where the topic cannot be read, nobody judges.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from alerts.monitoring.metrics import Metrics
from models.bundle import Bundle
from models.errors import FatalError, InvalidError, TocsinError
from models.records import BOOL, I64, NO_TIME
from models.registry.manifest import Manifest
from models.rfc3339 import SECOND
from models.scorer import Decisions, Scorer
from stream.kafka.clients import Broker
from stream.kafka.reader import read_range
from stream.promotion.due_scorers import DueScorers
from stream.promotion.firing_counts import PROBATION_S, FiringCounts, rings
from stream.promotion.timeline import PromotionTimeline
from stream.topics.promotions import LEAST_LEAD_S, PARTITION, Promotion, StoredPromotion, stored_promotions

log = logging.getLogger(__name__)

EVERY_S: Final = 1.0
"""Seconds between two looks at the topic.  A judgement: 20 of them fit into the least lead."""

FRESH_S: Final = LEAST_LEAD_S / 2
"""Seconds for which a look counts; the other half of the lead is for brokers whose clocks differ.  A judgement."""

GIVE_UP_S: Final = 120.0
"""Seconds after which a role that cannot know what is due stops.  A judgement: longer than a broker's restart."""


class PromotionWatch:
    """The schedule of a worker; ``run`` follows the topic until its event is set."""

    def __init__(  # noqa: PLR0913 - the composition root passes each part
        self,
        broker: Broker,
        topic: str,
        name: str,
        scorers: DueScorers,
        give_up: Callable[[StoredPromotion, str], None],
        metrics: Metrics,
    ) -> None:
        """Follow promotions of ``name``; ``give_up`` is told of one that cannot be served, and why."""
        self._broker = broker
        self._topic = topic
        self._name = name
        self._scorers = scorers
        self._give_up = give_up
        self._metrics = metrics
        self._next = 0
        self._looked_at: float | None = None
        self._looked = threading.Condition()
        self._given_up: set[str] = set()
        self._firing = FiringCounts()
        self._counted = 0

    @property
    def timeline(self) -> PromotionTimeline:
        """All promotions so far."""
        return self._scorers.timeline

    def bundle_now(self) -> Bundle:
        """Return the bundle that is due as far as is known, without a wait: explanations need not be exact."""
        ((scorer, _),) = self._scorers.due(np.array([time.time_ns() // 1000], np.int64))
        return scorer.bundle

    def count(self, decided: Decisions, due: I64) -> None:
        """Take note of decisions, of which those with the numbers ``due`` are published.

        Where a version on probation rings, the version before judges the same windows.
        """
        newest = self._on_probation()
        if newest is None or newest.promotion.manifest.bundle != decided.bundle.id:
            return
        windows, fired = len(due), int(decided.fired[due].sum())
        before = self._fired_before(newest.promotion, decided, due) if rings(windows, fired) else None
        self._firing.add(newest.promotion.id, windows, fired, before)

    def versions(self) -> list[Manifest]:
        """Return all versions that a promotion names."""
        return [stored.promotion.manifest for stored in self.timeline.promotions]

    def run(self, stop: threading.Event) -> None:
        """Look at the topic once a second, and make ready what it names."""
        while not stop.is_set():
            try:
                self.look()
                self._prepare()
                self._take_back_what_rings()
            except TocsinError as error:
                log.warning("promotions cannot be followed: %s", error)
            self._measure()
            stop.wait(EVERY_S)

    def look(self) -> None:
        """Read what is new on the topic.

        Raises:
            TocsinError: it cannot be read.
        """
        started = time.monotonic()
        _, end = self._broker.watermarks(self._topic)[PARTITION]
        if end > self._next:
            records = read_range(self._broker, self._topic, {PARTITION: self._next}, {PARTITION: end}, (PARTITION,))
            self._scorers.add(stored_promotions(records), self._name)
            self._next = end
        with self._looked:
            self._looked_at = started
            self._looked.notify_all()

    def due(self, times: I64) -> Sequence[tuple[Scorer, BOOL]]:
        """Return the scorers that are due at some times (n,) in microseconds, once it is certain which are.

        Raises:
            FatalError: the topic could not be read for long.
        """
        deadline = time.monotonic() + GIVE_UP_S
        with self._looked:
            while self._looked_at is None or time.monotonic() - self._looked_at > FRESH_S:
                if not self._looked.wait(max(deadline - time.monotonic(), 0.0)):
                    raise FatalError(
                        f"{self._topic} could not be read for {GIVE_UP_S:.0f} s: it is not known which bundle is due",
                        "look at the brokers, then start again: nothing is lost",
                    )
        return self._scorers.due(times)

    def before(self, scorer: Scorer) -> Scorer | None:
        """Return the scorer that stands in for one that fails."""
        return self._scorers.before(scorer)

    def give_up(self, scorer: Scorer, error: Exception) -> None:
        """Take note that a scorer failed where the one before did not; ``run`` takes its promotion back."""
        self._scorers.give_up(scorer, error)

    def scorer_at(self, moment: int) -> Scorer:
        """Return the scorer that is due at a time (microseconds); raises as ``due`` does."""
        return self.due(np.array([moment], np.int64))[0][0]

    def _on_probation(self) -> StoredPromotion | None:
        """Return the newest promotion where it is due, not for long, and can be taken back."""
        if not self.timeline.promotions:
            return None
        newest = self.timeline.promotions[-1]
        age_s = time.time() - newest.since / SECOND
        is_open = newest.promotion.previous is not None and newest.promotion.id not in self._given_up
        return newest if is_open and 0 <= age_s <= PROBATION_S else None

    def _fired_before(self, promotion: Promotion, decided: Decisions, due: I64) -> int | None:
        """Return how many windows the version before would have fired for; None where it cannot say."""
        if promotion.previous is None:
            return None
        try:
            before = self._scorers.prepare(promotion.previous)
            is_foreign = before.templates_version != decided.bundle.templates_version
            # Lines that were read with other templates count for their errors alone, as in a swap.
            said = before.decide(decided.windows, np.iinfo(np.int64).max if is_foreign else NO_TIME)
        except Exception as error:  # noqa: BLE001 - whatever it is, windows that are judged are to go out
            log.warning("%s has no say in whether %s rings: %s", promotion.previous.version, decided.bundle.id, error)
            return None
        return int(said.fired[due].sum())

    def _take_back_what_rings(self) -> None:
        """Give up the newest promotion where its version fires far beyond the one before."""
        newest = self._on_probation()
        if newest is None:
            return
        manifest = newest.promotion.manifest
        if why := self._firing.excess(newest.promotion.id):
            self._given_up.add(newest.promotion.id)
            self._give_up(newest, f"{manifest.version} fires far too often: {why}")

    def _measure(self) -> None:
        self._metrics.model_load_failures.inc(self._scorers.failures - self._counted)
        self._counted = self._scorers.failures
        ((manifest, _),) = self.timeline.due(np.array([time.time_ns() // 1000], np.int64))
        if manifest is not None:
            self._metrics.model_version.labels(manifest.name).set(manifest.number)

    def _prepare(self) -> None:
        """Load the version of the newest promotion before it is due; give the promotion up where that fails."""
        if not self.timeline.promotions:
            return
        newest = self.timeline.promotions[-1]
        promotion, manifest = newest.promotion, newest.promotion.manifest
        due_s = newest.since / SECOND - time.time()
        if self._scorers.is_ready(manifest) or promotion.id in self._given_up:
            return
        try:
            self._scorers.prepare(manifest)
        except TocsinError as error:
            # A store that does not answer may be back in time; what is refused stays refused.
            if isinstance(error, InvalidError) or due_s < LEAST_LEAD_S:
                self._given_up.add(promotion.id)
                self._give_up(newest, str(error))
        else:
            log.info("%s is ready", manifest.version, extra={"bundle": manifest.bundle, "due_in_s": round(due_s, 1)})
