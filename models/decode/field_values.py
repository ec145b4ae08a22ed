"""Single values of a record's fields: levels in all their spellings, and texts that are written as something else."""

from typing import Any

from models.decode.formats.levels import level_of


def level_number(value: object, *, is_node: bool = False) -> int:
    """Level that a name or number stands for; 0 where it is none.  For ``is_node`` see ``level_of``."""
    return int(level_of(value, is_node=is_node)) if isinstance(value, str | int | float) else 0


def priority_level(value: str | int | None) -> int:
    """Level of a syslog priority, which is eight times the facility and the severity; 0 where it is none."""
    text = str(value)
    return int(level_of(int(text) % 8)) if text.isascii() and text.isdigit() and len(text) < 4 else 0  # noqa: PLR2004


def is_no_level(value: object) -> bool:
    """Whether a value is there and can be no level."""
    return value is not None and (isinstance(value, bool) or not isinstance(value, str | int | float))


def as_text(value: object) -> str | None:
    """A text or whole number as text."""
    return value if isinstance(value, str) else str(value) if isinstance(value, int) else None


def from_bytes(value: list[Any]) -> str | None:
    """The text that a list of bytes holds, as journald writes what is not clean UTF-8; None where it is none."""
    try:
        return bytes(value).decode("utf-8", "replace")
    except (TypeError, ValueError):
        return None
