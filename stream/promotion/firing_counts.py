"""How often bundles fire, so that one that rings all the time is taken back before people mute it."""

import threading
from dataclasses import dataclass, field
from typing import Final

PROBATION_S: Final = 3600.0
"""Seconds from its moment on in which a version may be taken back by itself.  A judgement: later it is for people."""

LEAST_WINDOWS: Final = 400
"""Windows that both versions must have judged in this process.  A judgement: some minutes of a small cloud."""

MOST_SHARE: Final = 0.2
"""Share of windows above which a version fires far too often, and
``MOST_TIMES`` how many times the share before.  Judgements: of a calibrated bundle less than one in a thousand fires,
and in a fault that one host has, far fewer than a fifth; who fires so at a fault of everything did so before, too."""

MOST_TIMES: Final = 10.0


@dataclass(slots=True)
class FiringCounts:
    """Windows and those that fired, by bundle id; one thread counts while another asks."""

    _counts: dict[str, tuple[int, int]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, bundle: str, windows: int, fired: int) -> None:
        """Count windows that a bundle has judged."""
        with self._lock:
            before = self._counts.get(bundle, (0, 0))
            self._counts[bundle] = before[0] + windows, before[1] + fired

    def excess(self, before: str, after: str) -> str:
        """Return, as a sentence, how much more often a bundle fires than that before; "" where it is not far more."""
        with self._lock:
            (old, old_fired), (new, new_fired) = (self._counts.get(bundle, (0, 0)) for bundle in (before, after))
        if min(old, new) < LEAST_WINDOWS or before == after:
            return ""
        share, usual = new_fired / new, old_fired / old
        if share <= MOST_SHARE or share <= MOST_TIMES * usual:
            return ""
        return f"{new_fired} of {new} windows, the version before {old_fired} of {old}"
