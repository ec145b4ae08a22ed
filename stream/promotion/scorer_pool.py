"""Scorers by version: loaded once, before they are due, and no more of them than memory bears."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from models.registry.manifest import Manifest
from models.scorer import Scorer

KEPT: Final = 3
"""Scorers in memory: that before, that in use, that to come.  A judgement; each takes 10 to 30 MB."""


class ScorerPool:
    """Scorers by the digest of their version; several threads may ask."""

    def __init__(self, load: Callable[[Manifest], Scorer]) -> None:
        """``load`` fetches a version, checks it and makes it ready; what it raises comes through."""
        self._load = load
        self._scorers: OrderedDict[str, Scorer] = OrderedDict()
        self._lock = threading.Lock()
        self._loading = threading.Lock()

    def ready(self, manifest: Manifest) -> Scorer | None:
        """Return the scorer of a version, None where it is not in memory."""
        with self._lock:
            scorer = self._scorers.get(manifest.digest)
            if scorer is not None:
                self._scorers.move_to_end(manifest.digest)
            return scorer

    def get(self, manifest: Manifest) -> Scorer:
        """Return the scorer of a version, which is loaded where it is not in memory.

        Others that ask for what is in memory do not wait for that.
        """
        with self._loading:
            scorer = self.ready(manifest)
            if scorer is None:
                scorer = self._load(manifest)
                self.put(manifest, scorer)
        return scorer

    def put(self, manifest: Manifest, scorer: Scorer) -> None:
        """Keep a scorer."""
        with self._lock:
            self._scorers[manifest.digest] = scorer
            while len(self._scorers) > KEPT:
                self._scorers.popitem(last=False)
