"""Sources that wrote regularly and stopped: what no line says, seen in the lines that are there."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from index.evidence.severity import TimeSpan
from models.findings import Finding, FindingKind

_LINES: Final = 20
"""Lines before the windows that a source must have for its usual gap to be known (a judgement)."""

_HISTORY_US: Final = 300_000_000
"""Microseconds of lines before the windows that must be there (a judgement: five minutes)."""

_LEAST_GAP_US: Final = 90_000_000
"""Microseconds of silence that are the least to report (a judgement)."""

_TIMES_USUAL: Final = 8.0
"""Times the longest gap before that a silence must last (a judgement): work in bursts pauses for some of them."""

_SOURCES: Final = 3
"""Silent sources that are reported (a judgement: more say that the whole cloud stopped)."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """A source that was silent after the record ``last`` (a line number) for ``gap`` seconds, before for ``usual``."""

    last: int
    service: str
    host: str
    gap: float
    usual: float

    @property
    def finding(self) -> Finding:
        """Return the same as the detector of silence reports it."""
        return Finding(
            FindingKind.SILENT, value=self.gap, usual=self.usual, unit="s", service=self.service, host=self.host
        )


def stopped(heads: pl.DataFrame, span: TimeSpan) -> list[Stopped]:
    """Return the sources whose longest gap since the windows began is far above all before; the longest first."""
    if heads.is_empty() or span.start - int(heads["time"].to_numpy()[0]) < _HISTORY_US:
        return []
    out: list[Stopped] = []
    for (service, host), records in heads.select("service", "host", "time", "line_number").group_by(
        "service", "host", maintain_order=True
    ):
        time = records["time"].to_numpy()
        begun = int(np.searchsorted(time, span.start))
        if begun < _LINES:
            continue
        usual = int(np.diff(time[:begun]).max())
        gaps = np.diff(np.append(time[begun - 1 :], max(span.end, int(time[-1]))))
        longest = int(gaps.argmax())
        if gaps[longest] > max(_LEAST_GAP_US, _TIMES_USUAL * usual):
            last = int(records["line_number"].to_numpy()[begun - 1 + longest])
            out.append(Stopped(last, str(service), str(host), float(gaps[longest]) / 1e6, usual / 1e6))
    return sorted(out, key=lambda source: (-source.gap, source.last))[:_SOURCES]
