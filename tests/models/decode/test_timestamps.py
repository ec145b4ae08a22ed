"""Time stamps as columns, against Python's own calendar."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.decode.timestamps import (
    LEAP_YEAR,
    check_zone,
    epoch,
    iso,
    rfc3339,
    to_utc,
    with_year,
    year_from,
    year_next,
    year_of,
)
from models.errors import InvalidError
from models.rfc3339 import SECOND

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MOMENTS = st.datetimes(datetime(1971, 1, 1), datetime(2099, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001 - bounds
OFFSETS = st.integers(-14 * 4, 14 * 4).map(lambda quarters: timezone(timedelta(minutes=15 * quarters)))
SEPARATORS = st.tuples(*map(st.sampled_from, ("-/.", "T _", ":.", ".,")))


def micros(moment: datetime) -> int:
    """Microseconds since the epoch."""
    return (moment - EPOCH) // timedelta(microseconds=1)


@given(MOMENTS, OFFSETS, SEPARATORS, st.integers(0, 9), st.sampled_from([":", ""]), st.sampled_from([" ", ""]))
@settings(max_examples=150)
def test_iso_stamps_are_read_in_any_spelling(
    moment: datetime, offset: timezone, marks: tuple[str, ...], digits: int, colon: str, space: str
) -> None:
    """Separators, zones and fractions; beyond microseconds digits are cut off."""
    date, between, clock, point = marks
    local = moment.astimezone(offset)
    if between == "_" and date == ".":
        between = "T"
    fraction = f"{local.microsecond:06d}000"[:digits]
    kept = local.replace(microsecond=int(fraction[:6].ljust(6, "0")) if digits else 0)
    zone = local.strftime("%z")
    stamp = local.strftime(f"%Y{date}%m{date}%d{between}%H{clock}%M{clock}%S")
    stamp += (point + fraction if digits else "") + space + zone[:3] + colon + zone[3:]
    at, exists, zoned = iso(pl.Series([stamp]))
    assert (exists.tolist(), zoned.tolist()) == ([True], [True])
    assert at.tolist() == [micros(kept)]
    assert rfc3339(pl.Series([stamp])).to_list() == [micros(kept)]


@given(MOMENTS)
def test_epoch_numbers_are_told_by_their_size(moment: datetime) -> None:
    """Seconds with or without fraction, milli-, micro- and nanoseconds: to the microsecond."""
    # Before 1973 milliseconds have as many digits as seconds of a far future.
    at = max(micros(moment), 200_000_000 * SECOND)
    texts = [f"{at // SECOND}.{at % SECOND:06d}", f"{at // SECOND}", f"{at // 1000}", f"{at}", f"{at * 1000 + 7}"]
    assert epoch(pl.Series(texts)).to_list() == [at, at // SECOND * SECOND, at // 1000 * 1000, at, at]
    assert rfc3339(pl.Series(texts)).to_list() == epoch(pl.Series(texts)).to_list()


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "soon",
        "2026-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:60:00Z",
        "-5",
        "1e9",
        "nan",
        "99999999999999999999",
        "2026-01-01",
    ],
)
def test_what_is_no_time_is_none(text: str | None) -> None:
    """Neither a date that does not exist nor a number that is none; its neighbour is read."""
    assert rfc3339(pl.Series([text, "2024-02-29T23:59:60Z"], dtype=pl.String)).to_list() == [
        None,
        micros(datetime(2024, 3, 1, tzinfo=UTC)),
    ]


@given(st.lists(MOMENTS, max_size=5), st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu"]))
@settings(max_examples=60, deadline=None)
def test_local_times_become_utc_as_the_zone_says(moments: list[datetime], zone: str) -> None:
    """A reading that comes twice in a year is the earlier one."""
    local = [moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0) for moment in moments]
    readings = np.array([micros(each.replace(tzinfo=UTC)) for each in local], np.int64)
    expected = [micros(each.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)) for each in local]
    assert to_utc(readings, zone).tolist() == expected


def test_a_reading_that_never_was_is_taken_as_of_the_clock_before() -> None:
    """Between two and three on the night that summer time begins."""
    reading = micros(datetime(2026, 3, 29, 2, 30, tzinfo=UTC))
    assert to_utc(np.array([reading]), "Europe/Berlin").tolist() == [micros(datetime(2026, 3, 29, 1, 30, tzinfo=UTC))]


@pytest.mark.parametrize("zone", ["Mars/Olympus", "CEST+1"])
def test_a_zone_that_is_none_is_refused(zone: str) -> None:
    """With what to write instead."""
    with pytest.raises(InvalidError, match="use an IANA name such as Europe/Berlin or UTC"):
        check_zone(zone)
    assert check_zone("Europe/Rome") == "Europe/Rome"


@given(MOMENTS, st.integers(-1, 300))
def test_a_stamp_without_year_is_the_latest_before_its_arrival(moment: datetime, days: int) -> None:
    """However old it is, up to most of a year; a day ahead is a wrong clock, not last year."""
    stamp = micros(moment.replace(year=LEAP_YEAR))
    arrival = micros(moment + timedelta(days=days))
    if (moment.month, moment.day) != (2, 29):
        assert year_from(np.array([stamp]), np.array([arrival])).tolist() == [micros(moment)]
        assert year_next(stamp, micros(moment) + min(days, 150) * 86_400 * SECOND) == micros(moment)


@pytest.mark.parametrize(("year", "found"), [(2024, 2024), (2025, 2024), (2027, 2024), (2028, 2028), (2100, 2096)])
def test_the_29th_of_february_goes_to_the_latest_leap_year(year: int, found: int) -> None:
    """The others keep their year."""
    stamp = micros(datetime(LEAP_YEAR, 2, 29, 5, tzinfo=UTC))
    moved = with_year(np.array([stamp, stamp + 86_400 * SECOND]), np.array([year, year]))
    assert moved.tolist() == [
        micros(datetime(found, 2, 29, 5, tzinfo=UTC)),
        micros(datetime(year, 3, 1, 5, tzinfo=UTC)),
    ]
    assert year_of(moved).tolist() == [found, year]
