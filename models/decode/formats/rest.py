"""What stands between a time stamp and the message: level, logger and ids, wherever the writer put them.

A line whose level stands right behind its time is read without this; what is here looks at the others alone.
"""

from typing import Final

import polars as pl

from models.decode.formats.base import facts
from models.decode.formats.levels import TRANSLATED, level_expr
from models.decode.formats.oslo import CONTEXT, oslo_facts
from models.records import Level

_UPPER: Final = (
    r"TRACE|DEBUG[1-5]?|FINE|FINER|FINEST|VERBOSE|INFO|INFORMATION|NOTICE|AUDIT|WARN|WARNING|ERROR|SEVERE|CRITICAL|"
    r"CRIT|FATAL|ALERT|EMERG|EMERGENCY|PANIC|ERR|WRN|INF|DBG|TRC|FTL|PNC|EMER"
)
_ANY: Final = (
    r"(?i:trace|debug[1-5]?|dbg|fine|verbose|info|information|inf|notice|note|system|audit|warn|warning|wrn|error|err|"
    r"severe|critical|crit|fatal|alert|emerg|emergency|panic|emer|failure)"
)
_LOWER: Final = r"(?i:trace|debug|info|notice|note|warn|warning|error|err|critical|crit|fatal|alert|emerg|panic)"
_POSTGRES: Final = r"LOG|STATEMENT|DETAIL|HINT|CONTEXT"
_BEGIN: Final = 200
"""Characters of a message in which a level is looked for: a judgement, longer than any header."""
_GATE: Final = (
    rf"(?-u:\b)(?:{_ANY}|{_POSTGRES})(?-u:\b)|(?:{TRANSLATED})\W|level=|"
    r"^\S+ +-?[0-9]{1,2} |^[CEWNIDT] \| |^[FEWID] +[A-Z]+ +\[|"
    r"^[.*#-] |^[0-9]+ +[0-9]+ [DIWEF] "
)
"""Most lines without a level right behind their time have none at all: they are looked at once."""

