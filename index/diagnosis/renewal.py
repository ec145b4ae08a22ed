"""Whether an incident is to be explained again, and whether what comes of it takes the place of what is known."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Self

from index.diagnosis.types import Diagnosis
from index.evidence.types import Evidence
from models.records import Level
from models.rfc3339 import SECOND

_SLACK_US: Final = 2 * SECOND
"""Microseconds by which clocks may differ (a judgement, as in ``index.evidence.request_trace``)."""


SURE: Final = 0.5
"""Confidence from which on a diagnosis is rather right than wrong, as for titles of alerts: a judgement."""

_HEADING: Final = re.compile(r"[.:;,(]")
"""What ends the first words of a cause, those that say which it is."""

_NUMBER: Final = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class SignalNow:
    """One signal of an incident as it is now; times in microseconds."""

    service: str
    template: str
    """Masked text of the message that it is about; "" for one that is about none."""
    level: Level
    """Of its worst line; ``UNKNOWN`` for what detectors found in numbers, order or silence."""
    first: int
    last: int
    goes_on: bool


@dataclass(frozen=True, slots=True)
class Basis:
    """What a diagnosis stood on."""

    until: int
    """The end of the time that it looked at (microseconds)."""
    diagnosis: Diagnosis
    services: frozenset[str]
    """The services whose lines it cited."""
    messages: frozenset[tuple[str, str]]
    """Service and template of every line of its evidence."""
    worst: Level
    """The worst level among these."""

    @classmethod
    def of(cls, evidence: Evidence, diagnosis: Diagnosis) -> Self:
        """Return what a diagnosis stands on."""
        cited = diagnosis.cited
        return cls(
            until=evidence.end,
            diagnosis=diagnosis,
            services=frozenset(line.service for line in evidence.lines if line.id in cited),
            messages=frozenset((line.service, line.template) for line in evidence.lines),
            worst=max((line.level for line in evidence.lines), default=Level.UNKNOWN),
        )


def needs_new_diagnosis(basis: Basis | None, signals: Sequence[SignalNow]) -> str:
    """Return why an incident is to be explained again, as a phrase; "" where its diagnosis still holds.

    Reasons, the strongest first: it has none; a CRITICAL line came that it did not see; all that it stood on is over
    while other things go on; an error came that it did not see, of a service that it did not cite.
    """
    if basis is None:
        return "it has no diagnosis yet"
    fresh = [signal for signal in signals if _unseen(signal, basis)]
    for signal in _worst_first(fresh):
        if signal.level >= Level.CRITICAL:
            return f"{signal.service} wrote a CRITICAL line since"
    if is_over(basis, signals):
        going_on = next(signal.service for signal in signals if signal.goes_on)
        return f"what it stood on is over, and {going_on} goes on"
    for signal in _worst_first(fresh):
        if signal.level >= Level.ERROR and (signal.service not in basis.services or signal.level > basis.worst):
            return f"{signal.service} wrote a new error since"
    return ""


def is_over(basis: Basis, signals: Sequence[SignalNow]) -> bool:
    """Return whether all that a diagnosis stood on is over, while other things go on."""
    stood_on = [signal for signal in signals if signal.service in {basis.diagnosis.service, *basis.services}]
    is_any_left = any(signal.goes_on for signal in stood_on)
    return bool(stood_on) and not is_any_left and any(signal.goes_on for signal in signals)


def displaces(new: Diagnosis, known: Diagnosis) -> bool:
    """Return whether a later diagnosis of an incident takes the place of the one that is known.

    It does where it puts it down to the same in newer words, and where the known one is not sure.  A cause that is
    known gives way only to one that is as sure: what comes late is often a consequence of it, or of its repair, such as
    a service that does not answer while it is started again.  What may be a consequence never takes the place of what
    tells outright what is wrong.
    """
    if known.confidence < SURE or _same(new, known):
        return True
    return new.confidence >= known.confidence and (known.consequence or not new.consequence)


def _same(one: Diagnosis, other: Diagnosis) -> bool:
    """Whether two diagnoses name one cause: the same service and first words, but for numbers."""
    return one.service == other.service and _heading(one) == _heading(other)


def _heading(diagnosis: Diagnosis) -> str:
    return _NUMBER.sub("", _HEADING.split(diagnosis.cause, maxsplit=1)[0])


def _unseen(signal: SignalNow, basis: Basis) -> bool:
    """Whether a signal is one that the diagnosis has not seen."""
    message = (signal.service, signal.template)
    return signal.last > basis.until + _SLACK_US and message not in basis.messages


def _worst_first(signals: Iterable[SignalNow]) -> list[SignalNow]:
    return sorted(signals, key=lambda signal: (-signal.level, signal.first, signal.service))
