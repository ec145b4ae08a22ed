"""Findings as sentences: the unusual number first, what is usual in brackets, templates in backquotes."""

from collections.abc import Callable, Mapping
from typing import Final

from models.findings import Finding, FindingKind

_UNSEEN: Final = "a message never seen in training"
"""Stands for a template without text."""

_WHOLE_FROM: Final = 1e3
"""Numbers from here on are written as whole ones with commas, below with three digits: a judgement."""

_WHOLE_TO: Final = 1e15
"""Numbers from here on are written with an exponent: nobody reads sixteen digits."""

_UNITS: Final = ((86_400, "days"), (3600, "hours"), (60, "minutes"))
"""Seconds of a unit of time, and its name."""

_CYCLES: Final[Mapping[int, str]] = {0: "", 24: " at this hour of the day", 168: " at this hour of the week"}
"""Hours of a cycle, and how one of its hours is named."""


def sentence(finding: Finding) -> str:
    """Return a finding as one sentence without a full stop."""
    return _SENTENCES[finding.kind](finding)


def long_time(seconds: float) -> str:
    """Return a time in the largest unit of which there are two; "" below two minutes."""
    return next((f"{seconds / size:.0f} {unit}" for size, unit in _UNITS if seconds >= 2 * size), "")


def _new_message(finding: Finding) -> str:
    return f"{finding.count} new message type{'s' if finding.count != 1 else ''} (never seen in training)"


def _new_here(finding: Finding) -> str:
    return f"{_quoted(finding.template)} is new here (training saw it elsewhere only)"


def _errors(finding: Finding) -> str:
    count = _number(finding.value)
    return f"{count} error line{'s' if count != '1' else ''} (usually {_number(finding.usual)})"


def _slow(finding: Finding) -> str:
    return f"{_quoted(finding.template)} takes {_measure(finding)}"


def _refused(finding: Finding) -> str:
    return f"{_quoted(finding.template)} answers {_measure(finding)}"


def _large_value(finding: Finding) -> str:
    return f"{_quoted(finding.template)} has a value of {_measure(finding)}"


def _missing_follow_up(finding: Finding) -> str:
    first, then = _quoted(finding.template), _quoted(finding.follows)
    return f"{then} is missing (usually comes with {first} {_scope(finding, 'within')})"


def _fewer_follow_ups(finding: Finding) -> str:
    first, then = _quoted(finding.template), _quoted(finding.follows)
    usual = f"usually as often as {first}, {_times(finding.usual)}"
    return f"{then} comes {_times(finding.value)} {_scope(finding, 'within')} ({usual})"


def _silent(finding: Finding) -> str:
    source = f"{finding.service} on {finding.host}" if finding.host else finding.service
    if finding.count:
        source = f"one of {finding.count} hosts of {source}"
    return f"{source} has written nothing for {_whole(finding.value)} s (usually at most {_whole(finding.usual)} s)"


def _host_silent(finding: Finding) -> str:
    seconds, usual = _whole(finding.value), _whole(finding.usual)
    quiet = f"all {finding.count} sources of {finding.host} have written nothing for {seconds} s"
    return f"{quiet} (usually at most {usual} s): host or shipper of {finding.host} is quiet"


def _rate_high(finding: Finding) -> str:
    return _rate(finding, "at most")


def _rate_low(finding: Finding) -> str:
    return _rate(finding, "at least")


def _rate(finding: Finding, bound: str) -> str:
    usual = f"usually {bound} {_number(finding.usual)}{_CYCLES.get(finding.cycle_hours, '')}"
    if not finding.template:
        lines = "line" if finding.value == 1 else "lines"
        return f"{_number(finding.value)} {lines} never seen in training {_scope(finding, 'in')} ({usual})"
    return f"{_quoted(finding.template)} comes {_times(finding.value)} {_scope(finding, 'in')} ({usual})"


def _unusual_begin(finding: Finding) -> str:
    return f"the session begins with {_quoted(finding.template)} (no session did in training)"


def _unusual_end(finding: Finding) -> str:
    return f"the session ends with {_quoted(finding.template)} (no session did in training)"


