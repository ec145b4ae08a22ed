"""Lines to the facts of their headers: envelopes are taken off, then every format is tried in turn."""

from collections.abc import Sequence
from typing import Final

import polars as pl

from models.decode.formats.base import FACTS, LineFormat
from models.decode.timestamps import ISO, Clock, rfc3339

_CRI: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(?:Z|[+-][0-9]{2}:[0-9]{2}) std(?:out|err) [FP](?:$|[ :])"
_CRI_PARTS: Final = rf"^(?P<stamp>{ISO}) (?P<stream>std(?:out|err)) (?P<tag>[FP])[^ ]* ?(?P<inner>(?s:.*))$"
_PREFIXES: Final = (
    r"^\S{1,400}\.(?:log|txt|out|err)[^\s<]* +((?s:[0-9\[<{A-Z].*))$",
    r"^[^\s:]{1,400}:[0-9]+:[ \t]*((?s:[0-9\[<{A-Z].*))$",
    r"^[^\s:]{0,400}[./][^\s:]{0,400}:[ \t]*((?s:(?:[0-9\[<{A-Z]|[a-z_]+=).*))$",
)
"""A file's name before the line, as published sets and ``grep`` print it."""
_PREFIX_HINT: Final = r"^[^\s:]{0,400}(?:[./]\S*[: ]|:[0-9]+:)"


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


def read_headers(lines: pl.DataFrame, formats: Sequence[LineFormat]) -> pl.DataFrame:
    """FACTS, ascending by ``row``, of the lines (``row``, ``text``) that have a header; the others are left out."""
    parts: list[pl.DataFrame] = []
    left = _try_all(lines, formats, parts)
    for prefix in _PREFIXES:
        if left.is_empty():
            break
        some = left.filter(left["text"].str.contains(_PREFIX_HINT))
        if some.is_empty():
            break
        behind = some.with_columns(pl.col("text").str.extract(prefix)).drop_nulls("text")
        found: list[pl.DataFrame] = []
        _try_all(behind, formats, found)
        # Only a time makes it credible that the words before it are a file's name.
        timed = [part.filter(pl.col("clock") != int(Clock.NONE)) for part in found]
        parts.extend(timed)
        left = _without(left, timed)
    parts = [part for part in parts if not part.is_empty()]
    if not parts:
        return pl.DataFrame(schema=FACTS)
    return parts[0] if len(parts) == 1 else pl.concat(parts).sort("row")


def _try_all(left: pl.DataFrame, formats: Sequence[LineFormat], parts: list[pl.DataFrame]) -> pl.DataFrame:
    """Adds what the formats find to ``parts``; returns the lines that none of them knew."""
    for line_format in formats:
        if left.is_empty():
            break
        hit = left["text"].str.contains(line_format.hint)
        if not hit.any():
            continue
        some = left if hit.all() else left.filter(hit)
        found = line_format.decode(some)
        if found.is_empty():
            continue
        parts.append(found)
        left = left.filter(~hit) if found.height == some.height else _without(left, [found])
    return left


def _without(lines: pl.DataFrame, found: list[pl.DataFrame]) -> pl.DataFrame:
    rows = [part["row"] for part in found if not part.is_empty()]
    return lines.filter(~pl.col("row").is_in(pl.concat(rows).implode())) if rows else lines
