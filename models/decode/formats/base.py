"""What a line format is: a cheap test, and a function from lines to the facts of their headers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import polars as pl

from models.decode.formats.levels import level_expr
from models.decode.timestamps import Clock, epoch, iso
from models.records import BOOL, I64

FACTS: Final[dict[str, pl.DataType]] = {
    "row": pl.UInt32(),
    "at": pl.Int64(),  # microseconds as `clock` says; null where the header has no time
    "clock": pl.UInt8(),  # models.decode.timestamps.Clock
    "level": pl.UInt8(),
    "logger": pl.String(),
    "message": pl.String(),
    "request": pl.String(),
    "global_request": pl.String(),
    "instance": pl.String(),
    "trace": pl.String(),
    "pid": pl.String(),  # where a record's further lines repeat its header: told by this, else null
    "bare": pl.Boolean(),  # such a header without the record's context: may continue a record
    "format": pl.UInt16(),  # number of the format among those that were tried
}
"""Columns of what a format found: one row per line that is of this format."""

_DEFAULTS: Final = {
    "at": pl.lit(None, pl.Int64),
    "clock": pl.lit(Clock.NONE, pl.UInt8),
    "level": pl.lit(0, pl.UInt8),
    "logger": pl.lit("", pl.String),
    "message": pl.lit("", pl.String),
    "request": pl.lit(None, pl.String),
    "global_request": pl.lit(None, pl.String),
    "instance": pl.lit(None, pl.String),
    "trace": pl.lit(None, pl.String),
    "pid": pl.lit(None, pl.String),
    "bare": pl.lit(value=False),
    "format": pl.lit(None, pl.UInt16),
}


@dataclass(frozen=True, slots=True)
class LineFormat:
    """``hint`` is a pattern that tells most lines of other formats apart without capturing anything.

    ``decode`` takes a frame with ``row`` and ``text`` of lines with that hint, and returns FACTS of those that are of
    this format; it decides by the line alone, so that a line means the same in every batch.

    The message of a format that is ``outer`` may begin with a header of its own, and is read once more.  ``begins``
    are the characters with which its lines can begin, if these are few: most lines need no other look then.
    """

    name: str
    hint: str
    decode: Callable[[pl.DataFrame], pl.DataFrame]
    outer: bool = False
    begins: str = ""


def facts(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with exactly the FACTS columns, defaults where it has none or (text) null."""
    columns = []
    for name, dtype in FACTS.items():
        if name not in frame.columns:
            columns.append(_DEFAULTS[name].alias(name))
        elif name in {"logger", "message"}:
            columns.append(pl.col(name).cast(pl.String).fill_null(""))
        else:
            columns.append(pl.col(name).cast(dtype))
    return frame.select(columns)


DIGITS: Final = "0123456789"

Stamps: TypeAlias = tuple[I64, BOOL, I64]
"""Times of stamps: microseconds, which of them exist, their Clock."""
StampReader: TypeAlias = Callable[[pl.DataFrame], Stamps]


def read_iso(groups: pl.DataFrame) -> Stamps:
    """The group ``time`` as ISO 8601 in any of its spellings."""
    time, exists, zoned = iso(groups["time"])
    return time, exists, np.where(zoned, Clock.UTC, Clock.NAIVE)


def read_epoch(groups: pl.DataFrame) -> Stamps:
    """The group ``time`` as an epoch number."""
    time = epoch(groups["time"])
    exists = time.is_not_null().to_numpy()
    return time.fill_null(0).to_numpy(), exists, np.full(len(time), Clock.UTC, np.int64)


def by_pattern(  # noqa: PLR0913 - the fields of a format
    name: str, hint: str, pattern: str, stamps: StampReader | None, *, outer: bool = False, begins: str = ""
) -> LineFormat:
    """A format given by one pattern with the named groups ``time``, ``level``, ``logger``, ``message`` ….

    ``stamps`` turns the groups of matched lines into times; None for a header without a time.
    """

    def decode(lines: pl.DataFrame) -> pl.DataFrame:
        return from_groups(lines, pattern, stamps)

    return LineFormat(name, hint, decode, outer, begins)


def from_groups(lines: pl.DataFrame, pattern: str, stamps: StampReader | None, *, keep: bool = False) -> pl.DataFrame:
    """FACTS of the lines that match ``pattern`` and whose time exists; ``keep`` those without their time as well."""
    groups = lines["text"].str.extract_groups(pattern).struct.unnest()
    mandatory = "message" if stamps is None else "time"
    groups = groups.insert_column(0, lines["row"]).filter(pl.col(mandatory).is_not_null())
    if groups.is_empty():
        return facts(groups.clear())
    if stamps is not None:
        time, exists, clock = stamps(groups)
        groups = groups.with_columns(pl.Series("at", time), pl.Series("clock", clock))
        if not exists.all() and keep:
            nothing = pl.lit(int(Clock.NONE))
            groups = groups.with_columns(pl.when(pl.Series(exists)).then("clock").otherwise(nothing).alias("clock"))
        elif not exists.all():
            groups = groups.filter(pl.Series(exists))
    if "level" in groups.columns:
        groups = groups.with_columns(level_expr("level"))
    return facts(groups.with_columns(pl.col("message").str.strip_chars()))
