"""The scorers that are due by a timeline, each loaded when it is asked for."""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Final

import numpy as np

from models.errors import InvalidError, TocsinError, TransientError
from models.records import BOOL, I64
from models.registry.manifest import Manifest
from models.scorer import Scorer
from stream.promotion.timeline import PromotionTimeline
from stream.topics.promotions import PromotionKind, StoredPromotion

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

    def before(self, scorer: Scorer) -> Scorer | None:
        """Return the scorer that stands in for one of a version; None where there is no other."""
        digest = self._digest_of(scorer)
        other = None if digest is None else self._before(digest)
        return None if other is scorer else other

    def give_up(self, scorer: Scorer, error: Exception) -> None:
        """Forget a version that failed on windows on which the one before did not: as if it could not be loaded."""
        digest = self._digest_of(scorer)
        if digest is None:
            return
        why = f"it fails on windows that the version before can judge ({type(error).__name__}: {error})"
        with self._lock:
            del self._scorers[digest]
        self._failed[digest] = time.monotonic(), why
        self.failures += 1
        log.error("bundle %s is given up: %s", scorer.bundle_id, why)

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
                scorer = self._loaded(manifest)
            except TocsinError as error:
                self._failed[manifest.digest] = time.monotonic(), str(error)
                self.failures += 1
                raise
            self._keep(manifest, scorer)
            return scorer

    def _loaded(self, manifest: Manifest) -> Scorer:
        try:
            return self._load(manifest)
        except TocsinError:
            raise
        except OSError as error:
            raise TransientError(f"{manifest.version} cannot be read ({error})", "look at the disk") from error
        except Exception as error:
            # Whatever libraries think of a bundle: it must not end the worker, which would meet it at each start.
            raise InvalidError(
                f"{manifest.version} cannot be used ({type(error).__name__}: {error})", "train and register it again"
            ) from error

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
            return self._before(manifest.digest)

    def _before(self, digest: str) -> Scorer:
        """Return the scorer of the version before one, else that in memory which was promoted last before it."""
        # What a rollback names as the version before is the one that was taken back.
        forward = [
            one.promotion
            for one in self.timeline.promotions
            if one.promotion.manifest.digest == digest and one.promotion.kind is PromotionKind.PROMOTE
        ]
        # A worker that began with this version has the one before not in memory.
        if forward and (previous := forward[-1].previous) is not None:
            with suppress(TocsinError):
                return self.prepare(previous)
        earlier = self._base
        for stored in self.timeline.promotions:
            if stored.promotion.manifest.digest == digest:
                break
            earlier = self._ready(stored.promotion.manifest) or earlier
        return earlier

    def _digest_of(self, scorer: Scorer) -> str | None:
        with self._lock:
            return next((digest for digest, one in self._scorers.items() if one is scorer), None)

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