def _unusual_order(finding: Finding) -> str:
    return f"{_quoted(finding.follows)} comes right after {_quoted(finding.template)} (never seen in training)"


def _critical(finding: Finding) -> str:
    return f"{_lines(finding, 'critical line')}{_untrained(finding)}"


def _first_errors(finding: Finding) -> str:
    return f"{_lines(finding, 'error line')}{_untrained(finding)}"


def _refusals(finding: Finding) -> str:
    of = f" to {finding.service}" if finding.service else ""
    return (
        f"{_number(finding.value)} requests{of} refused in {finding.seconds:.0f} s (answers 4xx, far more than usual)"
    )


def _restarts(finding: Finding) -> str:
    return f"{_number(finding.value)} starts of {finding.service or 'a process'} in {finding.seconds:.0f} s"


def _lines(finding: Finding, name: str) -> str:
    count = _number(finding.value)
    of = f" of {finding.service}" if finding.service else ""
    return f"{count} {name}{'s' if count != '1' else ''}{of}"


def _untrained(finding: Finding) -> str:
    """In how much of training nothing like it was seen.

    "" where none was on this cloud, as in the bundle that ships.
    """
    if not finding.trained_s:
        return ""
    span = long_time(finding.trained_s)
    these = "this" if finding.value == 1 else "these"
    return f" (none like {these} in {span} of training)" if span else " (none like it in training)"


def _absent(finding: Finding) -> str:
    return f"{_quoted(finding.template)} is missing (the most similar normal window has it)"


def _unexpected(finding: Finding) -> str:
    return f"{_quoted(finding.template)} is unexpected (the most similar normal window lacks it)"


_SENTENCES: Final[Mapping[FindingKind, Callable[[Finding], str]]] = {
    FindingKind.NEW_MESSAGE: _new_message,
    FindingKind.NEW_HERE: _new_here,
    FindingKind.ERRORS: _errors,
    FindingKind.SLOW: _slow,
    FindingKind.REFUSED: _refused,
    FindingKind.LARGE_VALUE: _large_value,
    FindingKind.MISSING_FOLLOW_UP: _missing_follow_up,
    FindingKind.FEWER_FOLLOW_UPS: _fewer_follow_ups,
    FindingKind.SILENT: _silent,
    FindingKind.HOST_SILENT: _host_silent,
    FindingKind.RATE_HIGH: _rate_high,
    FindingKind.RATE_LOW: _rate_low,
    FindingKind.UNUSUAL_BEGIN: _unusual_begin,
    FindingKind.UNUSUAL_END: _unusual_end,
    FindingKind.UNUSUAL_ORDER: _unusual_order,
    FindingKind.ABSENT: _absent,
    FindingKind.UNEXPECTED: _unexpected,
    FindingKind.CRITICAL: _critical,
    FindingKind.FIRST_ERRORS: _first_errors,
    FindingKind.REFUSALS: _refusals,
    FindingKind.RESTARTS: _restarts,
}


def _measure(finding: Finding) -> str:
    """The number seen, in how many lines where these are several, and the bound of what is usual."""
    unit = f" {finding.unit}" if finding.unit else ""
    lines = f" in {finding.count} lines" if finding.count > 1 else ""
    bound = "at most" if finding.kind is FindingKind.REFUSED else "below"
    return f"{_number(finding.value)}{unit}{lines} (usually {bound} {_number(finding.usual)}{unit})"


def _scope(finding: Finding, preposition: str) -> str:
    """The time or session in which messages were counted."""
    return f"{preposition} {finding.seconds:.0f} s" if finding.seconds else "in the same session"


def _times(number: float | None) -> str:
    return "once" if number == 1 else f"{_number(number)} times"


def _quoted(template: str) -> str:
    return f"`{template}`" if template else _UNSEEN


def _whole(number: float | None) -> str:
    return "unknown" if number is None else f"{number:.0f}"


def _number(number: float | None) -> str:
    """A number as people read it: ``0.74``, ``12``, ``107,400``."""
    if number is None:
        return "unknown"
    return f"{number:,.0f}" if _WHOLE_FROM <= abs(number) < _WHOLE_TO else f"{number:.3g}"
