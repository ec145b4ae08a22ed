"""Syslog as RFC 3164 and RFC 5424 write it, klog, and other stamps with named months."""

from typing import Final

import numpy as np
import polars as pl

from models.decode.formats.base import DIGITS, LineFormat, Stamps, by_pattern, facts, from_groups, read_iso
from models.decode.formats.levels import LEVEL_WORD, SEVERITIES, level_expr
from models.decode.timestamps import ISO, LEAP_YEAR, Clock, micros, of_day
from models.records import BOOL, I64

_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_GERMAN: Final = {"Mär": 3, "Mai": 5, "Okt": 10, "Dez": 12}
"""``journalctl`` names months in the language of who calls it."""
MONTH: Final = "(?:" + "|".join((*_MONTHS, *_GERMAN)) + ")"
_NUMBERS: Final = {name: number for number, name in enumerate(_MONTHS, 1)} | _GERMAN
_RFC3164: Final = rf"{MONTH} [ 0-3]?[0-9] [0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}(?:\.[0-9]{{1,9}})?"
_TAG: Final = r"(?P<logger>[A-Za-z_(][^\s:\[\]]*)(?:\[[0-9]+\])?"

_TAG_WITH_PROCESS: Final = r"(?P<logger>[A-Za-z_(][^\s:\[\]]*)\[[0-9]+\]"
_LOWER: Final = r"(?P<level>emerg|alert|crit|critical|error|err|warning|notice|info|debug|trace)"
_CLUSTER: Final = (
    rf"^(?:\S+ +)?(?P<logger>[a-z][\w.-]*) *\[[0-9]+\] +(?:\([^)]*\)[ \t]+)?{_LOWER}:[ \t]*(?P<message>(?s:.*))$",
    rf"^\S+ +(?P<logger>[a-z][\w.-]*):[ \t]+{_LOWER}:[ \t]*(?P<message>(?s:.*))$",
    rf"^\S+ +(?P<logger>[a-z][\w.-]*) +{_LOWER}[ \t]+(?P<message>\[(?s:.*))$",
)
"""``host pacemakerd [12] (function) level: text``, ``host crmd: level: text``, ``host corosync level [PART ] text``."""


def civil(groups: pl.DataFrame) -> tuple[I64, BOOL]:
    """The groups ``year`` (else LEAP_YEAR), ``month`` (name or number), ``day``, ``clock`` as microseconds."""

    def ints(column: pl.Series) -> I64:
        return column.str.strip_chars().cast(pl.Int64, strict=False).fill_null(0).to_numpy()

    month = groups["month"].replace(_NUMBERS)
    parts = groups["clock_text"].str.split_exact(":", 2).struct.unnest()
    second = parts["field_2"].str.splitn(".", 2).struct.unnest()
    fraction = second["field_1"].str.pad_end(6, "0").str.slice(0, 6)
    seconds, clock_ok = of_day(ints(parts["field_0"]), ints(parts["field_1"]), ints(second["field_0"]))
    year = ints(groups["year"]) if "year" in groups.columns else np.full(len(groups), LEAP_YEAR, np.int64)
    time, date_ok = micros(year, ints(month), ints(groups["day"]), seconds, ints(fraction))
    return time, clock_ok & date_ok


def _read_yearless(groups: pl.DataFrame) -> Stamps:
    parts = groups.select(
        pl.col("time").str.extract(r"^(\D{3}|[0-9]{2})").alias("month"),
        pl.col("time").str.extract(r"^(?:\D{3} |[0-9]{2})([ 0-9]{1,2}) ").alias("day"),
        pl.col("time").str.extract(r"([0-9]{2}:[0-9.:]+)$").alias("clock_text"),
    )
    time, exists = civil(parts)
    return time, exists, np.full(len(time), Clock.YEARLESS, np.int64)


