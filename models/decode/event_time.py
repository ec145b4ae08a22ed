"""The time of every line: zones, years left out, stamps from the future, and what stands in where a line has none."""

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Final

import numpy as np
import polars as pl

from models.decode.timestamps import Clock, check_zone, to_utc, with_year, year_from, year_next
from models.records import BOOL, I64, NO_TIME
from models.rfc3339 import DAY, SECOND

_YEAR_DEFAULT: Final = 1970
"""The year that a stamp without one is read in, before another is known."""

_LATEST: Final = 253_370_764_800 * SECOND
"""The year 9999: what claims to be later, or so late that a window would end later, is no time."""


@dataclass(frozen=True, slots=True)
class Settled:
    """``time`` is null where nothing is known; ``future`` were put back to their arrival; ``timeless`` name no time.

    ``yearless`` name no year, and nobody knows when they arrived.
    """

    time: pl.Series
    future: BOOL
    timeless: BOOL
    yearless: BOOL


def _names(pattern: str, source: str) -> bool:
    """Whether a shell pattern names a source; a relative one also names the end of a path."""
    return fnmatchcase(source, pattern) or (source.startswith("/") and fnmatchcase(source, f"*/{pattern}"))


class Clocks:
    """Settles times with the configured zones; remembers the last time of files whose stamps lack a year."""

    def __init__(self, zone: str, zones: Mapping[str, str], future_limit_s: int) -> None:
        self._zone = check_zone(zone)
        self._zones = {pattern: check_zone(name) for pattern, name in zones.items()}
        self._limit = future_limit_s * SECOND
        self._last: dict[int, dict[str, int]] = {}

    def forget(self, partition: int) -> None:
        """Drops what is remembered of a partition."""
        self._last.pop(partition, None)

    def _zone_of(self, source: str) -> str:
        return next((zone for pattern, zone in self._zones.items() if _names(pattern, source)), self._zone)

    def settle(self, records: pl.DataFrame, arrived: I64, written: Mapping[int, int]) -> Settled:
        """Times of records with the columns of RECORD, FACTS and ``stamp``; ``arrived`` is the broker's time.

        ``written`` says of partitions that are files when they were last written.
        """
        stamp = _believed(records["stamp"].fill_null(NO_TIME).to_numpy())
        read = _believed(records["read"].fill_null(NO_TIME).to_numpy())
        arrived = _believed(arrived)
        # A shipper's clock may run ahead as well: nothing was read after it arrived.
        read = np.where((arrived >= 0) & (read > arrived + self._limit), NO_TIME, read)
        arrival = np.where(read >= 0, read, arrived)
        clock = records["clock"].fill_null(int(Clock.NONE)).to_numpy()
        own = records["at"].fill_null(0).to_numpy().copy()
        yearless = clock == Clock.YEARLESS
        alone = yearless & (stamp < 0) & (arrival < 0)
        seen = np.where(stamp >= 0, stamp, arrival)
        if yearless.any():
            own = self._with_years(records, own, yearless, seen, written)
        dateless = clock == Clock.DATELESS
        if dateless.any():
            # On the day of the arrival first, as the zone's offset depends on it.
            own = np.where(dateless, own + np.maximum(seen, 0) // DAY * DAY, own)
        own = self._in_utc(records, own, (clock == Clock.NAIVE) | yearless | dateless)
        if dateless.any():
            own = np.where(dateless, self._on_day(own, seen), own)
        own = _believed(np.where((clock == Clock.NONE) | (own < 0), NO_TIME, own))
        own = np.where(own == NO_TIME, stamp, own)
        future = (arrival >= 0) & (own > arrival + self._limit)
        timeless = own == NO_TIME
        if timeless.any():
            # A record with a level or an id of its own says with its time when it was made.
            timeless &= ~(records["complete"].to_numpy() & (read >= 0))
        unknown = own == NO_TIME
        time = np.where(future | unknown, arrival, own)
        known = time >= 0
        series = pl.Series("base", time, pl.Int64)
        return Settled(series if known.all() else series.set(pl.Series(~known), None), future, timeless, alone)

    def _in_utc(self, records: pl.DataFrame, time: I64, naive: BOOL) -> I64:
        if not self._zones:
            return time if self._zone == "UTC" else np.where(naive, to_utc(time, self._zone), time)
        names = {source: self._zone_of(source) for source in records["source"].unique().to_list()}
        for zone in sorted(set(names.values())):
            in_zone = records["source"].is_in([s for s, z in names.items() if z == zone]).to_numpy() & naive
            time[in_zone] = to_utc(time[in_zone], zone)
        return time

    def _on_day(self, own: I64, seen: I64) -> I64:
        """Times of day on the latest day that puts them before they were read; if nobody says when, they are none."""
        return np.where(seen >= 0, own + (seen + self._limit - own) // DAY * DAY, NO_TIME)

    def _with_years(
        self, records: pl.DataFrame, time: I64, yearless: BOOL, arrival: I64, written: Mapping[int, int]
    ) -> I64:
        known = yearless & (arrival >= 0)
        time[known] = year_from(time[known], arrival[known])
        # Without any arrival (files) the year goes on from line to line.
        for row in np.flatnonzero(yearless & (arrival < 0)).tolist():
            partition = int(records["partition"][row])
            last = self._last.setdefault(partition, {})
            source = records["source"][row]
            stamp = int(time[row])
            before = last.get(source)
            time[row] = _first_year(stamp, written.get(partition)) if before is None else year_next(stamp, before)
            last[source] = int(time[row])
        return time


def _believed(times: I64) -> I64:
    return np.where(times >= _LATEST, NO_TIME, times)


@lru_cache(maxsize=16)
def _first_year(stamp: int, written: int | None) -> int:
    """The year of a file's first stamp without one: of when the file was written, else _YEAR_DEFAULT."""
    if written is not None:
        return int(year_from(np.array([stamp]), np.array([written]))[0])
    # 29 February must stay one: the first leap year then.
    moved = with_year(np.array([stamp, stamp]), np.array([_YEAR_DEFAULT, _YEAR_DEFAULT + 2]))
    return int(moved[moved >= 0][0])
