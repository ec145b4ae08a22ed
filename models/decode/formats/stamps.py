"""Time stamps in the many spellings that no format of its own needs: named months, day first, 12-hour clocks, compact.

Every spelling is one pattern with named parts; one reader makes times of the parts, whatever the spelling.
"""

from typing import Final

import numpy as np
import polars as pl

from models.decode.formats.base import Stamps
from models.decode.timestamps import LEAP_YEAR, Clock, micros, naive, of_day, rfc3339
from models.records import I64
from models.rfc3339 import SECOND

_MONTHS: Final = (
    *("jan gen ene", "feb fév fev", "mar mär mrz", "apr avr abr", "may mai mag", "jun giu", "jul lug", "aug ago aoû"),
    *("sep set", "oct okt ott out", "nov", "dec dez dic déc"),
)
"""First letters of each month in English, German, French, Italian, Spanish and Portuguese."""
_MONTH_NUMBERS: Final = {name: number for number, names in enumerate(_MONTHS, 1) for name in names.split()}
_MONTH: Final = r"(?P<month>(?i:jui[nl]|" + "|".join(_MONTH_NUMBERS) + r")[a-zéèû]{0,6}\.?)"
_DAY: Final = "(?P<day>[0-9]{1,2})"
_YEAR: Final = "(?P<year>[0-9]{4})"
_DOW: Final = "(?:(?i:mon|tue|wed|thu|fri|sat|sun)[a-z]{0,6},? +)"
_CLOCK: Final = (
    r"(?P<hour>[0-9]{1,2})[:.](?P<minute>[0-9]{2})[:.](?P<second>[0-9]{2})(?:[.,:](?P<fraction>[0-9]{1,9}))?"
    r"(?: ?(?P<half>[AaPp])\.?[Mm](?-u:\b)\.?)?"
)
NAMED_ZONES: Final = {
    "Z": 0,
    "z": 0,
    "UTC": 0,
    "GMT": 0,
    "WET": 0,
    "WEST": 1,
    "CET": 1,
    "CEST": 2,
    "MEZ": 1,
    "MESZ": 2,
    "EET": 2,
    "EEST": 3,
    "MSK": 3,
    "JST": 9,
    "KST": 9,
    "EST": -5,
    "EDT": -4,
    "CDT": -5,
    "MST": -7,
    "MDT": -6,
    "PST": -8,
    "PDT": -7,
    "AEST": 10,
    "AEDT": 11,
    "NZST": 12,
    "NZDT": 13,
    "HKT": 8,
    "SGT": 8,
}
"""Hours east of Greenwich of abbreviations that stand for one zone; CST, IST and BST stand for several and are none."""
_ZONE: Final = r"(?: ?(?P<zone>[+-][0-9]{2}:?[0-9]{2}|(?:" + "|".join(NAMED_ZONES) + r"))(?-u:\b))?"

SPELLINGS: Final = (
    # 2026-11-30  9:14:14, 2026/11/30 09.14.14, 2026-11-30T09:14:14,123+0100
    rf"{_DOW}?{_YEAR}[-/.](?P<month>[0-9]{{1,2}})[-/.]{_DAY}(?:[Tt]|[ _-]{{1,3}}|: ?){_CLOCK}{_ZONE}",
    # 2026 Nov 30 09:14:14, 2026-Nov-30 09:14:14
    rf"{_YEAR}[ -]{_MONTH}(?: +|-){_DAY},? {_CLOCK}{_ZONE}",
    # Mon Nov 30 09:14:14.123 UTC 2026
    rf"{_DOW}{_MONTH} +{_DAY} {_CLOCK}{_ZONE} {_YEAR}",
    # Mon, 30 Nov 2026 09:14:14 GMT, 30-Nov-2026::09:14:14, 30/Nov/2026:09:14:14 +0100
    rf"{_DOW}?{_DAY}[ /.-]{_MONTH}[ /.-](?P<year>[0-9]{{4}}|[0-9]{{2}})(?:[ ,:T]{{1,3}}){_CLOCK}{_ZONE}",
    # Nov 30, 2026 9:14:14 PM
    rf"{_DOW}?{_MONTH} +{_DAY},? +{_YEAR},?[ T]+{_CLOCK}{_ZONE}",
    # 30.11.2026 09:14:14, 30-11-2026 09:14:14, 30.11.26 09:14:14
    rf"{_DAY}[.-](?P<month>[0-9]{{1,2}})[.-](?P<year>[0-9]{{4}}|[0-9]{{2}})(?:[ ,T]{{1,3}}){_CLOCK}{_ZONE}",
    # 11/30/2026 9:14:14 PM; the day first where the other order is no date
    rf"(?P<month>[0-9]{{1,2}})/{_DAY}/(?P<year>[0-9]{{4}}|[0-9]{{2}})(?:[ ,T]{{1,3}}|:){_CLOCK}{_ZONE}",
    # 20261130 09:14:14, 20261130T091414Z, 20261130-9:14:14:123
    (
        r"(?P<year>20[0-9]{2})(?P<month>[0-9]{2})(?P<day>[0-9]{2})[T_ -](?P<hour>[0-9]{1,2}):?(?P<minute>[0-9]{2}):?"
        rf"(?P<second>[0-9]{{2}})(?:[.,:](?P<fraction>[0-9]{{1,9}}))?{_ZONE}"
    ),
    # 261130  9:14:14 (MySQL 5)
    rf"(?P<year>[0-9]{{2}})(?P<month>[0-9]{{2}})(?P<day>[0-9]{{2}}) +{_CLOCK}",
    # Mon Nov 30 09:14:14, Nov 30 09:14:14, 30 Nov 09:14:14: no year
    rf"{_DOW}?{_MONTH} +{_DAY},? {_CLOCK}{_ZONE}",
    rf"{_DOW}?{_DAY}[ -]{_MONTH} {_CLOCK}{_ZONE}",
    # 11-30 09:14:14.123, 11/30 09:14:14
    rf"(?P<month>[0-9]{{2}})[-/](?P<day>[0-9]{{2}}) {_CLOCK}",
)
"""Patterns of stamps, those that say more before those that say less."""


