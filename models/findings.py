"""Findings: what a detector reports about a window, as fields.

``models.detectors.sentences`` renders a finding as text; whatever decides by a finding reads its fields.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Self

from models.rfc3339 import parse_time, time_text

_MILLISECOND: Final = 1000
"""Microseconds; JSON keeps times to the millisecond."""


class FindingKind(StrEnum):
    """What is unusual; the values are public, as ``kind`` of a finding in JSON."""

    NEW_MESSAGE = "new_message"
    """``count`` templates were never seen in training; their text is unknown."""
    NEW_HERE = "new_here"
    """Training saw ``template``, but never in windows of this group (service or sort of session)."""
    ERRORS = "errors"
    """``value`` error lines, ``usual`` on average; all tracebacks together count as one more."""
    SLOW = "slow"
    """``count`` lines of ``template`` report a duration above ``usual``; ``value`` is the median of these."""
    REFUSED = "refused"
    """The same of an HTTP status that is an error."""
    LARGE_VALUE = "large_value"
    """The same of any other number."""
    MISSING_FOLLOW_UP = "missing_follow_up"
    """``follows`` usually comes with ``template`` and does not come at all."""
    FEWER_FOLLOW_UPS = "fewer_follow_ups"
    """``follows`` usually comes as often as ``template`` (``usual`` times), and came only ``value`` times."""
    SILENT = "silent"
    """``service`` on ``host`` has written nothing for ``value`` seconds, since ``moment``; ``usual`` at most."""
    HOST_SILENT = "host_silent"
    """The same of all ``count`` sources of ``host``, as the host itself or what ships its logs is down."""
    RATE_HIGH = "rate_high"
    """``template`` came ``value`` times, ``usual`` at most."""
    RATE_LOW = "rate_low"
    """``template`` came ``value`` times, ``usual`` at least."""
    UNUSUAL_BEGIN = "unusual_begin"
    """A session begins with ``template``, which never began one."""
    UNUSUAL_END = "unusual_end"
    """A session ends with ``template``, which never ended one."""
    UNUSUAL_ORDER = "unusual_order"
    """``follows`` comes right after ``template``, which was never seen."""
    ABSENT = "absent"
    """``template`` is in the normal window that is most like this one, and not in this one."""
    CRITICAL = "critical"
    """``value`` lines of ``service`` are of level CRITICAL or speak of a crash; there was none in ``trained_s``."""
    FIRST_ERRORS = "first_errors"
    """``value`` error lines of ``service``, which wrote none like them in ``trained_s``."""
    REFUSALS = "refusals"
    """``value`` requests to ``service`` were refused with one kind of answer 4xx, far more than usual."""
    RESTARTS = "restarts"
    """``service`` started ``value`` times."""
    UNEXPECTED = "unexpected"
    """``template`` is in this window, and not in the normal window that is most like it."""


SILENCES: Final = frozenset({FindingKind.SILENT, FindingKind.HOST_SILENT})
"""Kinds that say that nothing is written."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One observation about a window; fields that do not apply to its kind are empty, 0 or None."""

    kind: FindingKind
    template: str = ""
    """Masked text of the message that it is about; "" also for one that training did not see."""
    follows: str = ""
    """Masked text of the other message, of a follow-up or an order."""
    value: float | None = None
    """The number seen."""
    usual: float | None = None
    """The bound of what is usual, or the mean for ERRORS."""
    unit: str = ""
    """Of ``value`` and ``usual``: ``s``, ``ms``, ``MB`` …; "" for counts and where it is unknown."""
    service: str = ""
    host: str = ""
    count: int = 0
    """How many lines, templates or sources it is about; of SILENT, of how many hosts of the service one is silent."""
    moment: int | None = None
    """Event time in microseconds, to the millisecond: the first such line, or the last line of a silent source."""
    seconds: float = 0.0
    """Length of the window in which messages were counted; 0 for a session, which has no fixed length."""
    cycle_hours: int = 0
    """24 or 168 where ``usual`` holds for this hour of the day or week; 0 where it holds always."""
    trained_s: float = 0.0
    """Seconds of training in which nothing like it was seen."""

    def to_json(self) -> dict[str, Any]:
        """Return the finding as a JSON object; fields that do not apply are left out."""
        fields: dict[str, Any] = {
            "template": self.template,
            "follows": self.follows,
            "unit": self.unit,
            "service": self.service,
            "host": self.host,
            "count": self.count,
            "seconds": self.seconds,
            "cycle_hours": self.cycle_hours,
            "trained_s": self.trained_s,
        }
        numbers = {"value": self.value, "usual": self.usual}
        moment = {} if self.moment is None else {"moment": time_text(self.moment)}
        return {
            "kind": self.kind.value,
            **{name: value for name, value in fields.items() if value},
            **{name: number for name, number in numbers.items() if number is not None},
            **moment,
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """Read what ``to_json`` returned.

        Raises:
            KeyError, TypeError, ValueError, AttributeError: the record is no finding, or of a kind that this version
                does not know.
        """
        moment = record.get("moment")
        return cls(
            kind=FindingKind(record["kind"]),
            template=str(record.get("template", "")),
            follows=str(record.get("follows", "")),
            value=_number(record.get("value")),
            usual=_number(record.get("usual")),
            unit=str(record.get("unit", "")),
            service=str(record.get("service", "")),
            host=str(record.get("host", "")),
            count=int(record.get("count", 0)),
            moment=None if moment is None else parse_time(moment),
            seconds=float(record.get("seconds", 0.0)),
            cycle_hours=int(record.get("cycle_hours", 0)),
            trained_s=float(record.get("trained_s", 0.0)),
        )


def findings_from_json(records: Any) -> tuple[Finding, ...]:
    """Read the field ``findings`` of a window object, None where it has none.

    Findings that cannot be read are skipped: a newer version may report kinds that this one does not know, and the
    window's ``reasons`` still describe them.
    """
    findings = []
    for record in records if isinstance(records, list) else ():
        try:
            findings.append(Finding.from_json(record))
        except (KeyError, TypeError, ValueError, AttributeError):
            continue
    return tuple(findings)


def to_millisecond(time: int) -> int:
    """Return a time (microseconds) cut to the millisecond, as ``moment`` of a finding holds it."""
    return time // _MILLISECOND * _MILLISECOND


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
