"""What a challenger must show in shadow: that it judged for long enough, and told what the one in use tells."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from models.rfc3339 import DAY
from stream.gate import checks
from stream.gate.labels import LabelledIncident
from stream.gate.report import GateCheck
from stream.gate.side_by_side import ShadowReport

SHADOW = "shadow"


def shadow_checks(
    report: ShadowReport, least_hours: float, labels: Sequence[LabelledIncident], per_day: float
) -> Iterator[GateCheck]:
    """Check how long it judged, and its incidents, as of reviewed logs; ``per_day`` is its budget of false alarms."""
    hours = (report.until - report.since) / DAY * 24
    yield GateCheck(
        SHADOW, hours >= least_hours, f"{hours:.1f} hours beside the one in use, at least {least_hours:g} are asked for"
    )
    champion, challenger = report.reviewed
    for check in (
        checks.new_incidents(champion, challenger, labels, per_day),
        checks.lost_incidents(champion, challenger, labels),
    ):
        yield replace(check, name=f"{check.name} in shadow")