def with_priority(header: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """The level out of a leading ``<PRI>``, where the line has one."""
    code = lines["text"].str.extract(r"^<([0-9]{1,3})>").cast(pl.Int64)
    if code.null_count() == len(code):
        return header
    level = (code % 8).cast(pl.String).replace_strict(SEVERITIES, default=None, return_dtype=pl.UInt8)
    header = header.join(lines.select("row", level.alias("said")), on="row", how="left", maintain_order="left")
    return header.with_columns(pl.coalesce("said", "level").alias("level")).drop("said")


def _decode_rfc3164(lines: pl.DataFrame) -> pl.DataFrame:
    pattern = rf"^(?:<[0-9]{{1,3}}>)?(?P<time>{_RFC3164}) \S+ {_TAG}: ?(?P<message>(?s:.*))$"
    header = from_groups(lines, pattern, _read_yearless)
    if header.height < lines.height:
        # Without a host: dnsmasq, corosync.  Without a tag: `combo -- MARK --`, `combo last message repeated 2 times`.
        rest = lines.filter(~pl.col("row").is_in(header["row"].implode()))
        pattern = rf"^(?:<[0-9]{{1,3}}>)?(?P<time>{_RFC3164}) {_TAG_WITH_PROCESS}: ?(?P<message>(?s:.*))$"
        hostless = from_groups(rest, pattern, _read_yearless)
        header = pl.concat([header, hostless])
        rest = rest.filter(~pl.col("row").is_in(hostless["row"].implode()))
        pattern = rf"^(?:<[0-9]{{1,3}}>)?(?P<time>{_RFC3164}) \S+ (?P<message>(?s:.*))$"
        header = pl.concat([header, _cluster(from_groups(rest, pattern, _read_yearless))])
    return facts(with_priority(header, lines))


def _cluster(header: pl.DataFrame) -> pl.DataFrame:
    """Level and logger of the lines that pacemaker and corosync write into files of their own."""
    for pattern in _CLUSTER:
        groups = header["message"].str.extract_groups(pattern).struct.unnest()
        known = groups["level"].is_not_null()
        if known.any():
            groups = groups.with_columns(level_expr("level"))
            header = header.with_columns(
                pl.when(known).then(groups[name]).otherwise(name).alias(name) for name in groups.columns
            )
    return facts(header)


def _decode_iso(lines: pl.DataFrame) -> pl.DataFrame:
    """RFC 5424, and the traditional form with an ISO stamp as rsyslog writes it."""
    header = from_groups(
        lines,
        rf"^<[0-9]{{1,3}}>[0-9]{{0,2}} ?(?P<time>{ISO}) \S+ (?P<logger>\S+) \S+ \S+ "
        r'(?:-|(?:\[(?:[^\]"\\]|\\.|"(?:[^"\\]|\\.)*")*\])+) ?(?P<message>(?s:.*))$',
        read_iso,
    )
    header = header.with_columns(pl.col("message").str.strip_prefix("\ufeff"), pl.col("logger").replace("-", ""))
    if header.height < lines.height:
        rest = lines.filter(~pl.col("row").is_in(header["row"].implode()))
        # A level is no host: `2026-11-30T09:14:14.123456+00:00 ERROR app: text`.
        rest = rest.filter(~rest["text"].str.contains(rf"^\S+ {LEVEL_WORD} "))
        pattern = rf"^(?:<[0-9]{{1,3}}>)?(?P<time>{ISO}) [A-Za-z0-9][\w.-]* {_TAG}: ?(?P<message>(?s:.*))$"
        header = pl.concat([header, from_groups(rest, pattern, read_iso)])
    return facts(with_priority(header, lines))


FORMATS: Final = (
    LineFormat("rfc3164", rf"^(?:<[0-9]{{1,3}}>)?{_RFC3164} \S+ ", _decode_rfc3164, outer=True, begins="<JFMASOND"),
    LineFormat(
        "rfc5424",
        rf"^(?:<[0-9]{{1,3}}>(?:[0-9]{{1,2}} )?{ISO} |[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}T\S+ [A-Za-z0-9][\w.-]* "
        r"[A-Za-z_][^\s:\[\]=]*\[[0-9]+\]: |"
        r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{6}[+-][0-9]{2}:[0-9]{2} [A-Za-z0-9][\w.-]* "
        r"[A-Za-z_][^\s:\[\]=]*: )",
        _decode_iso,
        outer=True,
        begins="<" + DIGITS,
    ),
    by_pattern(
        "klog",
        r"^[IWEF][0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{1,9} ",
        r"^(?P<level>[IWEF])(?P<time>[0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{1,9}) +[0-9]+ "
        r"(?P<logger>[^\]\s:]+)(?::[0-9]+)?\] ?(?P<message>(?s:.*))$",
        _read_yearless,
        begins="IWEF",
    ),
)