def read_parts(parts: pl.DataFrame) -> Stamps:
    """Times of the parts of SPELLINGS: ``year`` (else YEARLESS), ``month``, ``day``, ``hour`` …, ``zone``."""

    def ints(name: str) -> I64:
        if name not in parts.columns:
            return np.zeros(len(parts), np.int64)
        return parts[name].cast(pl.Int64, strict=False).fill_null(0).to_numpy()

    # French June and July have their first three letters in common.
    named = parts["month"].str.to_lowercase().str.replace("jui", "ju", literal=True).str.slice(0, 3)
    month = named.replace_strict(_MONTH_NUMBERS, default=None, return_dtype=pl.Int64)
    months, days = month.fill_null(parts["month"].cast(pl.Int64, strict=False)).fill_null(0).to_numpy(), ints("day")
    swap = (months > 12) & (days <= 12)  # noqa: PLR2004 - no month: the day came first
    months, days = np.where(swap, days, months), np.where(swap, months, days)
    hours, clock_ok = ints("hour"), True
    if "half" in parts.columns and parts["half"].null_count() < len(parts):
        half = parts["half"].str.to_lowercase()
        clock_ok = ((hours >= 1) & (hours <= 12)) | half.is_null().to_numpy()  # noqa: PLR2004 - no hour 0 or 13
        noon = hours % 12 + np.where((half == "p").fill_null(value=False).to_numpy(), 12, 0)
        hours = np.where(half.is_null().to_numpy(), hours, noon)
    seconds, day_ok = of_day(hours, ints("minute"), ints("second"))
    fraction = np.zeros(len(parts), np.int64)
    if "fraction" in parts.columns:
        digits = parts["fraction"].str.pad_end(6, "0").str.slice(0, 6).cast(pl.Int64, strict=False)
        fraction = digits.fill_null(0).to_numpy()
    dated = "year" in parts.columns
    year = ints("year") if dated else np.full(len(parts), LEAP_YEAR, np.int64)
    year = np.where(year < 100, year + 2000, year)  # noqa: PLR2004 - two digits
    time, date_ok = micros(year, months, days, seconds, fraction)
    clock = np.full(len(parts), Clock.NAIVE if dated else Clock.YEARLESS, np.int64)
    if dated and "zone" in parts.columns and parts["zone"].null_count() < len(parts):
        shift = parts["zone"].replace_strict(
            {name: offset(name) for name in parts["zone"].drop_nulls().unique().to_list()}, default=0
        )
        time = time - shift.cast(pl.Int64).fill_null(0).to_numpy() * SECOND
        clock = np.where(parts["zone"].is_not_null().to_numpy(), np.int64(Clock.UTC), clock)
    return time, day_ok & date_ok & clock_ok, clock


def read_spelled(texts: pl.Series) -> Stamps:
    """Times of texts that are a stamp in one of SPELLINGS and nothing else."""
    time, exists = np.zeros(len(texts), np.int64), np.zeros(len(texts), np.bool_)
    clock = np.full(len(texts), Clock.NAIVE, np.int64)
    for spelling in SPELLINGS:
        rows = np.flatnonzero(~exists)
        if not rows.size:
            break
        parts = texts[rows].str.extract_groups(rf"^\s*{spelling}(?: UTC)?\s*$").struct.unnest()
        known = parts["day"].is_not_null().to_numpy()
        if known.any():
            rows = rows[known]
            time[rows], exists[rows], clock[rows] = read_parts(parts.filter(pl.Series(known)))
    return time, exists, clock


def read_any(texts: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Times of texts that hold a stamp of whatever spelling or an epoch number, and their Clock; null and NONE else."""
    time = rfc3339(texts)
    clock = np.where(naive(texts).fill_null(value=True).to_numpy(), int(Clock.NAIVE), int(Clock.UTC))
    left = (time.is_null() & texts.is_not_null()).arg_true()
    if len(left):
        spelled, exists, clocks = read_spelled(texts.gather(left))
        rows = left.filter(pl.Series(exists))
        time = time.clone().scatter(rows, spelled[exists])
        clock[rows.to_numpy()] = clocks[exists]
    clock = np.where(time.is_null().to_numpy(), int(Clock.NONE), clock)
    return time, pl.Series(clock, dtype=pl.UInt8)


def offset(zone: str) -> int:
    """Seconds east of Greenwich of ``+01:00``, ``-0930``, ``CEST``."""
    if zone[0] not in "+-":
        return NAMED_ZONES[zone] * 3600
    hours, minutes = int(zone[1:3]), int(zone[-2:])
    return (hours * 3600 + minutes * 60) * (-1 if zone[0] == "-" else 1)
