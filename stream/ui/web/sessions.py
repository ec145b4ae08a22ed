"""Who is logged in: sessions in memory, known by a random number that only a browser's cookie holds."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from secrets import token_urlsafe
from typing import Final

from stream.ui.web.users import PageUser

LASTS_S: Final = 8 * 3600.0
"""Seconds after which one logs in again: a judgement, a shift."""

MOST: Final = 10_000
"""Sessions that are kept, the newest: a bound on memory."""


@dataclass(frozen=True, slots=True)
class _Session:
    user: PageUser
    browser: str
    ends: float


class Sessions:
    """Sessions of one process; they end with it.  Kept are hashes: whoever reads the memory cannot log in."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._sessions: OrderedDict[str, _Session] = OrderedDict()

    def begin(self, user: PageUser, browser: str) -> str:
        """Return the number of a new session, which is of use only to this ``browser`` (its user agent)."""
        number = token_urlsafe(32)
        self._sessions[_hash(number)] = _Session(user, browser, self._clock() + LASTS_S)
        while len(self._sessions) > MOST:
            self._sessions.popitem(last=False)
        return number

    def user(self, number: str, browser: str) -> PageUser | None:
        """Return whose session it is; None where it has ended, or another browser shows it, which ends it."""
        session = self._sessions.get(_hash(number))
        if session is None:
            return None
        if session.ends <= self._clock() or session.browser != browser:
            self.end(number)
            return None
        return session.user

    def end(self, number: str) -> None:
        """End a session, if there is one."""
        self._sessions.pop(_hash(number), None)


def _hash(number: str) -> str:
    return sha256(number.encode()).hexdigest()
