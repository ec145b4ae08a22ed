"""Lines to the facts of their headers: envelopes are taken off, then every format is tried in turn."""

from collections.abc import Sequence
from typing import Final

import polars as pl

from models.decode.clean_text import needs_cleaning, uncoloured
from models.decode.formats.base import FACTS, LineFormat
from models.decode.formats.levels import level_expr
from models.decode.formats.rest import by_status
from models.decode.timestamps import ISO, Clock, rfc3339
from models.rfc3339 import SECOND

_CRI: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(?:Z|[+-][0-9]{2}:[0-9]{2}) std(?:out|err) [FP](?:$|[ :])"
_CRI_PARTS: Final = rf"^(?P<stamp>{ISO}) (?P<stream>std(?:out|err)) (?P<tag>[FP])[^ ]* ?(?P<inner>(?s:.*))$"
_PREFIXES: Final = (
    r"^\S+\.(?:log|txt|out|err)[^\s<]* +((?s:[0-9\[<{A-Z].*))$",
    r"^[^\s:]+:[0-9]+:[ \t]*((?s:[0-9\[<{A-Z].*))$",
    r"^[^\s:]*[./][^\s:]*:[ \t]*((?s:(?:[0-9\[<{A-Z]|[a-z_]+=).*))$",
)
"""A file's name before the line, as published sets and ``grep`` print it."""
_LABELS: Final = (
    r"^(?:[A-Za-z0-9][A-Za-z0-9_.-]* +\| |\[pod/[A-Za-z0-9_./-]+\] )((?s:[0-9\[<{A-Z].*))$",
    r"^(?:[ \t\r]|\x{a0}|\x{feff}|\x{200b})+((?s:[0-9\[<{].*))$",
)
"""A container's name before the line, as Compose and ``kubectl --prefix`` print it, and blanks."""
_PREFIX_HINT: Final = (
    r"^(?:[^\s:]*(?:[./]\S*[: ]|:[0-9]+:)|[A-Za-z0-9][A-Za-z0-9_.-]* +\| |\[pod/|"
    r"(?:[ \t\r]|\x{a0}|\x{feff}|\x{200b})+[0-9\[<{])"
)

LOOKED_AT: Final = 1024
"""Characters at a line's begin in which a header is looked for, so that no line takes long; JSON is read whole."""
_LEVEL_WORD: Final = "(?i:trace|debug|info|notice|warn|warning|error|err|critical|crit|fatal|alert|emerg|panic)"
_INNER: Final = (
    r"^\s*(?:ovs\||(?:#033|\^\[|\\(?:x1[bB]|u001[bB]|033|e))\[|"
    r"[0-9]{4}[-/][0-9]|\[[^\]]{0,40}[0-9:][^\]]{0,40}\]|\{\s*\"|[a-z_]{1,12}=|[0-9]+:[A-Z] |"
    r"[IWEF][0-9]{4} |[A-Z][a-z]{2} [ 0-3]?[0-9] |\S+ (?:\S+ .*)?\[[0-9]{2}/[A-Z]|\S+ \S+ [0-9]{2}/[A-Z][a-z]{2}/|"
    rf"[\[<(]?(?:(?i:note|audit)|{_LEVEL_WORD})\b)"
)
"""How a header inside a message may begin: most messages have none and are looked at once."""
_LEADING: Final = (
    rf"^\s*(?:\[[0-9]{{1,9}}-[0-9]{{1,9}}\] |ovs\|[0-9]+\|[^|]*\|)?"
    rf"(?:[\[<(]({_LEVEL_WORD})[\])>]|({_LEVEL_WORD})\s?:|(EMER|ERR|WARN|INFO|DBG)\||(TRACE|DEBUG|INFO|NOTICE|WARNING|ERROR|CRITICAL|FATAL)\s)"
)
"""A level at the begin of a message that has no header: it says how bad it is, and stays where it is."""
_CLIENT: Final = r"^(?:\[(?:remote|client) [^\]]{0,80}\] |\[[0-9]{1,9}-[0-9]{1,9}\] )+"
"""What mod_wsgi, and PostgreSQL in syslog, write between their own header and the application's."""
_QUARTER: Final = 15 * 60 * SECOND
_ZONES: Final = 14 * 3600 * SECOND
"""Microseconds: zones differ by quarters of an hour, and by 14 hours from Greenwich at most."""
_AGREE: Final = 30 * SECOND
"""Microseconds by which a line's own clock and the one that took it up may differ: a judgement."""
_NO_DATE: Final = (int(Clock.NONE), int(Clock.DATELESS))
_NEVER: Final = LineFormat("", r"[^\s\S]", lambda lines: lines)


