"""Lines of the platform under OpenStack whose shape no general rule reads: uWSGI, audit, HAProxy, Redis, Erlang."""

from typing import Final

import numpy as np
import polars as pl

from models.decode.formats.base import LineFormat, Stamps, by_pattern, facts, from_groups, read_epoch
from models.decode.formats.levels import LEVEL_WORD, LEVELS
from models.decode.formats.rest import CEPH, by_status, deepened
from models.decode.formats.stamps import SPELLINGS, read_parts, read_spelled
from models.decode.formats.syslog import with_priority
from models.decode.timestamps import Clock
from models.records import Level

_UWSGI: Final = (
    r"^(?:\[[0-9:-]* ?[0-9:-]*\] )?\[pid: [0-9]+\|app: [^|\]]*\|req: [^\]]*\] (?P<client>\S+) (?P<user>\([^)]*\)) "
    r"\{[^}]*\} \[(?P<time>[^\]]{20,30})\] (?P<request>.*? => generated (?s:.*))$"
)
_MARKS: Final = {".": Level.DEBUG, "-": Level.DEBUG, "*": Level.INFO, "#": Level.WARNING}
_REPORTS: Final = r"^=(?P<level>[A-Z]+) REPORT==== (?P<time>[^=]{10,40}) ===(?P<message>(?s:.*))$"
_REPORT_LEVELS: Final = {
    "CRASH": Level.ERROR,
    "SUPERVISOR": Level.ERROR,
    "ERROR": Level.ERROR,
    "WARNING": Level.WARNING,
    "INFO": Level.INFO,
    "PROGRESS": Level.INFO,
    "CRITICAL": Level.CRITICAL,
}
_BEFORE: Final = (
    r"""^[\[(<"'*#|=-]{0,3} ?(?:(?:cluster|audit|cephadm) )?(?:(?P<role>[0-9]+:[MSCX]) |(?P<old>[0-9]+\]) )?"""
    r"(?:[A-Za-z0-9_.-]+\[[0-9]+\]:? +|\([^)\n]+\) )?"
    rf"(?:[\[<(]?(?P<early>{LEVEL_WORD}|[DIWEF])[\]>)]?[ :|,-]{{1,4}}(?:\[[^\]\n0-9][^\]\n]{{0,60}}\] +)?)?"
    r"[\[(]?(?P<rest>[0-9A-Za-z](?s:.*))$"
)
"""What may stand before a stamp: brackets, Ceph's channel, Redis's process and role, a program and process, a level."""
_STAMPED: Final = tuple(
    rf"^{spelling}(?:[\])>]|(?-u:\b)|$)[ \t:,|>]*(?P<dash>-+ )?(?P<message>(?s:.*))$" for spelling in SPELLINGS
)
_STAMPED_HINT: Final = r"^(?s:.{5,90}?)(?:[0-9]{1,2}[:.][0-9]{2}[:.][0-9]{2}|[T_ -][0-9]{6}Z?\b)"


def _read_c(groups: pl.DataFrame) -> Stamps:
    """``Mon Nov 30 09:41:58 2026`` and whatever else SPELLINGS names."""
    return read_spelled(groups["time"])


def _decode_uwsgi(lines: pl.DataFrame) -> pl.DataFrame:
    """The message keeps client and request; process, application and counters say nothing of what happened."""
    groups = lines["text"].str.extract_groups(_UWSGI).struct.unnest().insert_column(0, lines["row"])
    groups = groups.filter(pl.col("time").is_not_null())
    if groups.is_empty():
        return facts(groups.clear())
    time, exists, clock = _read_c(groups)
    header = groups.select(
        "row",
        pl.Series("at", time),
        pl.Series("clock", np.where(exists, clock, Clock.NONE)),
        pl.concat_str("client", "user", "request", separator=" ").str.strip_chars().alias("message"),
    )
    return by_status(facts(header))


def _decode_stamped(lines: pl.DataFrame) -> pl.DataFrame:
    """Lines that begin with a time stamp of any spelling, perhaps behind a level, a role or brackets."""
    parts = []
    before = lines["text"].str.extract_groups(_BEFORE).struct.unnest().insert_column(0, lines["row"])
    lines = before.filter(pl.col("rest").is_not_null())
    for pattern in _STAMPED:
        if lines.is_empty():
            break
        groups = lines["rest"].str.extract_groups(pattern).struct.unnest()
        hit = groups["day"].is_not_null()
        if not hit.any():
            continue
        groups = lines.drop("rest").hstack(groups).filter(hit)
        time, exists, clock = read_parts(groups)
        groups = groups.with_columns(pl.Series("at", time), pl.Series("clock", clock)).filter(pl.Series(exists))
        if groups.is_empty():
            continue
        parts.append(deepened(_early_level(groups)))
        lines = lines.filter(~pl.col("row").is_in(groups["row"].implode()))
    return pl.concat(parts) if parts else facts(lines.select("row").clear())


