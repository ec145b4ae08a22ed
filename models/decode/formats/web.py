"""Access and error logs of nginx and Apache."""

from typing import Final

import numpy as np
import polars as pl

from models.decode.formats.base import DIGITS, LineFormat, Stamps, by_pattern, facts, from_groups, read_iso
from models.decode.formats.syslog import MONTH, civil
from models.decode.timestamps import Clock
from models.records import Level
from models.rfc3339 import SECOND

_DAYTIME: Final = rf"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) {MONTH} [ 0-3]?[0-9] [0-9:.]{{8,16}} [0-9]{{4}}"
_ACCESS: Final = rf"[0-9]{{2}}/{MONTH}/[0-9]{{4}}[: ][0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}(?: [+-][0-9]{{4}})?"


def _read_error(groups: pl.DataFrame) -> Stamps:
    """``Sun Dec 04 04:47:44.123456 2005``."""
    pattern = r"^\S+ (?P<month>\S+) +(?P<day>[0-9]+) (?P<clock_text>\S+) (?P<year>[0-9]{4})$"
    time, exists = civil(groups["time"].str.extract_groups(pattern).struct.unnest())
    return time, exists, np.full(len(time), Clock.NAIVE, np.int64)


def _read_access(groups: pl.DataFrame) -> Stamps:
    """``04/Dec/2005:04:47:44 +0100``, and as Python's servers write it, ``04/Dec/2005 04:47:44``."""
    pattern = (
        r"^(?P<day>\d\d)/(?P<month>\w+)/(?P<year>\d{4})[: ](?P<clock_text>\S+)(?: (?P<east>[+-]\d\d)(?P<south>\d\d))?$"
    )
    parts = groups["time"].str.extract_groups(pattern).struct.unnest()
    time, exists = civil(parts)
    clock = np.where(parts["east"].is_null().to_numpy(), np.int64(Clock.NAIVE), np.int64(Clock.UTC))
    parts = parts.with_columns(pl.col("east").fill_null("+00"), pl.col("south").fill_null("00"))
    hours = parts["east"].cast(pl.Int64).to_numpy()
    minutes = parts["south"].cast(pl.Int64).to_numpy() * np.where(parts["east"].str.starts_with("-").to_numpy(), -1, 1)
    return time - (hours * 3600 + minutes * 60) * SECOND, exists, clock


def _decode_access(lines: pl.DataFrame) -> pl.DataFrame:
    """The message keeps client and request; the status decides the level: a server error is an error."""
    pattern = rf'^(?P<client>\S+) \S+ .*?\[(?P<time>{_ACCESS})\] (?P<rest>"[^"]*" (?P<status>[0-9]{{3}}|-)(?s:.*))$'
    groups = lines["text"].str.extract_groups(pattern).struct.unnest()
    text = pl.Series("text", groups["rest"])
    header = from_groups(lines, pattern.replace("P<rest>", "P<message>"), _read_access)
    status = pl.DataFrame({"row": lines["row"], "status": groups["status"], "client": groups["client"], "rest": text})
    server, client = pl.col("status").str.starts_with("5"), pl.col("status").str.starts_with("4")
    level = pl.when(server).then(int(Level.ERROR)).when(client).then(int(Level.WARNING)).otherwise(int(Level.INFO))
    status = status.with_columns(level.fill_null(int(Level.INFO)).cast(pl.UInt8).alias("level"))
    joined = header.drop("level").join(status, on="row", how="left", maintain_order="left")
    return facts(joined.with_columns((pl.col("client") + " " + pl.col("message")).alias("message")))


FORMATS: Final = (
    LineFormat("access", rf'^\S+ \S+ .*?\[{_ACCESS}\] "', _decode_access),
    by_pattern(
        "apache error",
        rf"^\[{_DAYTIME}\] \[",
        rf"^\[(?P<time>{_DAYTIME})\] \[(?:(?P<logger>[\w-]*):)?(?P<level>\w+)\] "
        r"(?:\[pid [^\]]*\] )?(?P<message>(?s:.*))$",
        _read_error,
        outer=True,
        begins="[",
    ),
    by_pattern(
        "nginx error",
        r"^[0-9]{4}/[0-9]{2}/[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2} \[\w+\] [0-9]+#[0-9]+: ",
        r"^(?P<time>[0-9]{4}/[0-9]{2}/[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}) \[(?P<level>\w+)\] [0-9]+#[0-9]+: "
        r"(?P<message>(?s:.*))$",
        read_iso,
        begins=DIGITS,
    ),
)