_WORD: Final = (
    r"(?:[0-9][0-9a-fA-F.]*:?|\[[^\]\n]*\]|\([^)\n]*\)|<[0-9.]+>|[A-Z]{2,5}\b|[A-Za-z0-9_.$@/-]+\[[^\]\n]+\]:?|"
    r"[A-Za-z0-9_.-]+@[A-Za-z0-9_.\[\]-]+|[A-Za-z0-9_-]+(?:[./:][A-Za-z0-9_-]+)+:?|"
    r"(?:[a-z_0-9]+ )?pid [0-9]+|(?:[a-z_]+=[^\s,=]*,?)+|[|:,-])"
)
"""Words of a header: numbers, thread and process in brackets, dotted names, zones; no word of a sentence."""
_SKIP: Final = rf"^[\s:|,-]*(?:{_WORD}[\s|:,-]*){{0,6}}?"
_END: Final = r"[\s:|-]*(?P<message>(?s:.*))$"
_SHAPES: Final = (
    # bridge|INFO|text behind a sequence number: Open vSwitch, OVN
    r"^\|?[0-9]+\|(?P<logger>[^|(]+)(?:\([^|]*\))?\|(?P<level>[A-Z]+)\|(?P<message>(?s:.*))$",
    # mon.a (mon.0) 123 : cluster [WRN] text: Ceph's cluster log
    r"^(?P<logger>\S+) \([^)]*\) [0-9]+ : \S+ \[(?P<level>[A-Z]+)\] (?P<message>(?s:.*))$",
    # 7fa2ca12e700  0 log_channel(cluster) log [DBG] : text
    (
        r"^[0-9a-f]{6,16} +-?[0-9]{1,2} (?P<logger>log_channel)\([^)]*\) log \[(?P<level>[A-Z]+)\] :? ?"
        r"(?P<message>(?s:.*))$"
    ),
    # 7fa2ca12e700  0 [cephadm ERROR cephadm.serve] text: a module of Ceph's manager
    r"^[0-9a-f]{6,16} +-?[0-9]{1,2} \[(?P<logger>[a-z_]+) (?P<level>[A-Z]+) [^\]]*\] ?(?P<message>(?s:.*))$",
    # E | etcdserver: text
    r"^(?P<level>[CEWNIDT]) \| (?P<logger>[A-Za-z0-9_./-]+): (?P<message>(?s:.*))$",
    # E NETWORK  [conn1] text: MongoDB, which Juju uses
    r"^(?P<level>[FEWID]) +(?P<logger>[A-Z]{3,10}) +\[[^\]]*\] ?(?P<message>(?s:.*))$",
    # cloud-init: a file and its level, as in util.py[WARNING]
    rf"^(?P<logger>[A-Za-z0-9_.-]+)\[(?P<level>{_UPPER})\]: ?(?P<message>(?s:.*))$",
    # [WARN ][o.e.c.r.a] [node] text: Elasticsearch
    rf"^\[(?P<level>{_UPPER}) *\]\[(?P<logger>[^\]\s]+) *\] ?(?P<message>(?s:.*))$",
    # Columns, as Windows writes them: Error    CSI    text
    (
        r"^(?P<level>Verbose|Information|Info|Warning|Error|Critical)(?: {2}|\t)\s*"
        r"(?:(?P<logger>\S+(?: \S+){0,3})(?: {2}|\t)\s*)?(?P<message>(?s:.*))$"
    ),
    # general: error: text (named)
    rf"^(?:[0-9a-f]{{6,16}} +)?(?P<logger>[A-Za-z][A-Za-z0-9_-]*): (?P<level>{_LOWER}): (?P<message>(?s:.*))$",
    # ;ERROR;text, "ERROR","text": tables
    rf"^[,;\"\s]*(?P<level>{_UPPER})[,;\"]{{1,3}}(?P<message>(?s:.*))$",
    # ERROR/ForkPoolWorker-1] text: Celery
    rf"^(?P<level>{_UPPER})/[A-Za-z]+(?:-[0-9]+)?\] ?(?P<message>(?s:.*))$",
    # 1702  2395 E tag: text: Android
    r"^[0-9]+ +[0-9]+ (?P<level>[DIWEF]) (?P<logger>[^:\n]{1,80}?) *: (?P<message>(?s:.*))$",
    # [12] LOG text: PgBouncer
    rf"^\[[0-9]+\] (?P<level>{_UPPER}|LOG) (?P<message>(?s:.*))$",
    # PostgreSQL's CSV
    rf"^[^\n]*?,(?P<level>{_UPPER}|LOG),[0-9A-Z]{{5}},(?P<message>(?s:.*))$",
    rf"{_SKIP}[\[<|]\s*(?P<level>{_ANY})\s*[\]>|]{_END}",
    rf"{_SKIP}(?P<level>{_UPPER})(?::|\s|\||$){_END}",
    rf"{_SKIP}(?P<level>{_POSTGRES}):{_END}",
    rf"{_SKIP}(?P<level>{_LOWER})\s*:{_END}",
    rf"{_SKIP}(?P<level>{TRANSLATED})\s*:{_END}",
)
"""Where a level may stand, the most telling first."""
CEPH: Final = r"^[0-9a-f]{6,16} +(?P<number>-?[0-9]{1,2}) (?P<message>(?s:.*))$"
_OSLO: Final = rf"^\[?[0-9]+\]?[ \t]+(?:{_UPPER})[ \t]+[A-Za-z_][^ \t=]*:?(?:[ \t]|$)"
_PAIR: Final = r"(?-u:\b)(?:level|lvl|severity)=\"?([A-Za-z]+)"
_DOTTED: Final = r"[A-Za-z_][A-Za-z0-9_$/-]*(?:(?:\.|::)[A-Za-z0-9_$/-]+)+"
_CLASS: Final = rf"^(?:\[[^\]\n]+\] +)?(?P<logger>{_DOTTED})(?::[0-9]+)?(?: +- +|: +|:$|\t)(?P<message>(?s:.*))$"
_BOXED: Final = rf"^\[?(?P<logger>{_DOTTED}) *\] ?(?P<message>(?s:.*))$"
"""A class or module behind the level: ``com.x.Y - text``, ``gnocchi.cli: text``, ``[o.e.c.r.a] text``."""
_CLASS_HINT: Final = rf"^(?:(?:\[[^\]\n]+\] +)?{_DOTTED}(?::[0-9]+)?(?: +- |: |:$|\t)|\[?{_DOTTED} *\])"
_BEHIND_LEVEL: Final = rf"^[A-Za-z_][^ \t\[\]=]*[ \t]+{CONTEXT}"
_WORTH_WRITING: Final = 9
"""The last of Ceph's levels that is not for debugging alone: a judgement; 0 to 5 are the defaults of its log files."""
_SERVER_ERROR, _CLIENT_ERROR = 5, 4
"""Hundreds of HTTP's status codes."""
_STATUS: Final = (
    r"(?:HTTP/[0-9.]{1,3}\"? |status[:=] ?)([1-5])[0-9]{2}\b",
    r" [0-9/+-]{5,60} ([1-5])[0-9]{2} [0-9+]{1,20} ",
)


def deepened(read: pl.DataFrame) -> pl.DataFrame:
    """FACTS with what the message says in a header's manner: the level where it is unknown, else what follows it."""
    unknown = read["level"] == 0
    if not unknown.all():
        read = _named(read)
    if not unknown.any():
        return read
    gate = unknown & read["message"].str.slice(0, _BEGIN).str.contains(_GATE)
    http = unknown & ~gate & read["message"].str.contains("HTTP/", literal=True)
    if not (gate.any() or http.any()):
        return read
    parts = [read.filter(~gate & ~http)]
    if http.any():
        parts.append(by_status(read.filter(http)))
    if gate.any():
        parts.append(_oslo(read.filter(gate)))
    return pl.concat(parts).sort("row")


