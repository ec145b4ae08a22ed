"""The diagnosis where nothing in the logs tells of the issue: what was looked for, and no guess at a cause."""

from typing import Final

from index.diagnosis.types import Diagnosis, Mode
from index.evidence.types import Evidence
from models.rfc3339 import time_text

_CONFIDENCE: Final = 0.05
"""Of a cause that is not known, from 0 to 1: a judgement."""

_STEPS: Final = (
    "Add the logs of the services and hosts that take part, and of the time in which it happened",
    "Name a request, instance or volume id, a host or a time in the issue: it is taken at its word",
)


def not_told(evidence: Evidence, looked_for: str, lines: int) -> Diagnosis:
    """Return the diagnosis; ``looked_for`` is a phrase, ``lines`` how many lines were searched."""
    begin, end = time_text(evidence.start), time_text(evidence.end)
    same_day = begin[:10] == end[:10]
    span = f"{begin[:10]} {begin[11:16]} to {end[11:16] if same_day else f'{end[:10]} {end[11:16]}'} UTC"
    return Diagnosis(
        mode=Mode.DETERMINISTIC,
        summary=f"Nothing in these logs tells of it: looked in {lines:,} lines ({span}) for {looked_for}.",
        cause="Unknown: nothing in these logs tells of it.",
        confidence=_CONFIDENCE,
        service="",
        services=(),
        claims=(),
        timeline=(),
        actions=_STEPS,
    )
