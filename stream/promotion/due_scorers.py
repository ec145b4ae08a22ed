"""The scorers that are due by a timeline, each loaded when it is asked for."""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import numpy as np

from models.errors import TocsinError
from models.records import BOOL, I64
from models.registry.manifest import Manifest
from models.scorer import Scorer
from stream.promotion.timeline import PromotionTimeline
from stream.topics.promotions import StoredPromotion

log = logging.getLogger(__name__)

KEPT: Final = 3
"""Scorers in memory: the one before, the one in use, the one to come.  A judgement; each takes 10 to 30 MB."""

RETRY_S: Final = 60.0
"""Seconds after which a version that could not be loaded is tried again.  A judgement: a store that rests makes one try
take as long."""


class DueScorers:
    """A schedule: promotions of one name, before which ``base`` judges.  One thread may ask while another loads."""

    def __init__(self, base: Scorer, manifest: Manifest | None, load: Callable[[Manifest], Scorer]) -> None:
        """``manifest`` is that of ``base``; ``load`` fetches a version, checks it and makes it ready."""
        self._base = base
        self._load = load
        self._scorers: OrderedDict[str, Scorer] = OrderedDict()
        self._failed: dict[str, tuple[float, str]] = {}  # digest → when a try failed (monotonic), and why
        self._lock = threading.Lock()
        self._loading = threading.Lock()
        self.timeline = PromotionTimeline()
        self.failures = 0
        if manifest is not None:
            self._keep(manifest, base)

    def add(self, stored: Iterable[StoredPromotion], name: str) -> None:
        """Add promotions, in the order of their topic."""
        self.timeline = self.timeline.with_more(stored, name)

    def due(self, times: I64) -> Sequence[tuple[Scorer, BOOL]]:
        """Return the scorers that are due at some times (n,) in microseconds, in the order of their promotions.

        For a version that cannot be loaded the one before it stands in, and the log says so.
        """
        groups = []
        for manifest, numbers in self.timeline.due(times):
            chosen = np.zeros(len(times), np.bool_)
            chosen[numbers] = True
            groups.append((self._base if manifest is None else self._scorer(manifest), chosen))
        return groups

    def is_ready(self, manifest: Manifest) -> bool:
        """Return whether a version is in memory."""
        with self._lock:
            return manifest.digest in self._scorers

    def prepare(self, manifest: Manifest) -> Scorer:
        """Load a version that is not in memory, and return its scorer.

        Raises:
            TocsinError: it cannot be loaded; the same again, without a try, within the next minute.
        """
        with self._loading:
            if (scorer := self._ready(manifest)) is not None:
                return scorer
            since, why = self._failed.get(manifest.digest, (-RETRY_S, ""))
            if time.monotonic() - since < RETRY_S:
                raise TocsinError(why)
            try:
                scorer = self._load(manifest)
            except TocsinError as error:
                self._failed[manifest.digest] = time.monotonic(), str(error)
                self.failures += 1
                raise
            self._keep(manifest, scorer)
            return scorer

    def _scorer(self, manifest: Manifest) -> Scorer:
        scorer = self._ready(manifest)
        if scorer is not None:
            return scorer
        is_known = manifest.digest in self._failed
        try:
            return self.prepare(manifest)
        except TocsinError as error:
            if not is_known:
                log.error("%s cannot judge what it is due for: %s", manifest.version, error)  # noqa: TRY400 - no trace
            return self._before(manifest)

    def _before(self, manifest: Manifest) -> Scorer:
        """Return the scorer in memory that was promoted last before a version, or the first one."""
        earlier = self._base
        for stored in self.timeline.promotions:
            if stored.promotion.manifest.digest == manifest.digest:
                break
            earlier = self._ready(stored.promotion.manifest) or earlier
        return earlier

    def _ready(self, manifest: Manifest) -> Scorer | None:
        # It hashes the manifest: once, for this is asked for every batch.
        digest = manifest.digest
        with self._lock:
            scorer = self._scorers.get(digest)
            if scorer is not None:
                self._scorers.move_to_end(digest)
            return scorer

    def _keep(self, manifest: Manifest, scorer: Scorer) -> None:
        with self._lock:
            self._scorers[manifest.digest] = scorer
            while len(self._scorers) > KEPT:
                self._scorers.popitem(last=False)
