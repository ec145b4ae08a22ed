"""Times of records: microseconds since the epoch inside, RFC 3339 in UTC with milliseconds outside."""

from datetime import UTC, datetime, timedelta
from typing import Final

SECOND: Final = 1_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST: Final = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
_END: Final = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)


def to_text(micros: int) -> str:
    """Return ``2026-01-01T00:00:00.000Z``; parts of a millisecond are cut off.  Years 1 to 9999 only."""
    moment = _EPOCH + timedelta(microseconds=micros)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def from_text(text: str) -> int:
    """Return microseconds.  Raises ValueError when ``text`` is no RFC 3339 time with a zone, or ``to_text`` cannot."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        msg = f"{text!r} names no zone"
        raise ValueError(msg)
    micros = (moment - _EPOCH) // timedelta(microseconds=1)
    if not _FIRST <= micros < _END:
        msg = f"{text!r} is outside the years 1 to 9999"
        raise ValueError(msg)
    return micros
