"""What a bundle told in shadow, beside what the one in use told at the same time."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from alerts.messages.wording import duration, short_id
from models.rfc3339 import DAY, SECOND, time_text
from stream.gate.told_incidents import AS_SOON, ReviewedLogs, ToldIncident, pairs

SCHEMA: Final = "tocsin.side_by_side/1"


class SideBySide(StrEnum):
    """How an incident of the shadow stands to that of the champion: when it was told, or which one alone told it."""

    SAME = "same"
    SOONER = "sooner"
    LATER = "later"
    ONLY_CHAMPION = "only champion"
    ONLY_SHADOW = "only shadow"

    @classmethod
    def of(cls, champion: ToldIncident | None, shadow: ToldIncident | None) -> "SideBySide":
        """Return it for two that are one, or for one alone."""
        if champion is None:
            return cls.ONLY_SHADOW
        if shadow is None:
            return cls.ONLY_CHAMPION
        late = shadow.told_at - champion.told_at
        return cls.SAME if abs(late) <= AS_SOON else cls.SOONER if late < 0 else cls.LATER


@dataclass(frozen=True, slots=True)
class ShadowReport:
    """Incidents of a stretch, by ``champion`` and by ``shadow``; ``since`` and ``until`` in microseconds.

    ``model`` is ``NAME@vNN`` or a folder, ``bundle`` its id.
    """

    model: str
    bundle: str
    since: int
    until: int
    champion: tuple[ToldIncident, ...]
    shadow: tuple[ToldIncident, ...]

    @property
    def rows(self) -> list[tuple[SideBySide, ToldIncident | None, ToldIncident | None]]:
        """Every incident of either, by the time at which it began."""
        rows = [(SideBySide.of(old, new), old, new) for old, new in pairs(self.champion, self.shadow)]
        return sorted(rows, key=lambda row: (_either(*row[1:]).episode.first, _either(*row[1:]).id))

    @property
    def reviewed(self) -> tuple[ReviewedLogs, ReviewedLogs]:
        """What both told, as the gate takes it; how many lines there were, and of what texts, is not known."""
        days = (self.until - self.since) / DAY
        return ReviewedLogs(self.champion, 0, days, 0.0), ReviewedLogs(self.shadow, 0, days, 0.0)

    def to_record(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return {
            "schema": SCHEMA,
            "model": self.model,
            "bundle": self.bundle,
            "from": time_text(self.since),
            "to": time_text(self.until),
            "incidents": [
                {"outcome": outcome, "champion": _record(champion), "shadow": _record(shadow)}
                for outcome, champion, shadow in self.rows
            ],
        }

    def lines(self) -> Iterator[str]:
        """Yield it for people."""
        span = f"{time_text(self.since)[:19]}Z to {time_text(self.until)[:19]}Z"
        yield f"{self.model} judged in shadow for {duration((self.until - self.since) // SECOND)}, {span}"
        rows = self.rows
        for outcome, champion, shadow in rows:
            one = _either(champion, shadow)
            paged = ", paged" if one.pages else ""
            yield (
                f"{_when(outcome, champion, shadow):<15} {short_id(one.id)}  "
                f"{time_text(one.episode.first)[:19]}Z  {one.summary}{paged}"
            )
        counts = Counter(outcome for outcome, _, _ in rows)
        said = ", ".join(f"{counts[outcome]} {outcome}" for outcome in SideBySide if counts[outcome])
        yield f"{len(self.champion)} incidents by the champion, {len(self.shadow)} in shadow: {said or 'none'}"


def _either(champion: ToldIncident | None, shadow: ToldIncident | None) -> ToldIncident:
    """Return the one that people heard of, else the one that they would have heard of."""
    one = champion or shadow
    if one is None:
        raise AssertionError("a pair has at least one side")
    return one


def _when(outcome: SideBySide, champion: ToldIncident | None, shadow: ToldIncident | None) -> str:
    if champion is None or shadow is None or outcome is SideBySide.SAME:
        return outcome
    return f"{outcome} {abs(shadow.told_at - champion.told_at) // SECOND} s"


def _record(incident: ToldIncident | None) -> dict[str, Any] | None:
    if incident is None:
        return None
    return {
        "incident_id": incident.id,
        "tenant": incident.episode.tenant,
        "services": list(incident.episode.services),
        "first": time_text(incident.episode.first),
        "last": time_text(incident.episode.last),
        "told": time_text(incident.told_at),
        "pages": incident.pages,
        "summary": incident.summary,
    }
