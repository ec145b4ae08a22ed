"""What is left: BGL, and any line that begins with an ISO or epoch time stamp and perhaps a level."""

from typing import Final

import numpy as np
import polars as pl

from models.decode.formats.base import DIGITS, LineFormat, Stamps, by_pattern, from_groups, read_epoch, read_iso
from models.decode.formats.levels import LEVEL_WORD
from models.decode.formats.rest import deepened
from models.decode.formats.stamps import NAMED_ZONES
from models.decode.timestamps import ISO, Clock, digits, number, of_day
from models.rfc3339 import SECOND

_EPOCH: Final = r"[0-9]{10}(?:\.[0-9]{1,9})?|[0-9]{13}|[0-9]{16}|[0-9]{19}"
_EXACT: Final = r"[0-9]{10}\.[0-9]{1,9}|[0-9]{13}|[0-9]{16}|[0-9]{19}"
_REST: Final = (
    rf"(?:[\s:|-]*[\[(<|]?(?P<level>{LEVEL_WORD})(?:\s*[\])>|:]+\s*|\s*[|-]\s+|\s+|$))?[\s:|-]*(?P<message>(?s:.*))$"
)
_BOXED: Final = r"^\]\[(?P<logger>[^\]\s]+) *\] ?(?P<message>(?s:.*))$"
_ZONE: Final = "^(" + "|".join(zone for zone in NAMED_ZONES if len(zone) > 1) + r")[ ,](?:[\[(\"]|[0-9]+ [A-Z]{4,8} )"
"""A zone by its name behind the stamp, as PostgreSQL writes it, and not a word of the message."""


def _decode_iso(lines: pl.DataFrame) -> pl.DataFrame:
    """A stamp, and a level right behind it or elsewhere in the header."""
    read = from_groups(lines, rf"^\[?(?P<time>{ISO})(?:\]|[\s:|-]|$){_REST}", read_iso, keep=True)
    boxed = read["message"].str.starts_with("][")
    if boxed.any():
        # [time][LEVEL][logger] text: Elasticsearch, OpenSearch
        groups = read["message"].str.extract_groups(_BOXED).struct.unnest()
        read = read.with_columns(
            pl.when(groups["logger"].is_not_null()).then(groups[name]).otherwise(name).alias(name)
            for name in ("logger", "message")
        )
    zone = read["message"].str.extract(_ZONE)
    if zone.null_count() < len(zone):
        hours = zone.replace_strict(NAMED_ZONES, default=0, return_dtype=pl.Int64).fill_null(0)
        clock = pl.when(zone.is_not_null()).then(int(Clock.UTC)).otherwise("clock")
        read = read.with_columns(
            pl.col("at") - hours * 3600 * SECOND,
            clock.cast(pl.UInt8).alias("clock"),
            pl.col("message").str.strip_prefix(zone.fill_null("")).str.strip_chars_start(),
        )
    read = deepened(read)
    # A day or an hour that does not exist: where the line says a level, it says all but its time.
    impossible = (read["clock"] == int(Clock.NONE)) & (read["level"] == 0)
    return read.filter(~impossible) if impossible.any() else read


def _decode_epoch(lines: pl.DataFrame) -> pl.DataFrame:
    return deepened(from_groups(lines, rf"^\[?(?P<time>{_EPOCH})(?:\]|\s){_REST}", read_epoch))


_OF_DAY: Final = r"^(?:[A-Za-z0-9_./-]+: )?\[?[0-2][0-9]:[0-5][0-9]:[0-6][0-9](?:[.,][0-9]{1,9})?\]? "
"""A time of day without a date, perhaps behind who writes: Juju, logback, WildFly."""


def _read_of_day(groups: pl.DataFrame) -> Stamps:
    cells = digits(groups["time"], 8)
    seconds, exists = of_day(number(cells, 0, 2), number(cells, 3, 2), number(cells, 6, 2))
    part = groups["time"].str.slice(9).str.pad_end(6, "0").str.slice(0, 6).cast(pl.Int64).to_numpy()
    return seconds * SECOND + part, exists, np.full(len(seconds), Clock.DATELESS, np.int64)


