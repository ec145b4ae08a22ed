"""Time stamps as columns: text to microseconds since the epoch, years that were left out, time zones.

A format says what its stamps are worth (``Clock``); zone and year are settled here, for all formats alike.
"""

from datetime import timedelta
from enum import IntEnum
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.errors import InvalidError
from models.records import BOOL, I64, NO_TIME
from models.rfc3339 import DAY, SECOND

LEAP_YEAR: Final = 2000
"""Stamps without a year are first read as if in this year, so that 29 February exists."""
_GAP: Final = 6 * 3_600 * SECOND  # longer than any jump of a clock that a zone has made


class Clock(IntEnum):
    """What the time stamp of a line is worth."""

    UTC = 0
    NAIVE = 1
    """Local time of an unnamed zone."""
    YEARLESS = 2
    """Local time without year, read as of ``LEAP_YEAR``."""
    NONE = 3
    """A header without a time."""
    DATELESS = 4
    """Local time of day without a date, read as of 1970-01-01."""


def micros(year: I64, month: I64, day: I64, seconds: I64, fraction: I64) -> tuple[I64, BOOL]:
    """Microseconds since the epoch of civil dates, and which of them exist (days-from-civil, H. Hinnant)."""
    early = month <= 2  # noqa: PLR2004 - January and February count to the year before
    y = year - early
    era = y // 400
    of_era = y - era * 400
    of_year = (153 * (month + np.where(early, 9, -3)) + 2) // 5 + day - 1
    days = era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    safe = np.clip(month, 1, 12)
    length = np.where((safe == 2) & leap, 29, _MONTH_DAYS[safe])  # noqa: PLR2004
    exists = (month >= 1) & (month <= 12) & (day >= 1) & (day <= length)  # noqa: PLR2004
    return days * DAY + seconds * SECOND + fraction, exists


_MONTH_DAYS: Final = np.array([31, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], np.int64)


def digits(stamps: pl.Series, width: int) -> NDArray[np.int64]:
    """Shape (n, width): the first ``width`` characters, which must be ASCII, less ``'0'``."""
    packed = stamps.str.slice(0, width).str.join("").item().encode("ascii")
    return np.frombuffer(packed, np.uint8).reshape(len(stamps), width).astype(np.int64) - 48


def number(cells: NDArray[np.int64], first: int, count: int) -> I64:
    """The number that ``count`` digit columns from ``first`` on spell."""
    total = cells[:, first]
    for column in range(first + 1, first + count):
        total = total * 10 + cells[:, column]
    return total


def of_day(hour: I64, minute: I64, second: I64) -> tuple[I64, BOOL]:
    """Seconds since midnight, and whether the time of day exists (leap seconds do)."""
    exists = (hour <= 23) & (minute <= 59) & (second <= 60)  # noqa: PLR2004
    return hour * 3600 + minute * 60 + second, exists


def fixed(stamps: pl.Series, fraction: int = 0) -> tuple[I64, BOOL]:
    """``YYYY?MM?DD?hh?mm?ss`` and, where ``fraction`` > 0, that many digits behind one more character."""
    cells = digits(stamps, 19 + (1 + fraction if fraction else 0))
    seconds, clock_ok = of_day(number(cells, 11, 2), number(cells, 14, 2), number(cells, 17, 2))
    part = number(cells, 20, fraction) * 10 ** (6 - fraction) if fraction else np.zeros(len(stamps), np.int64)
    time, date_ok = micros(number(cells, 0, 4), number(cells, 5, 2), number(cells, 8, 2), seconds, part)
    return time, clock_ok & date_ok


ISO: Final = (
    r"[0-9]{4}[-/.][0-9]{2}[-/.][0-9]{2}[T _-][0-9]{2}[:.][0-9]{2}[:.][0-9]{2}(?:[.,:][0-9]{1,9})?"
    r"(?: ?(?:Z|z|UTC|GMT)\b|[ ]?[+-][0-9]{2}:?[0-9]{2}\b|[+-][0-9]{2}\b)?"
)
"""What ``iso`` reads, as a pattern."""


def iso(stamps: pl.Series) -> tuple[I64, BOOL, BOOL]:
    """Stamps that match ``ISO``: microseconds, which exist, which name their zone."""
    time, exists = fixed(stamps)
    rest = stamps.str.slice(19)
    fraction = rest.str.extract(r"^[.,:]([0-9]+)").str.pad_end(6, "0").str.slice(0, 6).cast(pl.Int64).fill_null(0)
    zone = rest.str.extract(r"(Z|z|UTC|GMT|[+-][0-9]{2}(?::?[0-9]{2})?)$")
    zoned = zone.is_not_null().to_numpy()
    time = time + fraction.to_numpy()
    if zoned.any():
        shift = {name: _offset(name) for name in zone.drop_nulls().unique().to_list()}
        by = zone.replace_strict(shift, default=0, return_dtype=pl.Int64).fill_null(0)
        time = time - by.to_numpy() * SECOND
    return time, exists, zoned


def _offset(zone: str) -> int:
    """Seconds east of Greenwich."""
    if zone[0] not in "+-":
        return 0
    hours, minutes = int(zone[1:3]), int(zone[3:].strip(":") or 0)
    return (hours * 3600 + minutes * 60) * (-1 if zone[0] == "-" else 1)


