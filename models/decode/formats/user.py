"""Line formats from the configuration."""

import re
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from models.decode.formats.base import LineFormat, StampReader, Stamps, by_pattern, facts, from_groups
from models.decode.timestamps import ISO, Clock, iso
from models.errors import InvalidError

_PROBE: Final = 1_772_541_240_000_000
"""2026-03-03 12:34:00, to try formats on."""

_GROUPS = frozenset({"time", "level", "logger", "message", "pid", "request"})


@dataclass(frozen=True, slots=True)
class FormatSpec:
    """A format of the user's own.

    ``pattern`` is in the syntax of the Rust crate ``regex`` (no look-around, no back references) and must match from
    the line's start; named groups ``time``, ``level``, ``logger``, ``message``, ``pid``, ``request`` say what is what,
    ``message`` is required.  ``time_format`` is ``iso``, ``epoch`` or a strftime format.
    """

    name: str
    pattern: str
    time_format: str = "iso"


def _read_loose_iso(groups: pl.DataFrame) -> Stamps:
    fits = groups["time"].str.contains(rf"^{ISO}$").to_numpy()
    size = len(groups)
    time, exists, zoned = np.zeros(size, np.int64), np.zeros(size, np.bool_), np.zeros(size, np.bool_)
    time[fits], exists[fits], zoned[fits] = iso(groups["time"].filter(pl.Series(fits)))
    return time, exists, np.where(zoned, Clock.UTC, Clock.NAIVE)


def _read_with(time_format: str) -> StampReader:
    zoned = "%z" in time_format

    def read(groups: pl.DataFrame) -> Stamps:
        kind = pl.Datetime("us", "UTC") if zoned else pl.Datetime("us")
        time = groups["time"].str.strptime(kind, time_format, strict=False).cast(pl.Int64)
        clock = np.full(len(time), Clock.UTC if zoned else Clock.NAIVE, np.int64)
        return time.fill_null(0).to_numpy(), time.is_not_null().to_numpy(), clock

    return read


def compile_format(spec: FormatSpec) -> LineFormat:
    """The format that a specification describes; InvalidError says what is wrong with it."""
    from models.decode.formats.base import read_epoch

    named = set(re.findall(r"\(\?P?<(\w+)>", spec.pattern))
    unknown = named - _GROUPS
    if unknown or "message" not in named:
        what = f"unknown group {min(unknown)!r}" if unknown else "no group 'message'"
        raise InvalidError(
            f"format {spec.name!r}: {what}", f"allowed are {', '.join(sorted(_GROUPS))}, and message is required"
        )
    stamps: StampReader | None = None
    known = {"iso": _read_loose_iso, "epoch": read_epoch}
    if "time" in named:
        if spec.time_format not in known and "%" not in spec.time_format:
            raise InvalidError(f"format {spec.name!r}: time_format must be iso, epoch or a strftime format")
        stamps = known.get(spec.time_format) or _read_with(spec.time_format)
    pattern = spec.pattern if spec.pattern.startswith("^") else "^" + spec.pattern
    probe = pl.DataFrame({"row": [0], "text": ["x"]}, schema={"row": pl.UInt32, "text": pl.String})
    try:
        facts(from_groups(probe, pattern, stamps))
        if stamps is not None and spec.time_format not in known:
            _check_time_format(spec)
    except pl.exceptions.PolarsError as error:
        raise InvalidError(f"format {spec.name!r}: {error}") from error
    return by_pattern(spec.name, pattern, pattern, stamps)


def _check_time_format(spec: FormatSpec) -> None:
    """Refuse what writes no stamp, or one that is another moment when it is read: without a year it would be year 1."""
    moment = pl.Series([_PROBE]).cast(pl.Datetime("us", "UTC" if "%z" in spec.time_format else None))
    time, exists, _ = _read_with(spec.time_format)(pl.DataFrame({"time": moment.dt.strftime(spec.time_format)}))
    if not exists.all() or time[0] != _PROBE:
        raise InvalidError(
            f"format {spec.name!r}: {spec.time_format!r} is no whole time", "it needs all from the year to the minute"
        )