def unwrap(lines: pl.DataFrame) -> pl.DataFrame:
    """Takes off the envelope of Kubernetes' CRI log files.

    In: ``row``, ``text``.  Out: these and ``stamp`` (microseconds, the envelope's time or null), ``part`` (the runtime
    cut the line behind this piece), ``stream`` (null without envelope).
    """
    fits = lines["text"].str.contains(_CRI)
    nothing = (
        pl.lit(None, pl.Int64).alias("stamp"),
        pl.lit(value=False).alias("part"),
        pl.lit(None, pl.String).alias("stream"),
    )
    if not fits.any():
        return lines.with_columns(nothing)
    groups = lines.filter(fits)["text"].str.extract_groups(_CRI_PARTS).struct.unnest()
    stamp = rfc3339(groups["stamp"])
    inner = pl.DataFrame(
        {
            "row": lines.filter(fits)["row"],
            "text": groups["inner"],
            "stamp": stamp,
            "part": groups["tag"] == "P",
            "stream": groups["stream"],
        }
    ).filter(stamp.is_not_null())
    rest = lines.filter(~fits | ~lines["row"].is_in(inner["row"].implode())).with_columns(nothing)
    return pl.concat([rest, inner]).sort("row")


def read_headers(lines: pl.DataFrame, formats: Sequence[LineFormat]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """FACTS, ascending by ``row``, of the lines (``row``, ``text``) that have a header; the others are left out.

    Second come the lines, without what was no part of their text.
    """
    long = lines["text"].str.len_bytes() > LOOKED_AT
    if not long.any():
        return _read(lines, formats)
    headers, short = _read(lines.filter(~long), formats)
    parts: list[pl.DataFrame] = [headers]
    whole = lines.filter(long)
    rest = _try_all(whole, [known if known.name == "json" else _NEVER for known in formats], parts)
    cuts = [_cut(text) for text in rest["text"].to_list()]
    tails = pl.DataFrame(
        {"row": rest["row"], "tail": [text[cut:].rstrip() for text, cut in zip(rest["text"], cuts, strict=True)]},
        schema_overrides={"tail": pl.String},
    )
    begins = [text[:cut] for text, cut in zip(rest["text"], cuts, strict=True)]
    headers, begun = _read(rest.with_columns(pl.Series("text", begins, pl.String)), formats)
    behind = headers.select("row").join(tails, on="row", how="left", maintain_order="left")["tail"]
    parts.append(headers.with_columns(pl.col("message") + behind))
    begun = begun.join(tails, on="row", how="left", maintain_order="left")
    read = begun.select(*lines.columns[:1], pl.col("text") + pl.col("tail")).sort("row")
    lines = lines.update(pl.concat([short.select("row", "text"), read]), on="row", how="left")
    return pl.concat(parts).sort("row"), lines


def _cut(text: str) -> int:
    """Where a long line is cut, so that its begin does not end with a space."""
    return len(text[:LOOKED_AT].rstrip()) or LOOKED_AT


def _read(lines: pl.DataFrame, formats: Sequence[LineFormat]) -> tuple[pl.DataFrame, pl.DataFrame]:
    parts: list[pl.DataFrame] = []
    left = _try_all(lines, formats, parts)
    if not left.is_empty():
        dirty = needs_cleaning(left["text"]).fill_null(value=False)
        if dirty.any():
            clean = left.filter(dirty).with_columns(uncoloured(left["text"].filter(dirty)))
            lines = lines.update(clean.select("row", "text"), on="row", how="left")
            left = pl.concat([left.filter(~dirty), _try_all(clean, formats, parts)]).sort("row")
        _behind_names(left, formats, parts)
    parts = [part for part in parts if not part.is_empty()]
    if not parts:
        return pl.DataFrame(schema=FACTS), lines
    return (parts[0] if len(parts) == 1 else pl.concat(parts).sort("row")), lines


def _behind_names(left: pl.DataFrame, formats: Sequence[LineFormat], parts: list[pl.DataFrame]) -> None:
    """Adds to ``parts`` what the formats find behind the name of a file."""
    some = left.filter(left["text"].str.contains(_PREFIX_HINT)) if not left.is_empty() else left
    for prefix in (*_PREFIXES, *_LABELS):
        if some.is_empty():
            break
        behind = some.with_columns(pl.col("text").str.extract(prefix)).drop_nulls("text")
        headers: list[pl.DataFrame] = []
        _try_all(behind, formats, headers)
        # Only a time makes it credible that the words before it are a file's name.
        timed = [part.filter(~pl.col("clock").is_in(_NO_DATE)) for part in headers]
        if prefix == _LABELS[-1]:
            # An indented line with a time is a line of a table as often as not.
            timed = [part.filter(pl.col("level") > 0) for part in timed]
        parts.extend(timed)
        some = _without(some, timed)


def _try_all(left: pl.DataFrame, formats: Sequence[LineFormat], parts: list[pl.DataFrame]) -> pl.DataFrame:
    """Adds what the formats find to ``parts``; returns the lines that none of them knew."""
    begins: frozenset[str] | None = None
    for number, line_format in enumerate(formats):
        if left.is_empty():
            break
        if number and line_format.begins:
            # Looked at behind the first format, which knows nearly all lines where it knows any.
            if begins is None:
                begins = frozenset(left["text"].str.slice(0, 1).unique().to_list())
            if begins.isdisjoint(line_format.begins):
                continue
        hit = left["text"].str.contains(line_format.hint)
        if not hit.any():
            continue
        some = left if hit.all() else left.filter(hit)
        header = line_format.decode(some)
        if header.is_empty():
            continue
        header = header.with_columns(pl.lit(number, pl.UInt16).alias("format"))
        parts.append(_read_again(header, formats) if line_format.outer else header)
        left = left.filter(~hit) if header.height == some.height else _without(left, [header])
    return left


def _read_again(outer: pl.DataFrame, formats: Sequence[LineFormat]) -> pl.DataFrame:
    """Headers whose messages have a header of their own: its level, logger, ids and time count before the outer's."""
    message = outer["message"]
    hit = message.str.contains(_INNER)
    if not hit.any():
        return outer
    text = uncoloured(message.filter(hit)).str.replace(_CLIENT, "")
    lines = pl.DataFrame({"row": outer["row"].filter(hit), "text": text})
    parts: list[pl.DataFrame] = []
    _try_all(lines, [f if not f.outer else _NEVER for f in formats], parts)
    parts = [part for part in parts if not part.is_empty()]
    # What a proxy's line says of a request is no header, but says how bad it is.
    rated = by_status(outer.filter(hit))
    groups = rated["message"].str.extract_groups(_LEADING).struct.unnest()
    word = groups.select(level=pl.coalesce(pl.all()))
    said = word.select(level_expr("level")).to_series()
    rated = rated.with_columns(pl.when(pl.col("level") == 0).then(said).otherwise("level").alias("level"))
    outer = (
        pl.concat([outer.filter(~hit), rated]).sort("row")
        if (rated["level"] != outer["level"].filter(hit)).any()
        else outer
    )
    if not parts:
        return outer
    inner = pl.concat(parts).filter((pl.col("level") > 0) | (pl.col("clock") != int(Clock.NONE)))
    both = outer.join(inner, on="row", how="left", maintain_order="left", suffix="_in")
    level, logger, clock = pl.col("level_in"), pl.col("logger_in"), pl.col("clock_in")
    timed = clock.is_not_null() & ~clock.is_in([*_NO_DATE, int(Clock.YEARLESS)])
    # The outer header may name its zone where the inner does not: the clocks differ by whole quarters of an hour then.
    shift = pl.col("at_in") - pl.col("at")
    zone = (shift / _QUARTER).round() * _QUARTER
    agrees = ((shift - zone).abs() <= _AGREE) & (zone.abs() <= _ZONES)
    zoned = timed & (clock == int(Clock.NAIVE)) & (pl.col("clock") == int(Clock.UTC))
    time = pl.when(zoned & agrees).then(pl.col("at_in") - zone.cast(pl.Int64)).when(timed & ~zoned).then("at_in")
    return both.select(
        "row",
        time.otherwise("at").alias("at"),
        pl.when(timed & ~zoned).then(clock).otherwise("clock").alias("clock"),
        pl.when(level.fill_null(0) > 0).then(level).otherwise("level").alias("level"),
        pl.when(logger.fill_null("") != "").then(logger).otherwise("logger").alias("logger"),
        pl.coalesce("message_in", "message").alias("message"),
        *(pl.coalesce(f"{name}_in", name).alias(name) for name in ("request", "global_request", "instance", "trace")),
        pl.coalesce("pid_in", "pid").alias("pid"),
        pl.coalesce("bare_in", "bare").alias("bare"),
        "format",
    ).cast(pl.Schema(FACTS))


def _without(lines: pl.DataFrame, headers: list[pl.DataFrame]) -> pl.DataFrame:
    rows = [part["row"] for part in headers if not part.is_empty()]
    return lines.filter(~pl.col("row").is_in(pl.concat(rows).implode())) if rows else lines