_SHIPPED: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6,9}Z$"
"""As shippers write it: one shape, so it is read in one piece."""


def rfc3339(texts: pl.Series) -> pl.Series:
    """Texts with RFC 3339 stamps, naive ones taken as UTC, or epoch numbers; null where a text is neither."""
    if not texts.null_count() and texts.str.contains(_SHIPPED).all():
        time, exists = fixed(texts, fraction=6)
        return pl.Series(np.where(exists, time, NO_TIME)).replace(NO_TIME, None)
    valid = texts.str.contains(rf"^{ISO}$").fill_null(value=False)
    out = np.full(len(texts), NO_TIME, np.int64)
    if valid.any():
        time, exists, _ = iso(texts.filter(valid))
        out[valid.to_numpy()] = np.where(exists, time, NO_TIME)
    times = pl.Series(out).replace(NO_TIME, None)
    if not valid.all():
        times = times.fill_null(epoch(texts))
    return times


def naive(texts: pl.Series) -> pl.Series:
    """Which stamps as ``rfc3339`` takes them name no zone; null where there is none."""
    return ~texts.str.contains(r"(?:Z|z|UTC|GMT|[T ].*[+-][0-9]{2}(?::?[0-9]{2})?)$|^[0-9.eE+]+$")


def epoch(texts: pl.Series) -> pl.Series:
    """Epoch numbers in seconds, milli-, micro- or nanoseconds (told by size) as microseconds, exactly; else null."""
    parts = pl.DataFrame(
        {
            "whole": texts.str.extract(r"^([0-9]{1,19})(?:\.[0-9]*)?$").cast(pl.Int64, strict=False),
            "part": texts.str.extract(r"\.([0-9]+)$").str.pad_end(6, "0").str.slice(0, 6).cast(pl.Int64).fill_null(0),
        }
    )
    whole = pl.col("whole")
    return parts.select(
        pl.when(whole < 100_000_000_000)  # noqa: PLR2004 - by their size: seconds, milliseconds, micro-, nanoseconds
        .then(whole * SECOND + pl.col("part"))
        .when(whole < 100_000_000_000_000)  # noqa: PLR2004
        .then(whole * 1_000 + pl.col("part") // 1_000)
        .when(whole < 100_000_000_000_000_000)  # noqa: PLR2004
        .then(whole)
        .otherwise(whole // 1_000)
    ).to_series()


def check_zone(zone: str) -> str:
    """The zone's name, if it is one; InvalidError otherwise."""
    try:
        pl.Series([0]).cast(pl.Datetime("us")).dt.replace_time_zone(zone)
    except pl.exceptions.PolarsError as error:
        raise InvalidError(f"unknown time zone {zone!r}: use an IANA name such as Europe/Berlin or UTC") from error
    return zone


def to_utc(local: I64, zone: str) -> I64:
    """Local clock readings of a zone as UTC: the earlier one where a reading came twice, the gap added where none."""
    if zone == "UTC" or not local.size:
        return local
    clock = pl.Series(local).cast(pl.Datetime("us"))
    moment = clock.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    if moment.null_count():
        # Before the gap the old offset holds: read some hours earlier and add them again.
        gap = timedelta(microseconds=_GAP)
        before = (clock - gap).dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
        moment = moment.fill_null(before + gap)
    return moment.dt.convert_time_zone("UTC").cast(pl.Int64).to_numpy()


def year_of(time: I64) -> I64:
    """Calendar year (UTC)."""
    return time.astype("datetime64[us]").astype("datetime64[Y]").astype(np.int64) + 1970


def with_year(stamps: I64, year: I64) -> I64:
    """Stamps read as of LEAP_YEAR moved into ``year``; 29 February goes to the latest leap year up to it."""
    days = stamps.astype("datetime64[us]").astype("datetime64[D]")
    month = days.astype("datetime64[M]").astype(np.int64) % 12 + 1
    day = (days - days.astype("datetime64[M]")).astype(np.int64) + 1
    moved, exists = micros(year, month, day, np.zeros_like(stamps), stamps % DAY)
    wanted = year
    while not exists.all():
        wanted = np.where(exists, wanted, wanted - 1)
        moved, exists = micros(wanted, month, day, np.zeros_like(stamps), stamps % DAY)
    return moved


def year_from(stamps: I64, arrival: I64) -> I64:
    """The latest year that puts a stamp at most a day after its arrival: one of December read in January is old."""
    year = year_of(arrival + DAY)
    moved = with_year(stamps, year)
    return np.where(moved > arrival + DAY, with_year(stamps, year - 1), moved)


def year_next(stamp: int, before: int) -> int:
    """The reading of a year-less stamp that is nearest to the time of the line before it."""
    year = int(year_of(np.array([before]))[0])
    candidates = with_year(np.full(3, stamp), np.array([year - 1, year, year + 1]))
    return int(candidates[np.abs(candidates - before).argmin()])


def moved_years(time: int, years: int) -> I64:
    """A time moved by every number of whole years from ``-years`` to ``years``, as far as that is later than 1970."""
    times = np.full(2 * years + 1, time)
    year = year_of(times) + np.arange(-years, years + 1)
    moved = with_year(times, np.maximum(year, 1972))
    return moved[year >= 1972]  # noqa: PLR2004 - the first leap year of the epoch, where 29 February goes to
