"""How often a version fires, so that one that rings all the time is taken back before people mute it.

Where it rings, the version before judges the same windows: at a fault of everything that one rings as well.
"""

import threading
from dataclasses import dataclass, field
from typing import Final

PROBATION_S: Final = 3600.0
"""Seconds from its moment on in which a version may be taken back by itself.  A judgement: later it is for people."""

LEAST_WINDOWS: Final = 400
"""Windows that a version must have judged in this process.  A judgement: some minutes of a small cloud."""

MOST_SHARE: Final = 0.2
"""Share of windows above which a version rings, in a batch and on the whole, and
``MOST_TIMES`` how many times as often as the version before.  Judgements: of a calibrated bundle less than one window
in a thousand fires, and in a fault that one host has, far fewer than a fifth."""

MOST_TIMES: Final = 10.0


@dataclass(slots=True)
class _Counts:
    """Windows and those that fired; ``rung`` and ``before`` are of batches in which the version rang.

    They are the windows that fired there, and those that fired there by the version before.
    """

    windows: int = 0
    fired: int = 0
    rung: int = 0
    before: int = 0


@dataclass(slots=True)
class FiringCounts:
    """What versions fired, by the id of their promotion; one thread counts while another asks."""

    _counts: dict[str, _Counts] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, promotion: str, windows: int, fired: int, before: int | None = None) -> None:
        """Count a batch that a promoted version has judged; ``before`` of its windows fire by the version before.

        It is None where the version before was not asked.
        """
        with self._lock:
            counts = self._counts.setdefault(promotion, _Counts())
            counts.windows += windows
            counts.fired += fired
            if before is not None:
                counts.rung += fired
                counts.before += before

    def excess(self, promotion: str) -> str:
        """Return, as a sentence, how much more often a version fires than that before; "" where it is not far more."""
        with self._lock:
            counts = self._counts.get(promotion, _Counts())
            if counts.windows < LEAST_WINDOWS or counts.rung <= MOST_SHARE * counts.windows:
                return ""
            if counts.rung <= MOST_TIMES * counts.before:
                return ""
            return (
                f"{counts.fired} of {counts.windows} windows; where it rings, it fires {counts.rung} times and the "
                f"version before {counts.before} times"
            )


def rings(windows: int, fired: int) -> bool:
    """Return whether so many windows of a batch fired that the version before is to be asked."""
    return fired > MOST_SHARE * windows
