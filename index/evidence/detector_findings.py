"""What detectors say in words, read again: too high values, steps that are missing, silence, odd rates."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from models.records import HOST_MARK


class BehaviourKind(StrEnum):
    """What is unusual."""

    SLOW = "slow"
    """Durations are above the usual."""
    REFUSED = "refused"
    """Answers have status codes above the usual."""
    HIGH = "high"
    """Other numbers are above the usual."""
    MISSING = "missing"
    """What usually follows a message does not come."""
    SILENT = "silent"
    """A source has stopped writing."""
    RATE = "rate"
    """A message comes too often or too seldom."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """One reason of a detector; fields that a kind does not have are empty."""

    kind: BehaviourKind
    reason: str
    template: str = ""
    """Of the message that is slow, refused or too frequent, or after which something is missing."""
    follows: str = ""
    """Template that should have followed."""
    value: float = 0.0
    usual: float = 0.0
    """Value up to which all is as usual, seconds for SLOW and SILENT."""
    service: str = ""
    """Of a silent source."""
    host: str = ""


_VALUES: Final = re.compile(r"^\d+ of `(.*)` with values like (\S+), usually below (\S+)$", re.DOTALL)
_FOLLOWS: Final = re.compile(
    r"^`(.*)` usually comes (?:as often as|with) `(.*)` (?:within|in) .* and is missing$", re.DOTALL
)
_SILENT: Final = re.compile(r"^(\S+) has been silent for (\d+) s, usually (\d+) s at most$")
_RATE: Final = re.compile(r"^(\d+) of `(.*)` in \d+ s, usually (\d+) to (\d+)$", re.DOTALL)
_DURATION: Final = re.compile(r"(?i)\btime:|\bseconds?\b|\btook\b|\belapsed\b|\bduration\b|<\*> ?m?s\b")
_STATUS: Final = re.compile(r"(?i)\bstatus\b|HTTP")
_TIMES: Final = re.compile(r"(?i)(?:time: ?|took )(\d+(?:\.\d+)?)|(\d+\.\d+)(?= ?s)")
_NUMBERS: Final = re.compile(r"(?<![\w.-])\d+(?:\.\d+)?(?![\w.-])")
_CODES: Final = range(400, 600)


def read_reasons(reasons: Iterable[str]) -> tuple[Behaviour, ...]:
    """The reasons that tell of behaviour, in their order; what counts errors or new templates is told by lines."""
    return tuple(found for reason in reasons if (found := _read(reason)) is not None)


def exceeds(behaviour: Behaviour, message: str) -> bool:
    """Whether a message of the template has the value that is unusual."""
    if behaviour.kind is BehaviourKind.REFUSED:
        return re.search(rf"\b{int(behaviour.value / 100)}\d\d\b", message) is not None
    return any(number > behaviour.usual for number in numbers_in(message, behaviour.kind))


def numbers_in(message: str, kind: BehaviourKind) -> list[float]:
    """The numbers of a message that may be unusual: of SLOW its durations, where it names any as such."""
    if kind is BehaviourKind.SLOW and (times := [float(a or b) for a, b in _TIMES.findall(message)]):
        return times
    return [float(number) for number in _NUMBERS.findall(message)]


def _read(reason: str) -> Behaviour | None:
    if match := _VALUES.match(reason):
        template, value, usual = match[1], float(match[2]), float(match[3])
        if _STATUS.search(template) and value in _CODES and value == int(value):
            return Behaviour(BehaviourKind.REFUSED, reason, template, value=value, usual=usual)
        kind = BehaviourKind.SLOW if _DURATION.search(template) else BehaviourKind.HIGH
        return Behaviour(kind, reason, template, value=value, usual=usual)
    if match := _FOLLOWS.match(reason):
        return Behaviour(BehaviourKind.MISSING, reason, match[2], follows=match[1])
    if match := _SILENT.match(reason):
        service, _, host = match[1].partition(HOST_MARK)
        return Behaviour(
            BehaviourKind.SILENT, reason, value=float(match[2]), usual=float(match[3]), service=service, host=host
        )
    if match := _RATE.match(reason):
        return Behaviour(BehaviourKind.RATE, reason, match[2], value=float(match[1]), usual=float(match[4]))
    return None
