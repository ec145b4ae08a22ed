"""How telling each record of a log is: one weight, from what it says and from what the detectors say of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from index.evidence.fired_windows import FiredWindow
from index.lines.entries import TRACEBACK
from index.lines.log_lines import places
from models.records import F64, I64, Level

SEVERE: Final = 2.0
"""What a record tells (``told``) from which on it counts as a failure."""

NOTABLE: Final = 1.0
"""The same, from which on it is worth a look where nothing failed."""

_LEVELS: Final = {Level.CRITICAL: 3.2, Level.ERROR: 3.0, Level.WARNING: 0.9}
_TRACEBACK: Final = 1.0
_SERVER_ERROR: Final = 2.4
_CLIENT_ERROR: Final = 0.5
_WORDS: Final = 0.7
_NEW: Final = 1.2
_POINTER: Final = 1.0
_SUPPORT: Final = 0.6
_USUAL: Final = 0.4
_STEADY: Final = 0.5
_EARLIER: Final = 0.35

_FAILURE: Final = (
    r"(?i)\b(?:fail(?:s|ed|ure|ing)?|errors?|exceptions?|time[ds]?[ -]?out|refused|unable|denied|exceed(?:s|ed)|"
    r"no valid host|not found|unreachable|lost|abort(?:s|ed|ing)?|cannot|could not|rejected|unexpected(?:ly)?|"
    r"no space|broken|disconnect(?:ed)?|retry(?:ing)?|reconnect(?:ing)?|rollback|rolling back|revert(?:ed|ing)?|"
    r"killed|deadlock|invalid)\b"
)
_HTTP: Final = r"(?i)\b(?:status|http|returned)\b"
_RELAYED: Final = (
    r"(?i)\bremote ?error|_Remote\b|\(HTTP 5\d\d\)|ClientException|returned HTTP 5|MessagingTimeout|HttpException: 5|"
    r"Server Error for url|InternalServerError"
)
"""Words of one that was answered so by another one."""

_SERVER: Final = r"""(?i)(?:status: ?|HTTP/\d\.\d"? |HTTP |returned with HTTP |status code )5\d\d\b"""
_CLIENT: Final = r"""(?i)(?:status: ?|HTTP/\d\.\d"? |HTTP |returned with HTTP |status code )4\d\d\b"""


@dataclass(frozen=True, slots=True)
class TimeSpan:
    """The time that the windows cover, in microseconds."""

    start: int
    end: int


def span_of(fired: Sequence[FiredWindow], lines: pl.DataFrame) -> TimeSpan:
    """From the first begin of a window to the last end; without windows, all that the lines cover."""
    if fired:
        return TimeSpan(min(each.start for each in fired), max(each.end for each in fired))
    if lines.is_empty():
        return TimeSpan(0, 0)
    times = lines["time"]
    return TimeSpan(int(times[0]), int(times[-1]))


def add_severity(
    lines: pl.DataFrame, span: TimeSpan, fired: Sequence[FiredWindow], known: frozenset[int] | None
) -> pl.DataFrame:
    """Heads of entries (see ``with_entries``) with ``weight``: what they tell (``told``) and what points at them.

    Adds ``raised`` (has a traceback), ``served`` (an answer of 500 and more), ``new`` (a template that training did not
    see, or, where that is unknown, that was not there before the windows) and ``pointed`` (0 to 1, by the detectors).
    """
    continued = lines.filter(pl.col("follows"))
    raised = continued.filter(pl.col("message").str.contains(TRACEBACK, literal=True))["entry"].unique().implode()
    heads = lines.filter(pl.col("at") == pl.col("entry")).with_columns(
        (pl.col("at").is_in(raised) | pl.col("message").str.contains(TRACEBACK, literal=True)).alias("raised")
    )
    heads = _by_template(heads, span, known)
    heads = _http(heads)
    pointed = _pointed(lines, heads, fired)
    support = _support(heads, fired)
    severe = pl.col("level") >= int(Level.ERROR)
    level = pl.col("level").replace_strict(
        {int(k): v for k, v in _LEVELS.items()}, default=0.0, return_dtype=pl.Float64
    )
    said = pl.max_horizontal(
        level,
        pl.when("served").then(_SERVER_ERROR).otherwise(0.0),
        pl.when("refused").then(_CLIENT_ERROR).otherwise(0.0),
    )
    said = (
        said
        + pl.when("raised").then(_TRACEBACK).otherwise(0.0)
        + pl.when(pl.col("worded") & ~severe).then(_WORDS).otherwise(0.0)
    )
    # What training saw at this level, or what came as often before, is how this cloud always complains.
    said = said * pl.when(pl.col("usual") & ~pl.col("served")).then(_USUAL).otherwise(1.0)
    said = said * pl.when(pl.col("steady")).then(_STEADY).otherwise(1.0)
    told = (said + pl.when("new").then(_NEW).otherwise(0.0)) * (
        pl.when(pl.col("time") < span.start).then(_EARLIER).otherwise(1.0)
    )
    heads = heads.with_columns(
        pl.Series("pointed", pointed), pl.Series("support", support), told.alias("told"), severe.alias("severe")
    )
    return heads.with_columns(
        (pl.col("told") + _POINTER * pl.col("pointed") + _SUPPORT * pl.col("support")).alias("weight")
    )


def _by_template(heads: pl.DataFrame, span: TimeSpan, known: frozenset[int] | None) -> pl.DataFrame:
    """What holds for all records of a service's template: ``worded``, ``usual``, ``new``, ``steady``."""
    before = pl.col("time") < span.start
    stats = heads.group_by("service", "template", maintain_order=True).agg(
        pl.col("masked").first(),
        before.sum().alias("earlier"),
        (~before).sum().alias("within"),
    )
    heard = max(1, span.start - int(heads["time"].to_numpy()[0])) if len(heads) else 1
    covered = max(1, span.end - span.start)
    rate = pl.col("earlier") / heard
    steady = (pl.col("earlier") >= 3) & (rate * covered >= 0.5 * pl.col("within"))  # noqa: PLR2004 - fewer are chance
    if known is None:
        usual, new = (
            pl.lit(value=False),
            (pl.col("earlier") == 0) & pl.lit(bool(int((heads["time"] < span.start).sum()))),
        )
    else:
        seen = pl.col("template").is_in(pl.Series(sorted(known), dtype=pl.UInt64).implode())
        usual, new = seen, ~seen
    stats = stats.with_columns(
        pl.col("masked").str.contains(_FAILURE).alias("worded"),
        usual.alias("usual"),
        new.alias("new"),
        steady.alias("steady"),
    ).drop("masked", "earlier", "within")
    return heads.join(stats, on=["service", "template"], how="left", maintain_order="left")


def _http(heads: pl.DataFrame) -> pl.DataFrame:
    """``served``: tells of a server error; ``refused``: of a client's; ``relayed``: of what another service said."""
    telling = heads.select("at", "message", "masked").filter(pl.col("masked").str.contains(_HTTP))
    served = telling.filter(pl.col("message").str.contains(_SERVER))["at"].implode()
    refused = telling.filter(pl.col("message").str.contains(_CLIENT))["at"].implode()
    relayed = heads.filter(pl.col("level") >= int(Level.WARNING)).select("at", "message")
    told = relayed.filter(pl.col("message").str.contains(_RELAYED))["at"].implode()
    return heads.with_columns(
        pl.col("at").is_in(served).alias("served"),
        pl.col("at").is_in(refused).alias("refused"),
        pl.col("at").is_in(told).alias("relayed"),
    )


def _pointed(lines: pl.DataFrame, heads: pl.DataFrame, fired: Sequence[FiredWindow]) -> F64:
    """How strongly the windows point at each head or its continuation lines."""
    found: dict[tuple[int, int], float] = {}
    for each in fired:
        for rank, place in enumerate(each.pointers):
            found[place] = max(found.get(place, 0.0), each.importance / (1 + 0.25 * rank))
    out = np.zeros(len(heads))
    if not found:
        return out
    partition, offset = places(lines)
    wanted = np.isin(offset, np.array([place[1] for place in found], dtype=np.int64))
    rows: I64 = np.flatnonzero(wanted)
    entry = lines["entry"].to_numpy()
    best: dict[int, float] = {}
    for row in rows.tolist():
        score = found.get((int(partition[row]), int(offset[row])), 0.0)
        best[int(entry[row])] = max(best.get(int(entry[row]), 0.0), score)
    at = heads["at"].to_numpy()
    for number, score in best.items():
        out[int(np.searchsorted(at, number))] = score
    return out


def _support(heads: pl.DataFrame, fired: Sequence[FiredWindow]) -> F64:
    """The largest importance of a window in whose time, and in one of whose services, a head stands."""
    out = np.zeros(len(heads))
    time = heads["time"].to_numpy()
    service = heads["service"].to_numpy()
    for each in fired:
        first, last = np.searchsorted(time, [each.start, each.end + 1])
        named = {*each.services, each.service} - {""}
        part = out[first:last]
        share = np.where(np.isin(service[first:last], list(named)), 1.0, 0.5) if named else 0.5
        np.maximum(part, each.importance * share, out=part)
    return out
