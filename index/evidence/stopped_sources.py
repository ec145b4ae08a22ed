"""Sources that wrote regularly and stopped: what no line says, seen in the lines that are there."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from index.evidence.severity import TimeSpan
from models.findings import Finding, FindingKind

_LINES: Final = 20
"""Lines before the windows that a source must have, or nobody knows what is usual for it."""

_HEARD: Final = 300_000_000
"""Microseconds of history that must be there."""

_LEAST: Final = 90_000_000
_TIMES: Final = 8.0
"""Work that comes in bursts pauses now and then for some times its longest gap."""

_SOURCES: Final = 3


@dataclass(frozen=True, slots=True)
class Stopped:
    """A source that fell silent after the record ``at``, for ``gap`` seconds; before, for ``usual`` at most."""

    at: int
    service: str
    host: str
    gap: float
    usual: float

    @property
    def finding(self) -> Finding:
        """The same as the detector of silence reports it."""
        return Finding(
            FindingKind.SILENT, value=self.gap, usual=self.usual, unit="s", service=self.service, host=self.host
        )


def stopped(heads: pl.DataFrame, span: TimeSpan) -> list[Stopped]:
    """Sources whose longest gap since the windows began is far above all before; the longest first."""
    if heads.is_empty() or span.start - int(heads["time"].to_numpy()[0]) < _HEARD:
        return []
    out: list[Stopped] = []
    for (service, host), mine in heads.select("service", "host", "time", "at").group_by(
        "service", "host", maintain_order=True
    ):
        time = mine["time"].to_numpy()
        begun = int(np.searchsorted(time, span.start))
        if begun < _LINES:
            continue
        usual = int(np.diff(time[:begun]).max())
        times = np.append(time[begun - 1 :], max(span.end, int(time[-1])))
        gaps = np.diff(times)
        longest = int(gaps.argmax())
        if gaps[longest] > max(_LEAST, _TIMES * usual):
            at = int(mine["at"].to_numpy()[begun - 1 + longest])
            out.append(Stopped(at, str(service), str(host), float(gaps[longest]) / 1e6, usual / 1e6))
    return sorted(out, key=lambda each: (-each.gap, each.at))[:_SOURCES]
