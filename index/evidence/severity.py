"""How severe each record of a log is, and what it weighs together with what detectors say of it.

A severity is a number of points on the scale of ``_LEVELS``, where an ERROR has 3.  The points are judgements.
They were varied one by one, to 0.5 and 1.5 of their value, on the 115 runs of ``tests/bench/explain_runs.py``: its
figures stay the same, except where a constant says otherwise.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from index.evidence.fired_windows import FiredWindow
from index.lines.entries import TRACEBACK, heads_of
from index.lines.log_lines import places
from index.lines.patterns import ANY_STATUS, CLIENT_ERROR, FAILURE_WORDS, HARMLESS_WARNING, RELAYED_ERROR, SERVER_ERROR
from models.records import F64, I64, Level

SEVERE: Final = 2.0
"""Points from which on a record counts as a failure: an HTTP status of 500 does, a WARNING alone does not."""

NOTABLE: Final = 1.0
"""Points from which on a record is worth a look where nothing failed: a new message does, a WARNING alone does not."""

_LEVELS: Final = {Level.CRITICAL: 3.2, Level.ERROR: 3.0, Level.WARNING: 0.9}
"""Points of a level; levels below have none.

With 2.1 for ERROR two runs fewer get the right service, with 0.63 for WARNING one; with 1.3 times as much the same."""

_TRACEBACK: Final = 1.0
"""Points of a traceback, added to those of the level."""

_SERVER_ERROR: Final = 2.4
"""Points of an HTTP status of 500 and above, in place of those of a lower level."""

_CLIENT_ERROR: Final = 0.5
"""Points of an HTTP status of 400 to 499, in place of those of a lower level."""

_FAILURE_WORDS: Final = 0.7
"""Points of words of failure below ERROR, added; with 1.05 three runs fewer of the 115 get the right service."""

_NEW: Final = 1.2
"""Points of a template that is new, added; with 0.6 and with 1.8 one run fewer gets the right service."""

_POINTER: Final = 1.0
"""Weight of a record that the most important window points at first, added to its severity."""

_SUPPORT: Final = 0.6
"""Weight of a record in the time and in a service of the most important window, added to its severity."""

_KNOWN_SHARE: Final = 0.4
"""Share of the points that a record keeps whose template training saw: so this cloud always complains."""

_STEADY_SHARE: Final = 0.5
"""Share of the points that a record keeps whose template came about as often before the windows."""

_EARLIER_SHARE: Final = 0.35
"""Share of its severity that a record from before the windows keeps."""

_STEADY_RECORDS: Final = 3
"""Records before the windows from which on a rate is known; fewer may be chance (a judgement)."""

_STEADY_RATE: Final = 0.5
"""Share of the rate within the windows that the rate before must have for a template to be steady (a judgement)."""

_POINTER_FALL: Final = 0.25
"""How the pointers of a window fall with their rank: the second weighs 1 / 1.25 of the first (a judgement)."""

_OTHER_SERVICE_SHARE: Final = 0.5
"""Share of a window's importance for records in its time, but of a service that it does not name (a judgement)."""


@dataclass(frozen=True, slots=True)
class TimeSpan:
    """The time that the windows cover, in microseconds."""

    start: int
    end: int


def span_of(fired: Sequence[FiredWindow], lines: pl.DataFrame) -> TimeSpan:
    """Return the time from the first start of a window to the last end; without windows, that of the lines."""
    if fired:
        return TimeSpan(min(window.start for window in fired), max(window.end for window in fired))
    if lines.is_empty():
        return TimeSpan(0, 0)
    times = lines["time"]
    return TimeSpan(int(times[0]), int(times[-1]))


def add_severity(
    lines: pl.DataFrame, span: TimeSpan, fired: Sequence[FiredWindow], known: frozenset[int] | None
) -> pl.DataFrame:
    """Return the heads of ``with_entries`` with these columns.

    ``severity`` (points), ``detector_weight`` (0 to 1: how strongly windows point at the record), ``weight`` (both, and
    the importance of windows around it), and what the severity is made of: ``is_error`` (level ERROR and above),
    ``has_traceback``, ``server_error`` and ``client_error`` (HTTP statuses), ``relayed`` (tells of another service's
    error), ``failure_words``, ``harmless`` (only warns of a later version; such a record weighs nothing below ERROR),
    ``new`` (a template that training did not see or, where ``known`` is None, that was not
    there before the windows), ``known`` (training saw it) and ``steady`` (it came as often before the windows).
    """
    heads = _http(_by_template(_with_tracebacks(lines), span, known))
    heads = heads.with_columns(
        pl.Series("detector_weight", _detector_weights(lines, heads, fired)),
        pl.Series("support", _support(heads, fired)),
        _severity(span).alias("severity"),
        _is_error().alias("is_error"),
    )
    weight = pl.col("severity") + _POINTER * pl.col("detector_weight") + _SUPPORT * pl.col("support")
    return heads.with_columns(weight.alias("weight"))


def _is_error() -> pl.Expr:
    return pl.col("level") >= int(Level.ERROR)


