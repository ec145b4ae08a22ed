"""What detectors found, as signs: each finding with the service and host whose lines show it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import polars as pl

from index.episodes.types import Bond, EpisodeSign
from index.evidence.detector_findings import HIGH, exceeds
from index.evidence.fired_windows import FiredWindow
from index.lines.log_records import LogRecords
from models.detectors.sentences import sentence
from models.findings import SILENCES, Finding, FindingKind
from models.records import I64

SEVERE: Final = 0.4
"""Share of severity in a sign's score, the rest is relevance: which episode is meant is asked, not which is worst.

A judgement; chosen with folders of several faults, each asked for.
"""

TELLING: Final[Mapping[FindingKind, str]] = {
    FindingKind.SILENT: "silent dead down hangs stuck stopped unavailable gone silence",
    FindingKind.HOST_SILENT: "silent dead down hangs stuck stopped unavailable gone silence host node unreachable",
    FindingKind.SLOW: "slow latency long duration overloaded performance",
    FindingKind.REFUSED: "refused denied rejected forbidden",
    FindingKind.LARGE_VALUE: "",
    FindingKind.MISSING_FOLLOW_UP: "missing skipped stuck hangs never",
    FindingKind.FEWER_FOLLOW_UPS: "missing skipped stuck hangs fewer",
}
"""Kinds of findings that are signs, and what people say of them; what others say stands in lines anyway."""

_STRONG: Final = frozenset({*SILENCES, FindingKind.SLOW, FindingKind.MISSING_FOLLOW_UP, FindingKind.FEWER_FOLLOW_UPS})
"""Those that may be all that there is of a trouble."""


@dataclass(frozen=True, slots=True)
class Found:
    """A finding of a window that names its service and host, as far as lines show them."""

    window: FiredWindow
    finding: Finding

    @property
    def text(self) -> str:
        """The finding in the words of people."""
        finding = self.finding
        return f"{finding.service} {finding.host} {TELLING[finding.kind]} {sentence(finding)}"

    def sign(self, relevance: float) -> EpisodeSign:
        """Return it as a sign; ``relevance`` is how much it says about the issue, from 0 to 1."""
        finding, window = self.finding, self.window
        bonds: list[Bond] = [("finding", finding.kind.value, finding.service, finding.host, finding.template)]
        if finding.service:
            bonds.append(("source", finding.service, finding.host))
        if finding.kind is FindingKind.SILENT:
            bonds.append(("own", finding.service))
        return EpisodeSign(
            start=window.start if finding.moment is None else min(finding.moment, window.end),
            end=window.end,
            service=finding.service,
            host=finding.host,
            text=self.text,
            strong=finding.kind in _STRONG,
            score=SEVERE * window.importance + (1 - SEVERE) * relevance,
            bonds=tuple(bonds),
            finding=finding,
        )


def found_in(windows: Sequence[FiredWindow], records: LogRecords) -> list[Found]:
    """Return the findings that are signs; one of a window over all services is that of whose lines show it."""
    pairs = [(window, finding) for window in windows for finding in window.findings if finding.kind in TELLING]
    rows = _rows_of(records, {finding.template for _, finding in pairs if not finding.service})
    return [Found(window, _placed(window, finding, records, rows)) for window, finding in pairs]


def _rows_of(records: LogRecords, templates: set[str]) -> dict[str, I64]:
    """Return the rows of some templates, in order of time."""
    if not templates:
        return {}
    lines = records.lines.select("masked").with_row_index("row").filter(pl.col("masked").is_in(sorted(templates)))
    return {
        str(masked): part["row"].cast(pl.Int64).to_numpy()
        for (masked,), part in lines.group_by("masked", maintain_order=True)
    }


def _placed(window: FiredWindow, finding: Finding, records: LogRecords, rows_of: Mapping[str, I64]) -> Finding:
    """Return a finding with the service and host of most lines in its window that show it."""
    if finding.service or finding.kind is FindingKind.HOST_SILENT:
        return finding
    service = window.service or (window.services[0] if len(window.services) == 1 else "")
    rows = rows_of.get(finding.template, np.zeros(0, np.int64))
    first, last = np.searchsorted(records.time[rows], [window.start, window.end + 1])
    lines = records.lines[rows[first:last].tolist()].select("service", "host", "message").rows()
    if finding.kind in HIGH:
        lines = [line for line in lines if exceeds(finding, line[2])]
    places = Counter((of, host) for of, host, _ in lines if not service or of == service)
    if not places:
        return replace(finding, service=service)
    (of, host), _ = places.most_common(1)[0]
    return replace(finding, service=of, host=host)