def _early_level(groups: pl.DataFrame) -> pl.DataFrame:
    """FACTS with the level that stands before the stamp, or as Redis's mark behind it."""
    # Ceph in containers writes "debug" before every line; its number behind the stamp is the level.
    early = pl.when(~pl.col("message").str.contains(CEPH)).then("early")
    header = facts(
        groups.with_columns(
            pl.col("message").str.strip_chars(),
            early.replace_strict(LEVELS, default=0, return_dtype=pl.UInt8).fill_null(0).alias("level"),
        )
    )
    redis = groups["role"].is_not_null() | (groups["old"].is_not_null() & groups["dash"].is_null())
    if redis.any():
        sign = groups["dash"].str.slice(0, 1).fill_null(header["message"].str.slice(0, 1))
        mark = sign.replace_strict(_MARKS, default=0, return_dtype=pl.UInt8)
        some = redis & (mark > 0)
        header = header.with_columns(
            pl.when(some).then(mark).otherwise("level").alias("level"),
            pl.when(some & groups["dash"].is_null())
            .then(pl.col("message").str.slice(2))
            .otherwise("message")
            .alias("message"),
        )
    return header


def _decode_report(lines: pl.DataFrame) -> pl.DataFrame:
    """``=ERROR REPORT==== 30-Nov-2026::09:14:14 ===`` of RabbitMQ before 3.7; its text follows on lines of its own."""
    header = from_groups(lines, _REPORTS, _read_c)
    if header.is_empty():
        return header
    words = lines.filter(pl.col("row").is_in(header["row"].implode()))["text"].str.extract(r"^=([A-Z]+) ")
    level = words.replace_strict(_REPORT_LEVELS, default=0, return_dtype=pl.UInt8)
    text = words + " REPORT"
    return header.with_columns(
        level.alias("level"), (text + " " + header["message"]).str.strip_chars().alias("message")
    )


def _decode_ring(lines: pl.DataFrame) -> pl.DataFrame:
    """The kernel's ring buffer: seconds since the machine started, which is no time of day."""
    pattern = r"^(?:<[0-9]{1,3}>)?\[ {0,5}[0-9]{1,9}\.[0-9]{6}\](?:\[[^\]]{1,20}\])? (?P<message>(?s:.*))$"
    return facts(with_priority(from_groups(lines, pattern, None), lines))


FORMATS: Final = (
    LineFormat("uwsgi", r"^(?:\[[0-9: -]{0,30}\] )?\[pid: [0-9]+\|app: ", _decode_uwsgi, begins="["),
    by_pattern(
        "audit",
        r"^(?:node=\S+ )?type=\S+ msg=audit\(",
        r"^(?:node=\S+ )?(?P<logger>type=\S+) msg=audit\((?P<time>[0-9]{10}\.[0-9]{1,6}):[0-9]+\): ?"
        r"(?P<message>(?s:.*))$",
        read_epoch,
        begins="nt",
    ),
    LineFormat("erlang report", r"^=[A-Z]+ REPORT==== ", _decode_report, begins="="),
    by_pattern(
        "haproxy start",
        rf"^\[{LEVEL_WORD}\] +(?:[0-9]{{3}}/[0-9]{{6}} )?\([0-9]+\) : ",
        rf"^\[(?P<level>{LEVEL_WORD})\] +(?:[0-9]{{3}}/[0-9]{{6}} )?\([0-9]+\) : (?P<message>(?s:.*))$",
        None,
        begins="[",
    ),
    by_pattern(
        "ovs",
        r"^ovs\|[0-9]+\|",
        r"^ovs\|[0-9]+\|(?P<logger>[^|(]+)(?:\([^|]*\))?\|(?P<level>[A-Z]+)\|(?P<message>(?s:.*))$",
        None,
        outer=True,
        begins="o",
    ),
    LineFormat("kernel ring", r"^(?:<[0-9]{1,3}>)?\[ {0,5}[0-9]{1,9}\.[0-9]{6}\]", _decode_ring, begins="[<"),
)
LOOSE: Final = (LineFormat("stamped", _STAMPED_HINT, _decode_stamped),)
"""Tried last: what begins with a time of whatever spelling."""
