"""The result of a check of an installation."""

from dataclasses import dataclass
from enum import StrEnum


class CheckOutcome(StrEnum):
    """How a check ended; only with ``fail`` Tocsin does not work."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Check:
    """One result: what was observed, and what to do about it ("" for nothing)."""

    name: str
    outcome: CheckOutcome
    seen: str
    advice: str = ""