def _named(read: pl.DataFrame) -> pl.DataFrame:
    """Lines whose level stands right behind their time, with the logger and the ids that follow it."""
    message = read["message"]
    lacking = (read["level"] > 0) & (read["logger"] == "")
    context = lacking & message.str.contains(_BEHIND_LEVEL)
    dotted = lacking & ~context & message.str.contains(_CLASS_HINT)
    if not (context.any() or dotted.any()):
        return read
    parts = [read.filter(~context & ~dotted)]
    if context.any():
        some = read.filter(context)
        words = some["message"].str.replace(r"^(\S+)\s+", "0 - $1 ")
        named = oslo_facts(pl.DataFrame({"row": some["row"], "rest": words}))
        parts.append(facts(named.with_columns(some["at"], some["clock"], some["level"])))
    if dotted.any():
        some = read.filter(dotted)
        shapes = [some["message"].str.extract_groups(pattern).struct.unnest() for pattern in (_BOXED, _CLASS)]
        names = ("logger", "message")
        parts.append(some.with_columns(pl.coalesce(*(s[name] for s in shapes), name).alias(name) for name in names))
    return pl.concat(parts).sort("row")


def _oslo(read: pl.DataFrame) -> pl.DataFrame:
    """Lines of oslo.log with another date format: pid, level, logger and context are as ever."""
    fits = read["message"].str.contains(_OSLO)
    rest = _levels(read.filter(~fits))
    if not fits.any():
        return rest
    some = read.filter(fits)
    words = some["message"].str.replace(r"^\[?([0-9]{1,10})\]?[ \t]+([^ \t]+)[ \t]+([^ \t]+)[ \t]*", "$1 $2 $3 ")
    named = oslo_facts(pl.DataFrame({"row": some["row"], "rest": words}))
    named = named.with_columns(
        some["at"], some["clock"], pl.col("logger").str.strip_suffix(":"), pl.col("message").str.strip_prefix("- ")
    )
    return pl.concat([rest, facts(named)])


def _levels(read: pl.DataFrame) -> pl.DataFrame:
    parts = []
    for pattern in _SHAPES:
        if read.is_empty():
            break
        groups = read["message"].str.extract_groups(pattern).struct.unnest()
        known = groups["level"].is_not_null() & (_numbers(groups["level"]) > 0)
        if known.any():
            parts.append(_with_level(read.filter(known), groups.filter(known)))
            read = read.filter(~known)
    return pl.concat([*parts, by_status(_pairs(_ceph(read)))])


def _numbers(levels: pl.Series) -> pl.Series:
    return pl.DataFrame({"level": levels}).select(level_expr("level")).to_series()


def _with_level(read: pl.DataFrame, groups: pl.DataFrame) -> pl.DataFrame:
    read = read.with_columns(_numbers(groups["level"]).alias("level"), groups["message"].alias("message"))
    if "logger" in groups.columns:
        return read.with_columns(pl.coalesce(groups["logger"], "logger").str.strip_chars().alias("logger"))
    inner = read["message"].str.extract_groups(_CLASS).struct.unnest()
    named = inner["logger"].is_not_null()
    if not named.any():
        return read
    return read.with_columns(
        pl.when(named).then(inner[name]).otherwise(name).alias(name) for name in ("logger", "message")
    )


def _ceph(read: pl.DataFrame) -> pl.DataFrame:
    """Ceph's own numbers: -1 is an error, 0 to 9 are worth writing, more is for debugging."""
    if read.is_empty():
        return read
    groups = read["message"].str.extract_groups(CEPH).struct.unnest()
    number = groups["number"].cast(pl.Int64, strict=False)
    level = pl.when(number < 0).then(int(Level.ERROR)).when(number > _WORTH_WRITING).then(int(Level.DEBUG))
    known = number.is_not_null()
    return read.with_columns(
        pl.when(known).then(level.otherwise(int(Level.INFO))).otherwise("level").cast(pl.UInt8).alias("level"),
        pl.when(known).then(groups["message"]).otherwise("message").alias("message"),
    )


def _pairs(read: pl.DataFrame) -> pl.DataFrame:
    """``level=error`` somewhere near the begin."""
    if read.is_empty():
        return read
    said = _numbers(read["message"].str.slice(0, _BEGIN).str.extract(_PAIR))
    return read.with_columns(pl.when(pl.col("level") == 0).then(said).otherwise("level").alias("level"))


def by_status(read: pl.DataFrame) -> pl.DataFrame:
    """FACTS with unknown levels by the status of a request: 5xx is an error, 4xx a warning, the rest is no news."""
    message = read["message"]
    known = pl.coalesce(*(message.str.extract(pattern) for pattern in _STATUS))
    status = read.select(known.cast(pl.Int64).alias("class")).to_series()
    level = (
        pl.when(status == _SERVER_ERROR).then(int(Level.ERROR)).when(status == _CLIENT_ERROR).then(int(Level.WARNING))
    )
    rated = level.when(status.is_not_null()).then(int(Level.INFO)).otherwise(0).cast(pl.UInt8)
    return read.with_columns(pl.when(pl.col("level") == 0).then(rated).otherwise("level").alias("level"))