def _decode_of_day(lines: pl.DataFrame) -> pl.DataFrame:
    """A time of day and a level: without one, what begins with a time may be any line of a table."""
    pattern = (
        r"^(?:(?P<logger>[A-Za-z0-9_./-]+): )?\[?(?P<time>[0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]{1,9})?)\]? +"
        rf"(?:(?P<level>{LEVEL_WORD}) +)?(?P<message>(?s:.*))$"
    )
    return deepened(from_groups(lines, pattern, _read_of_day)).filter(pl.col("level") > 0)


_SHORT: Final = "TRC|DBG|INF|WRN|ERR|FTL|PNC"


def _read_kitchen(groups: pl.DataFrame) -> Stamps:
    """Hours of a 12-hour clock and minutes."""
    parts = groups["time"].str.extract_groups(r"^([0-9]{1,2}):([0-9]{2})([AP])").struct.unnest()
    hour, minute = (parts[name].cast(pl.Int64).to_numpy() for name in ("1", "2"))
    exists = (hour >= 1) & (hour <= 12) & (minute <= 59)  # noqa: PLR2004 - no hour 0 or 13
    seconds = (hour % 12 + np.where((parts["3"] == "P").to_numpy(), 12, 0)) * 3600 + minute * 60
    return seconds * SECOND, exists, np.full(len(seconds), Clock.DATELESS, np.int64)


def _decode_kitchen(lines: pl.DataFrame) -> pl.DataFrame:
    """``9:14AM ERR text``, as zerolog writes to terminals."""
    return from_groups(
        lines, rf"^(?P<time>[0-9]{{1,2}}:[0-9]{{2}}[AP]M) (?P<level>{_SHORT}) (?P<message>(?s:.*))$", _read_kitchen
    )


def _decode_logrus(lines: pl.DataFrame) -> pl.DataFrame:
    """A level of four letters and in brackets a time, or the seconds since the program started."""
    timed = from_groups(lines, rf"^(?P<level>[A-Z]{{4}})\[(?P<time>{ISO})\] *(?P<message>(?s:.*))$", read_iso)
    rest = from_groups(lines, r"^(?P<level>[A-Z]{4})\[[0-9]{4,}\] *(?P<message>(?s:.*))$", None)
    return pl.concat([timed, rest]).sort("row").filter(pl.col("level") > 0)


FORMATS: Final = (
    by_pattern(
        "bgl",
        r"^\S+ [0-9]{10} [0-9]{4}\.[0-9]{2}\.[0-9]{2} \S+ [0-9]{4}-",
        r"^\S+ (?P<time>[0-9]{10}) [0-9]{4}\.[0-9]{2}\.[0-9]{2} \S+ [0-9]{4}-\S+ \S+ \w+ (?P<logger>\w+) "
        r"(?P<level>\w+) ?(?P<message>(?s:.*))$",
        read_epoch,
    ),
    LineFormat("iso", rf"^\[?{ISO}", _decode_iso, begins="[" + DIGITS),
    LineFormat("epoch", rf"^(?:\[(?:{_EPOCH})\]|(?:{_EXACT})\s)", _decode_epoch, begins="[" + DIGITS),
    # Ten digits alone may be any number: a level must follow.
    by_pattern(
        "epoch and level",
        rf"^[0-9]{{10}}\s+\[?{LEVEL_WORD}\b",
        rf"^(?P<time>[0-9]{{10}})\s+\[?(?P<level>{LEVEL_WORD})\b\]?[\s:|-]*(?P<message>(?s:.*))$",
        read_epoch,
        begins=DIGITS,
    ),
)
LOOSE: Final = (
    LineFormat("time of day", _OF_DAY, _decode_of_day, outer=True),
    LineFormat("kitchen", r"^[0-9]{1,2}:[0-9]{2}[AP]M ", _decode_kitchen, begins=DIGITS),
    # ERRO[0042] text, WARN[2026-11-30T09:14:14Z] text
    LineFormat("logrus", r"^[A-Z]{4}\[(?:[0-9]{4,}\]|[0-9]{4}-)", _decode_logrus, begins="DEFIPTW"),
    # No time, but a level at the very begin, in capitals: no line of a traceback begins so.
    by_pattern(
        "level first",
        r"^(?:[A-Za-z0-9_.-]+: \[)?[A-Z]{3,8}(?:\]|:) ",
        rf"^(?:(?P<logger>[A-Za-z0-9_.-]+): \[)?(?P<level>{LEVEL_WORD})(?:\]|:) +(?P<message>\S(?s:.*))$",
        None,
        outer=True,
    ),
)
"""Tried last of all, and not inside another header, where such words are part of the message."""
