"""Follows the topic ``models`` beside the roles, and gives detect the bundle that is due.

A promotion is due no sooner than ``LEAST_LEAD_S`` after Kafka has stored it.  So who has read the topic to its end less
than that time ago knows every bundle that is due by now.  Where the topic cannot be read, nobody judges.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from alerts.monitoring.metrics import Metrics
from models.errors import FatalError, InvalidError, TocsinError
from models.records import BOOL, I64
from models.registry.manifest import Manifest
from models.scorer import Scorer
from stream.kafka.clients import Broker
from stream.kafka.reader import read_range
from stream.promotion.scorer_pool import ScorerPool
from stream.promotion.timeline import Timeline
from stream.topics.promotions import LEAST_LEAD_S, StoredPromotion, stored_promotions

log = logging.getLogger(__name__)

EVERY_S: Final = 1.0
"""Seconds between two looks at the topic.  A judgement: 20 of them fit into the least lead."""

FRESH_S: Final = LEAST_LEAD_S / 2
"""Seconds for which a look counts; the other half of the lead is for brokers whose clocks differ.  A judgement."""

GIVE_UP_S: Final = 120.0
"""Seconds after which a role that cannot know what is due stops.  A judgement: longer than a broker's restart."""


@dataclass(frozen=True, slots=True)
class Followed:
    """What is followed: promotions of ``name`` on ``topic``; ``base`` judges where none is due."""

    topic: str
    name: str
    base: Scorer
    manifest: Manifest
    """The version of ``base``."""


class PromotionWatch:
    """The schedule of a worker; ``run`` follows the topic until its event is set."""

    def __init__(
        self,
        broker: Broker,
        followed: Followed,
        load: Callable[[Manifest], Scorer],
        give_up: Callable[[StoredPromotion, str], None],
        metrics: Metrics,
    ) -> None:
        """``load`` makes a version ready; ``give_up`` is told of a promotion that cannot be served, and why."""
        self._broker = broker
        self._followed = followed
        self._pool = ScorerPool(load)
        self._pool.put(followed.manifest, followed.base)
        self._give_up = give_up
        self._metrics = metrics
        self._timeline = Timeline()
        self._next = 0
        self._looked_at: float | None = None
        self._changed = threading.Condition()
        self._refused: set[str] = set()

    @property
    def timeline(self) -> Timeline:
        """All promotions so far."""
        return self._timeline

    def run(self, stop: threading.Event) -> None:
        """Look at the topic once a second, and make ready what it names."""
        while not stop.is_set():
            try:
                self.look()
                self._prepare()
            except TocsinError as error:
                log.warning("promotions cannot be read: %s", error)
            stop.wait(EVERY_S)

    def look(self) -> None:
        """Read what is new on the topic.

        Raises:
            TocsinError: it cannot be read.
        """
        started = time.monotonic()
        _, end = self._broker.watermarks(self._followed.topic)[0]
        if end > self._next:
            records = list(read_range(self._broker, self._followed.topic, {0: self._next}, {0: end}))
            self._timeline = self._timeline.with_more(stored_promotions(records), self._followed.name)
            self._next = end
        with self._changed:
            self._looked_at = started
            self._changed.notify_all()

    def due(self, times: I64) -> Sequence[tuple[Scorer, BOOL]]:
        """Return the scorers that are due at some times (n,); waits until what is due is known.

        Raises:
            FatalError: the topic could not be read for long.
        """
        self._wait()
        groups = []
        for manifest, numbers in self._timeline.due(times):
            chosen = np.zeros(len(times), np.bool_)
            chosen[numbers] = True
            groups.append((self._scorer(manifest), chosen))
        return groups

    def _wait(self) -> None:
        deadline = time.monotonic() + GIVE_UP_S
        with self._changed:
            while self._looked_at is None or time.monotonic() - self._looked_at > FRESH_S:
                if not self._changed.wait(max(deadline - time.monotonic(), 0)):
                    raise FatalError(
                        f"{self._followed.topic} could not be read for {GIVE_UP_S:.0f} s, so it is not known which "
                        "bundle is due",
                        "look at the brokers, then start again: nothing is lost",
                    )

    def _scorer(self, manifest: Manifest | None) -> Scorer:
        """Return the scorer of a version; where it cannot be had, that which judged before, and say so."""
        if manifest is None:
            return self._followed.base
        try:
            scorer = self._pool.ready(manifest) or self._pool.get(manifest)
        except TocsinError as error:
            self._metrics.model_load_failures.inc()
            if manifest.digest not in self._refused:
                self._refused.add(manifest.digest)
                log.error("%s cannot judge what it is due for: %s", manifest.version, error)  # noqa: TRY400 - no trace
            return self._before(manifest)
        self._metrics.model_version.labels(manifest.name).set(manifest.number)
        return scorer

    def _before(self, manifest: Manifest) -> Scorer:
        """Return the newest scorer in memory of a version that was promoted before this one, or the first one."""
        earlier: Scorer = self._followed.base
        for stored in self._timeline.promotions:
            if stored.promotion.manifest.digest == manifest.digest:
                break
            earlier = self._pool.ready(stored.promotion.manifest) or earlier
        return earlier

    def _prepare(self) -> None:
        """Fetch and load the version of the newest promotion, before it is due; give it up where that fails."""
        if not self._timeline.promotions:
            return
        newest = self._timeline.promotions[-1]
        manifest = newest.promotion.manifest
        if self._pool.ready(manifest) is not None or newest.promotion.id in self._refused:
            return
        try:
            self._pool.get(manifest)
        except TocsinError as error:
            self._metrics.model_load_failures.inc()
            left_s = newest.since / 1e6 - time.time()
            # A store that does not answer may be back in time; what is refused stays refused.
            if isinstance(error, InvalidError) or left_s < LEAST_LEAD_S:
                self._refused.add(newest.promotion.id)
                self._give_up(newest, str(error))
        else:
            log.info("%s is ready", manifest.version, extra={"bundle": manifest.bundle, "due": newest.since})
