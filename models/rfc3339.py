"""Times: microseconds since the epoch inside, RFC 3339 in UTC with milliseconds outside."""

from datetime import UTC, datetime, timedelta
from typing import Final

SECOND: Final = 1_000_000
DAY: Final = 86_400 * SECOND
"""Microseconds."""

_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - UTC, and text without a zone, which is faster
_FIRST: Final = (datetime.min - _EPOCH) // timedelta(microseconds=1)  # noqa: DTZ901 - UTC as the epoch is
_END: Final = (datetime.max - _EPOCH) // timedelta(microseconds=1)  # noqa: DTZ901


def time_text(micros: int) -> str:
    """Return ``2026-01-01T00:00:00.000Z``; parts of a millisecond are cut off.  Years 1 to 9999 only."""
    return (_EPOCH + timedelta(microseconds=micros)).isoformat(timespec="milliseconds") + "Z"


def parse_time(text: str) -> int:
    """Return microseconds.

    Raises:
        ValueError: ``text`` is no RFC 3339 time with a zone, or lies outside the years 1 to 9999.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        msg = f"{text!r} names no zone"
        raise ValueError(msg)
    micros = (moment - _EPOCH.replace(tzinfo=UTC)) // timedelta(microseconds=1)
    if not _FIRST <= micros < _END:
        msg = f"{text!r} is outside the years 1 to 9999"
        raise ValueError(msg)
    return micros
