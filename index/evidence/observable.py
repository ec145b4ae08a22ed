"""Which findings of detectors the logs that were read can bear out.

Detectors expect all that training saw.  Files often hold only a part of it, and by other names: a service that is not
in the files is not silent, it is elsewhere.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from index.lines.log_lines import LogLines
from models.findings import SILENCES, Finding, FindingKind
from models.records import I64, Verdict

_ABSENCE: Final = frozenset(
    {FindingKind.MISSING_FOLLOW_UP, FindingKind.FEWER_FOLLOW_UPS, FindingKind.RATE_LOW, FindingKind.ABSENT}
)
"""Kinds that say that a message does not come."""

_FOLLOW_UPS: Final = frozenset({FindingKind.MISSING_FOLLOW_UP, FindingKind.FEWER_FOLLOW_UPS})

_MILLISECOND: Final = 1_000
"""Microseconds; the moment of a finding is kept to the millisecond."""


@dataclass(frozen=True, slots=True)
class Observed:
    """What logs hold: times (microseconds, ascending) by service and host, and the masked texts of their messages."""

    times: dict[str, dict[str, I64]]
    messages: frozenset[str]
    complete: bool
    """Whether all services that the detectors know are there."""

    @classmethod
    def of(cls, material: LogLines, *, complete: bool) -> "Observed":
        """Return what some lines hold."""
        times: dict[str, dict[str, I64]] = {}
        by_source = material.lines.select("service", "host", "time").sort("time").group_by("service", "host")
        for (service, host), lines in by_source:
            times.setdefault(str(service), {})[str(host)] = lines["time"].to_numpy()
        return cls(times, frozenset(material.lines["masked"].unique().to_list()), complete)

    def shows(self, finding: Finding, end: int) -> bool:
        """Return whether the lines bear a finding out; ``end`` (microseconds) is the end of its window."""
        if finding.kind in SILENCES:
            return self._silent(finding, end)
        if finding.kind in _ABSENCE and not self.complete:
            return (finding.follows if finding.kind in _FOLLOW_UPS else finding.template) in self.messages
        return True

    def restrict(self, verdict: Verdict) -> Verdict | None:
        """Return a window with the findings that the lines bear out, None where it had some and none is left."""
        if not verdict.findings:
            return verdict
        pairs = zip(verdict.reasons, verdict.findings, strict=True)
        kept = [(reason, finding) for reason, finding in pairs if self.shows(finding, verdict.end)]
        if not kept:
            return None
        reasons, findings = zip(*kept, strict=True)
        return replace(verdict, reasons=reasons, findings=findings)

    def _silent(self, finding: Finding, end: int) -> bool:
        """Whether it is in the logs and wrote nothing from the moment of the finding to the end of its window."""
        hosts = self.times.get(finding.service, {})
        if finding.kind is FindingKind.HOST_SILENT:
            times = [of[finding.host] for of in self.times.values() if finding.host in of]
        elif finding.host in hosts:
            times = [hosts[finding.host]]
        elif not finding.host or set(hosts) == {""}:
            # Training or the files name no host: the service as a whole must be silent.
            times = list(hosts.values())
        else:
            times = []
        if not times:
            return False
        since = end if finding.moment is None else finding.moment + _MILLISECOND
        return not any(
            np.searchsorted(series, since, "right") < np.searchsorted(series, end, "right") for series in times
        )
