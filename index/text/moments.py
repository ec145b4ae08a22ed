"""Times that an issue names: "around 09:14", "between 9:10 and 9:20", "2026-03-03 09:14"; all are read as UTC."""

import re
from dataclasses import dataclass
from typing import Final, Self

from models.rfc3339 import DAY, SECOND, parse_time, time_text

_MOMENT: Final = re.compile(
    r"(?:(?P<date>\d{4}-\d\d-\d\d)[T ]{1,3})?"
    r"(?<![\d:.])(?P<hour>[01]?\d|2[0-3]):(?P<minute>[0-5]\d)(?::[0-5]\d)?(?![\d:])"
)
_RANGE: Final = re.compile(r"(?i)^(?:[.,\d]*Z?)\s*(?:-|\u2013|to|and|until|till)\s*(?:about |around )?$")

_AROUND_US: Final = 600 * SECOND
"""Microseconds around a moment that people mean by it (a judgement: ten minutes)."""


@dataclass(frozen=True, slots=True)
class Moments:
    """Stretches of time, each a pair: date ("" where none is said) and minute of the day of its begin and its end."""

    stretches: tuple[tuple[str, int, int], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.stretches)

    @classmethod
    def read(cls, text: str) -> Self:
        """Return the times in a text."""
        stretches: list[tuple[str, int, int]] = []
        end = -1
        for match in _MOMENT.finditer(text):
            minute = 60 * int(match["hour"]) + int(match["minute"])
            if stretches and _RANGE.match(text[end : match.start()]):
                date, begin, _ = stretches[-1]
                stretches[-1] = (date, begin, minute)
            else:
                stretches.append((match["date"] or "", minute, minute))
            end = match.end()
        return cls(tuple(stretches))

    def distance(self, start: int, end: int) -> int | None:
        """Return how far a stretch of logs (microseconds) begins from what is meant; None where it lies outside."""
        distances = []
        for date, begin, until in self.stretches:
            midnight = parse_time(f"{date or time_text(start)[:10]}T00:00:00Z")
            for day in (midnight,) if date else (midnight, midnight + DAY):
                low, high = day + 60 * begin * SECOND, day + 60 * (until if until >= begin else until + 1440) * SECOND
                if start <= high + _AROUND_US and end >= low - _AROUND_US:
                    distances.append(max(0, start - high, low - start))
        return min(distances, default=None)

    def text(self) -> str:
        """Return the times as people write them."""
        parts = []
        for date, begin, end in self.stretches:
            span = _clock(begin) if begin == end else f"{_clock(begin)} to {_clock(end)}"
            parts.append(f"{date} {span} UTC".strip())
        return ", ".join(parts)


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"
