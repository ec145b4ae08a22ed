"""What the demo found: faults against alerts, and alerts that no fault explains."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from models.rfc3339 import SECOND

GRACE_S: Final = 180.0
"""A fault's consequences may be seen for so long after its end: windows are a minute long, sessions close late."""


class FaultLike(Protocol):
    """A fault that the simulator injected; times in microseconds."""

    @property
    def kind(self) -> str:
        """What was broken."""

    @property
    def service(self) -> str:
        """Where."""

    @property
    def start(self) -> int:
        """From when."""

    @property
    def end(self) -> int:
        """Until when."""


@dataclass(frozen=True, slots=True)
class FoundWindow:
    """One anomalous window, as far as the report needs it; ``end`` in microseconds."""

    key: str
    end: int
    importance: float


@dataclass(frozen=True, slots=True)
class Episode:
    """One incident: from its first to its last window, microseconds."""

    incident: str
    services: tuple[str, ...]
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Row:
    """A fault and how it was found; ``delay_s`` is None where it was not."""

    kind: str
    service: str
    start: int
    delay_s: float | None
    by: str


def rows(faults: Iterable[FaultLike], windows: Sequence[FoundWindow]) -> list[Row]:
    """One row per fault: the first anomalous window that ended in the fault's time or within the grace after it."""
    out = []
    for fault in sorted(faults, key=lambda fault: fault.start):
        inside = [w for w in windows if fault.start < w.end <= fault.end + GRACE_S * SECOND]
        first = min(inside, key=lambda window: window.end, default=None)
        delay = None if first is None else (first.end - fault.start) / SECOND
        out.append(Row(fault.kind, fault.service, fault.start, delay, "" if first is None else first.key))
    return out


def false_alarms(faults: Sequence[FaultLike], episodes: Iterable[Episode]) -> list[Episode]:
    """Incidents that overlap no fault and no fault's grace."""
    grace = int(GRACE_S * SECOND)
    return [
        episode
        for episode in episodes
        if not any(fault.start <= episode.last and episode.first <= fault.end + grace for fault in faults)
    ]


def table(found: Sequence[Row], wrong: Sequence[Episode], clock: "TimeText") -> str:
    """The report as text."""
    header = ("fault", "service", "began", "found", "after", "first seen in")
    body = [
        (
            row.kind,
            row.service,
            clock(row.start),
            "yes" if row.delay_s is not None else "NO",
            "" if row.delay_s is None else f"{row.delay_s:.0f} s",
            row.by,
        )
        for row in found
    ]
    widths = [max(len(line[i]) for line in (header, *body)) for i in range(len(header))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in (header, *body)
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    hits = sum(row.delay_s is not None for row in found)
    lines += ["", f"{hits} of {len(found)} faults found, {len(wrong)} false alarms"]
    lines += [f"  false alarm: {clock(each.first)} {', '.join(each.services)} ({each.incident})" for each in wrong]
    return "\n".join(lines)


class TimeText(Protocol):
    """Writes a time in microseconds for people."""

    def __call__(self, micros: int, /) -> str:
        """Return the text."""
