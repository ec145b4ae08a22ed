"""What a check of an installation finds."""

from dataclasses import dataclass
from enum import StrEnum


class CheckOutcome(StrEnum):
    """How a check ended; only ``fail`` keeps Tocsin from working."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Check:
    """One result: what was seen, and what to do about it ("" where nothing)."""

    name: str
    outcome: CheckOutcome
    seen: str
    advice: str = ""
