"""When incidents begin, grow, end and are published: seconds, importances, counts."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from alerts.incidents.signal import Signal, worst_of
from alerts.messages.alert import Severity
from models.errors import InvalidError
from models.rfc3339 import SECOND

WEEK_S: Final = 7 * 86_400.0
"""Seconds in a week."""


@dataclass(frozen=True, slots=True)
class PageBudget:
    """At most ``pages`` in any ``per_s`` seconds, and none below ``threshold`` (importance): the rest are tickets."""

    pages: int
    per_s: float
    threshold: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        if self.pages < 1 or self.per_s <= 0 or not 0 <= self.threshold <= 1:
            raise InvalidError("a page budget needs at least 1 page, a period, and a threshold from 0 to 1")

    @property
    def text(self) -> str:
        """Return the budget in words."""
        period = {86_400.0: "day", WEEK_S: "week"}.get(self.per_s, f"{self.per_s:.0f} s")
        return f"{self.pages} page{'s' if self.pages > 1 else ''} a {period}"


@dataclass(frozen=True, slots=True)
class IncidentPolicy:
    """How windows make incidents."""

    quiet_s: float = 300.0
    """An incident ends after so long without an anomalous window."""
    update_s: float = 60.0
    """An open incident is published again after so much event time, and at once when its severity rises."""
    max_windows: int = 256
    """Window ids that an incident remembers: older ones would not be recognised when they come again."""
    remembered: int = 64
    """Incidents kept per tenant, for late windows and for those that come again; open ones are never forgotten."""
    forget_s: float = WEEK_S
    """Resolved incidents are forgotten after so much time by the wall clock, at the earliest after quiet and grace."""
    strong_from: float = 0.95
    """One window of this importance is enough to open an incident …"""
    voices_from: int = 2
    """… or one over everything that so many detectors bear witness to …"""
    sustain_s: float = 60.0
    """… and weaker ones are where the last ends so long after the first."""
    near_s: float = 120.0
    """Weak windows further apart than this do not sustain each other."""
    onset_s: float = 180.0
    """What begins elsewhere within so long of an incident's begin is taken for the same fault …"""
    grace_s: float = 900.0
    """… and what comes back at the same place within so long after its end for the same episode."""
    min_open_s: float = 60.0
    """An incident stays open for at least so long by the wall clock."""
    max_age_s: float = 86_400.0
    """An episode that is older ends; what goes on is a new one."""
    wide_from: int = 4
    """From so many services that fail alike on severity is one step higher."""
    budget: PageBudget | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        times = (self.update_s, self.forget_s, self.sustain_s, self.near_s, self.onset_s, self.grace_s, self.min_open_s)
        if self.quiet_s <= 0 or self.max_age_s <= 0 or min(times) < 0:
            raise InvalidError("alert times must fit: quiet_s and max_age_s above 0, the others at least 0")
        if self.max_windows < 1 or self.remembered < 1 or min(self.wide_from, self.voices_from) < 1:
            raise InvalidError("max_windows, remembered, wide_from and voices_from must be at least 1")

    def severity(self, signals: Iterable[Signal]) -> Severity:
        """Return how bad it is what some signals tell."""
        return worst_of(signals, self.wide_from)

    @property
    def quiet(self) -> int:
        """Return ``quiet_s`` in microseconds."""
        return int(self.quiet_s * SECOND)

    @property
    def reach(self) -> int:
        """Return how far from its windows an episode may go on, in microseconds."""
        return int((self.quiet_s + self.grace_s) * SECOND)

    @property
    def forget(self) -> int:
        """Return after how long a resolved incident is forgotten, in microseconds."""
        return max(self.reach, int(self.forget_s * SECOND))
