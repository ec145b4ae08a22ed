"""What is left: BGL, and any line that begins with an ISO or epoch time stamp and perhaps a level."""

from typing import Final

import polars as pl

from models.decode.formats.base import DIGITS, LineFormat, by_pattern, from_groups, read_epoch, read_iso
from models.decode.formats.levels import LEVEL_WORD
from models.decode.formats.rest import deepened
from models.decode.formats.stamps import NAMED_ZONES
from models.decode.timestamps import ISO, Clock
from models.rfc3339 import SECOND

_EPOCH: Final = r"[0-9]{10}(?:\.[0-9]{1,9})?|[0-9]{13}|[0-9]{16}|[0-9]{19}"
_EXACT: Final = r"[0-9]{10}\.[0-9]{1,9}|[0-9]{13}|[0-9]{16}|[0-9]{19}"
_REST: Final = (
    rf"(?:[\s:|-]*[\[(<|]?(?P<level>{LEVEL_WORD})(?:[\])>|:]+\s*|\s*[|-]\s+|\s+|$))?[\s:|-]*(?P<message>(?s:.*))$"
)
_BOXED: Final = r"^\]\[(?P<logger>[^\]\s]+) *\] ?(?P<message>(?s:.*))$"
_ZONE: Final = "^(" + "|".join(zone for zone in NAMED_ZONES if len(zone) > 1) + r") [\[(]"
"""A zone by its name behind the stamp, as PostgreSQL writes it, and not a word of the message."""


def _decode_iso(lines: pl.DataFrame) -> pl.DataFrame:
    """A stamp, and a level right behind it or elsewhere in the header."""
    read = from_groups(lines, rf"^\[?(?P<time>{ISO})(?:\]|[\s:|-]|$){_REST}", read_iso)
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
        read = read.with_columns(pl.col("at") - hours * 3600 * SECOND, clock.cast(pl.UInt8).alias("clock"))
    return deepened(read)


FORMATS: Final = (
    by_pattern(
        "bgl",
        r"^\S+ [0-9]{10} [0-9]{4}\.[0-9]{2}\.[0-9]{2} \S+ [0-9]{4}-",
        r"^\S+ (?P<time>[0-9]{10}) [0-9]{4}\.[0-9]{2}\.[0-9]{2} \S+ [0-9]{4}-\S+ \S+ \w+ (?P<logger>\w+) "
        r"(?P<level>\w+) ?(?P<message>(?s:.*))$",
        read_epoch,
    ),
    LineFormat("iso", rf"^\[?{ISO}", _decode_iso, begins="[" + DIGITS),
    by_pattern(
        "epoch",
        rf"^(?:\[(?:{_EPOCH})\]|(?:{_EXACT})\s)",
        rf"^\[?(?P<time>{_EPOCH})(?:\]|\s){_REST}",
        read_epoch,
        begins="[" + DIGITS,
    ),
    # Ten digits alone may be any number: a level must follow.
    by_pattern(
        "epoch and level",
        rf"^[0-9]{{10}}\s+\[?{LEVEL_WORD}\b",
        rf"^(?P<time>[0-9]{{10}})\s+\[?(?P<level>{LEVEL_WORD})\b\]?[\s:|-]*(?P<message>(?s:.*))$",
        read_epoch,
        begins=DIGITS,
    ),
)
