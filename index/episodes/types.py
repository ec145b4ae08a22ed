"""Signs that something is wrong, and the episodes that they are joined to."""

from dataclasses import dataclass
from typing import TypeAlias

from models.findings import Finding

Bond: TypeAlias = tuple[str, ...]
"""What signs may have in common: a kind of bond and its value (``("id", "req-…")``)."""


@dataclass(frozen=True, slots=True)
class EpisodeSign:
    """One sign: a record, or what a detector found.  Times in microseconds."""

    start: int
    end: int
    service: str
    host: str
    text: str
    """Service, logger, message and exception, without values; of a finding its sentence."""
    strong: bool
    """An error, an exception, a server error, or a finding of a detector; a weak sign warns."""
    score: float
    """How much it says about what was asked, from 0 to 1."""
    bonds: tuple[Bond, ...]
    row: int = -1
    """Row of the record; -1 for a finding."""
    finding: Finding | None = None


@dataclass(frozen=True, slots=True)
class LogEpisode:
    """Signs that evidence of a common cause joins, in order of time."""

    signs: tuple[EpisodeSign, ...]

    @property
    def start(self) -> int:
        """When the first sign came (microseconds)."""
        return self.signs[0].start

    @property
    def end(self) -> int:
        """When the last sign ended (microseconds)."""
        return max(sign.end for sign in self.signs)

    @property
    def strong(self) -> bool:
        """Whether any sign is more than a warning."""
        return any(sign.strong for sign in self.signs)

    @property
    def best(self) -> EpisodeSign:
        """The sign that says most; of equals the first."""
        return max(self.signs, key=lambda sign: (sign.strong, sign.score))

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What detectors found in it."""
        return tuple(dict.fromkeys(sign.finding for sign in self.signs if sign.finding is not None))

    def near(self, other: "LogEpisode", slack: int) -> bool:
        """Return whether two overlap in time, or nearly: within ``slack`` microseconds."""
        return other.start <= self.end + slack and other.end >= self.start - slack

    def holds(self, other: "LogEpisode", slack: int) -> bool:
        """Return whether another one lies within this one's time, give or take ``slack`` microseconds."""
        return other.start >= self.start - slack and other.end <= self.end + slack
