"""Looks whether an alias in the store stands for another version, for machines to which no topic says so."""

import logging
import time
from collections.abc import Callable
from typing import Final

from models.errors import TocsinError
from models.registry.address import ModelAddress
from models.registry.model_store import ModelStore

log = logging.getLogger(__name__)

EVERY_S: Final = 10.0
"""Seconds between two looks.  A judgement: a request without a body, six a minute and worker."""


class AliasPoll:
    """Asks for the etag of an alias, and for no more."""

    def __init__(
        self,
        open_store: Callable[[], ModelStore],
        address: ModelAddress,
        tell_up: Callable[[float], None],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """``tell_up`` is told 1 where the store answers, else 0; ``now`` returns seconds."""
        self._open_store = open_store
        self._address = address
        self._tell_up = tell_up
        self._now = now
        self._etag: str | None = None
        self._asked_at = now()
        self._is_up = True

    def has_changed(self) -> bool:
        """Return whether the alias was moved since the last look; False between two looks, and without an answer."""
        if self._now() - self._asked_at < EVERY_S:
            return False
        self._asked_at = self._now()
        try:
            etag = self._open_store().alias_etag(self._address.name, self._address.ref)
        except TocsinError as error:
            if self._is_up:
                log.warning("the store of models is away; what is served goes on: %s", error)
            self._is_up = False
            self._tell_up(0)
            return False
        if not self._is_up:
            log.info("the store of models is back")
        self._is_up = True
        self._tell_up(1)
        before, self._etag = self._etag, etag
        return etag != before