def _severity(span: TimeSpan) -> pl.Expr:
    """Return the points of each record."""
    of_level = pl.col("level").replace_strict(
        {int(level): points for level, points in _LEVELS.items()}, default=0.0, return_dtype=pl.Float64
    )
    points = (
        pl.max_horizontal(of_level, _if("server_error", _SERVER_ERROR), _if("client_error", _CLIENT_ERROR))
        + _if("has_traceback", _TRACEBACK)
        + _if(pl.col("failure_words") & ~_is_error(), _FAILURE_WORDS)
    )
    points = points * _if(pl.col("known") & ~pl.col("server_error"), _KNOWN_SHARE, 1.0)
    points = points * _if("steady", _STEADY_SHARE, 1.0)
    points = (points + _if("new", _NEW)) * _if(pl.col("time") < span.start, _EARLIER_SHARE, 1.0)
    return points * _if(pl.col("harmless") & ~_is_error(), 0.0, 1.0)


def _if(condition: str | pl.Expr, value: float, otherwise: float = 0.0) -> pl.Expr:
    return pl.when(condition).then(value).otherwise(otherwise)


def _with_tracebacks(lines: pl.DataFrame) -> pl.DataFrame:
    """Return the heads with ``has_traceback``: in the line itself, or in those that continue it."""
    in_message = pl.col("message").str.contains(TRACEBACK, literal=True)
    entries = lines.filter(pl.col("follows")).filter(in_message)["entry"].unique().implode()
    return heads_of(lines).with_columns((pl.col("line_number").is_in(entries) | in_message).alias("has_traceback"))


def _by_template(heads: pl.DataFrame, span: TimeSpan, known: frozenset[int] | None) -> pl.DataFrame:
    """Add what holds for all records of a service's template: ``failure_words``, ``harmless``, ``known``, ``new``."""
    before = pl.col("time") < span.start
    stats = heads.group_by("service", "template", maintain_order=True).agg(
        pl.col("masked").first(),
        before.sum().alias("earlier"),
        (~before).sum().alias("within"),
    )
    before_us = max(1, span.start - int(heads["time"].to_numpy()[0])) if len(heads) else 1
    within_us = max(1, span.end - span.start)
    expected = pl.col("earlier") / before_us * within_us
    steady = (pl.col("earlier") >= _STEADY_RECORDS) & (expected >= _STEADY_RATE * pl.col("within"))
    if known is None:
        history = bool(int((heads["time"] < span.start).sum()))
        seen, new = pl.lit(value=False), (pl.col("earlier") == 0) & pl.lit(history)
    else:
        seen = pl.col("template").is_in(pl.Series(sorted(known), dtype=pl.UInt64).implode())
        new = ~seen
    stats = stats.with_columns(
        pl.col("masked").str.contains(FAILURE_WORDS).alias("failure_words"),
        pl.col("masked").str.contains(HARMLESS_WARNING).alias("harmless"),
        seen.alias("known"),
        new.alias("new"),
        steady.alias("steady"),
    ).drop("masked", "earlier", "within")
    return heads.join(stats, on=["service", "template"], how="left", maintain_order="left")


def _http(heads: pl.DataFrame) -> pl.DataFrame:
    """Add ``server_error`` and ``client_error`` by the HTTP status in a message, and ``relayed``."""
    with_status = heads.select("line_number", "message", "masked").filter(pl.col("masked").str.contains(ANY_STATUS))
    server = with_status.filter(pl.col("message").str.contains(SERVER_ERROR))["line_number"].implode()
    client = with_status.filter(pl.col("message").str.contains(CLIENT_ERROR))["line_number"].implode()
    warnings = heads.filter(pl.col("level") >= int(Level.WARNING)).select("line_number", "message")
    relayed = warnings.filter(pl.col("message").str.contains(RELAYED_ERROR))["line_number"].implode()
    return heads.with_columns(
        pl.col("line_number").is_in(server).alias("server_error"),
        pl.col("line_number").is_in(client).alias("client_error"),
        pl.col("line_number").is_in(relayed).alias("relayed"),
    )


def _detector_weights(lines: pl.DataFrame, heads: pl.DataFrame, fired: Sequence[FiredWindow]) -> F64:
    """Return how strongly the windows point at each head or its continuation lines, shape (heads,), from 0 to 1."""
    weights: dict[tuple[int, int], float] = {}
    for window in fired:
        for rank, place in enumerate(window.pointers):
            weights[place] = max(weights.get(place, 0.0), window.importance / (1 + _POINTER_FALL * rank))
    out = np.zeros(len(heads))
    if not weights:
        return out
    partition, offset = places(lines)
    # Offsets alone leave few lines, of which the places are then compared.
    rows: I64 = np.flatnonzero(np.isin(offset, np.array([place[1] for place in weights], dtype=np.int64)))
    entry, line_number = lines["entry"].to_numpy(), heads["line_number"].to_numpy()
    for row in rows.tolist():
        head = int(np.searchsorted(line_number, int(entry[row])))
        out[head] = max(out[head], weights.get((int(partition[row]), int(offset[row])), 0.0))
    return out


def _support(heads: pl.DataFrame, fired: Sequence[FiredWindow]) -> F64:
    """Return the largest importance of a window around each head, shape (heads,): in its time, and in its services."""
    out = np.zeros(len(heads))
    time = heads["time"].to_numpy()
    service = heads["service"].to_numpy()
    for window in fired:
        first, last = np.searchsorted(time, [window.start, window.end + 1])
        named = {*window.services, window.service} - {""}
        part = out[first:last]
        own = np.isin(service[first:last], list(named))
        np.maximum(part, window.importance * np.where(own, 1.0, _OTHER_SERVICE_SHARE), out=part)
    return out
