"""What a number inside a message means, read from the words around its ``<*>`` in the template."""

import re
from typing import Final

from models.findings import FindingKind
from models.records import VALUES
from models.templates.measures import DURATION, MEASURE, MEASURES, NAMES, TIMES, UNKNOWN, slots_by_rank

_SLOT: Final = re.compile(r"<\*>")

_NEAR: Final = 24
"""Characters before and after a ``<*>`` in which its label or unit stands."""

_STATUS_LABEL: Final = re.compile(r"(?i)\b(?:status(?: code)?|HTTP)[:= ]+$")
_TIME_LABEL: Final = re.compile(r"(?i)(?:\b|_)(?:time|took|elapsed|duration)'?[:= ]+$")
_OTHER_LABEL: Final = re.compile(r"(?i)\b(?:len|length|size|count|total|microversion)[:= ]+$")
_UNIT: Final = re.compile(r"^ ?(seconds?|secs?|s|ms|msecs?|milliseconds?|[kKMGT]i?B|bytes)\b")
_UNIT_NAMES: Final = {
    "ms": "ms",
    "msec": "ms",
    "msecs": "ms",
    "millisecond": "ms",
    "milliseconds": "ms",
    "bytes": "B",
}
_SECONDS: Final = frozenset({"second", "seconds", "sec", "secs", "s"})

_SINCE_LABEL: Final = re.compile(r"(?i)\b(?:uptime|up for|up|age|since|epoch|timestamp)[:= ]+$")
"""Labels of numbers that only grow, whatever their unit."""

_NAME_LABEL: Final = re.compile(rf"(?i)(?:\b|_)(?:{NAMES})(?: (?:id|no\.?|number))?'?[:=#, ]+#?$")
_MEASURE_LABEL: Final = re.compile(rf"(?i)(?:\b|_)(?:{TIMES}|{MEASURES})'?[:= ]+$")
_MEASURE_UNIT: Final = re.compile(
    r"(?i)^ ?(?:usecs?|[un]s|microseconds?|nanoseconds?|minutes?|mins?|hours?|days?|octets|percent)\b"
)
"""Units beside ``_UNIT``.  Words for things that are counted, such as requests, say nothing: a total only grows."""

_TELLS_STATUS: Final = re.compile(r"(?i)\bstatus\b|HTTP")
_TELLS_DURATION: Final = re.compile(r"(?i)\btime:|\bseconds?\b|\btook\b|\belapsed\b|\bduration\b|<\*> ?m?s(?:ecs?)?\b")
_STATUSES: Final = range(100, 600)
_ERROR_STATUS: Final = range(400, 600)

_STATUS: Final = "status"
_DURATIONS: Final = frozenset({"s", "ms"})


def tells_duration(template: str) -> bool:
    """Whether messages of a template report how long something took."""
    return _TELLS_DURATION.search(template) is not None


def meaning_of(
    template: str, column: int, numbers: int, value: float, *, by_meaning: bool = True
) -> tuple[FindingKind, str]:
    """Return what an unusually large number is, and its unit ("" where it has none or it is unknown).

    Args:
        template: masked text of the message.
        column: which of the message's values it is, from 0.
        numbers: how many values the message has.
        value: the number.
        by_meaning: whether values stand in the order of ``measures.ranks``; else as in the message.
    """
    label = _label(template, column, numbers, by_meaning=by_meaning)
    if label is None:
        if _TELLS_STATUS.search(template) and _is_error(value):
            return FindingKind.REFUSED, ""
        return (FindingKind.SLOW if tells_duration(template) else FindingKind.LARGE_VALUE), ""
    if label == _STATUS:
        return (FindingKind.REFUSED if _is_error(value) else FindingKind.LARGE_VALUE), ""
    return (FindingKind.SLOW if label in _DURATIONS else FindingKind.LARGE_VALUE), label


def duration_floors(template: str) -> tuple[float, ...]:
    """Return for each of the first values of a template's messages, while these are durations, what is as good as none.

    That is a millisecond, in the unit of the duration.
    """
    ranked = slots_by_rank(template)
    known = [slot for slot, rank in ranked if rank == DURATION][:VALUES]
    return tuple(1.0 if _label_at(template, slot) == "ms" else 1e-3 for slot in known)


def is_measure(template: str, column: int, numbers: int) -> bool | None:
    """Whether the words around a number say that it measures something, or that it does not; None where they do not.

    Args:
        template: masked text of the message; "" where it is unknown.
        column: which of the message's values it is, from 0, in the order of ``measures.ranks``.
        numbers: how many values the message has.
    """
    ranked = slots_by_rank(template)
    says = [_measures(template, slot) for slot, _ in ranked]
    if len(says) == numbers or column < _certain(ranked, numbers):
        return says[column]
    named = [answer for answer in says if answer is not None]
    return named[column] if len(named) == numbers else None


def is_status(template: str, value: float) -> bool:
    """Whether a number may be the status of an HTTP response that the message tells of."""
    return value in _STATUSES and _TELLS_STATUS.search(template) is not None


def _measures(template: str, slot: re.Match[str]) -> bool | None:
    """What the words around one ``<*>`` say of it; None where they say nothing."""
    before, after = template[max(0, slot.start() - _NEAR) : slot.start()], template[slot.end() : slot.end() + _NEAR]
    if _SINCE_LABEL.search(before):
        return False
    if _UNIT.search(after) or _MEASURE_UNIT.search(after):
        return True
    if _NAME_LABEL.search(before):
        return False
    labels = (_STATUS_LABEL, _TIME_LABEL, _OTHER_LABEL, _MEASURE_LABEL)
    return True if any(label.search(before) for label in labels) else None


def _label(template: str, column: int, numbers: int, *, by_meaning: bool) -> str | None:
    """Unit of the number in a column, ``status``, or "" for none; None where it is unclear which ``<*>`` it was.

    A ``<*>`` may stand for a path or a name as well.  So either all of them are numbers, or those are whose label or
    unit says so, if these are as many as the numbers of the message.
    """
    ranked = slots_by_rank(template) if by_meaning else [(slot, UNKNOWN) for slot in _SLOT.finditer(template)]
    labels = [_label_at(template, slot) for slot, _ in ranked]
    if len(labels) == numbers or column < _certain(ranked, numbers):
        return labels[column] or ""
    named = [label for label in labels if label is not None]
    return named[column] if len(named) == numbers else None


def _certain(ranked: list[tuple[re.Match[str], int]], numbers: int) -> int:
    """How many of the first values are known for those of the first ``<*>``: none where a measure has no number."""
    certain = min(sum(rank <= MEASURE for _, rank in ranked), VALUES)
    return certain if certain <= numbers else 0


def _label_at(template: str, slot: re.Match[str]) -> str | None:
    """What the words around one ``<*>`` say of it; None where they say nothing."""
    before, after = template[max(0, slot.start() - _NEAR) : slot.start()], template[slot.end() : slot.end() + _NEAR]
    if unit := _UNIT.search(after):
        return "s" if unit[1] in _SECONDS else _UNIT_NAMES.get(unit[1], unit[1])
    if _STATUS_LABEL.search(before):
        return _STATUS
    if _TIME_LABEL.search(before):
        # The masks scale a unit that is written together with its number to seconds.
        return "s"
    return "" if _OTHER_LABEL.search(before) else None


def _is_error(value: float) -> bool:
    return value in _ERROR_STATUS
