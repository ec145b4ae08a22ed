"""When a source wrote nothing, and when another process took its place: what no single line says."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from models.rfc3339 import SECOND

AWAY_US: Final = 30 * SECOND
"""Microseconds without a line that are a pause (a judgement: half the time that a call waits by default)."""

_SLACK_US: Final = 2 * SECOND
"""Microseconds by which clocks may differ (a judgement, as in ``index.evidence.request_trace``)."""

_PID: Final = r"^\S+ \S+ (\d+) (?:TRACE|DEBUG|INFO|AUDIT|WARNING|ERROR|CRITICAL) "
"""The process id in a line of oslo.log, which is the group."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Between two lines of a source; times in microseconds."""

    since: int
    """The last line before it, else the first line that was read of its partition."""
    until: int
    """The next line, or the end of what was looked at where none came until then."""
    goes_on: bool = False
    """Whether none came."""

    @property
    def seconds(self) -> float:
        """Return how long it was."""
        return (self.until - self.since) / SECOND

    def holds(self, time: int) -> bool:
        """Return whether a moment lies in it, give or take what clocks differ."""
        return self.since - _SLACK_US <= time <= self.until + _SLACK_US


@dataclass(frozen=True, slots=True)
class SourceTimes:
    """A service on a host, around some stretch of time."""

    service: str
    host: str
    pauses: tuple[Pause, ...] = ()
    """Pauses of ``AWAY_US`` and more that overlap the stretch."""
    restart: Pause | None = None
    """Between the last line of its processes and the first one of the process that replaced them; None for none."""


def source_times(lines: pl.DataFrame, begin: int, end: int) -> tuple[SourceTimes, ...]:
    """Return the pauses and the restart of each source in some lines.

    A source was restarted where no process that wrote before writes any more, and one that did not write before does.
    Several processes that end and begin one by one, such as workers of an API, are no restart.

    Args:
        lines: all lines around, with LOG_LINES_SCHEMA, in any order.
        begin: begin of the stretch (microseconds).
        end: its end.
    """
    read = pl.col("time").min().over("partition").alias("read_since")
    named = lines.with_columns(read).filter((pl.col("service") != "") & (pl.col("time") <= max(end, begin)))
    return tuple(
        SourceTimes(str(service), str(host), _pauses(own, begin, end), _restart(own, begin))
        for (service, host), own in named.sort("time").group_by("service", "host", maintain_order=True)
    )


def _pauses(own: pl.DataFrame, begin: int, end: int) -> tuple[Pause, ...]:
    """Return the pauses that overlap the stretch, in order of time."""
    times = own["time"].to_numpy()
    edges = np.concatenate([[own["read_since"].to_numpy().min()], times, [max(begin, end)]])
    long = np.flatnonzero((np.diff(edges) >= AWAY_US) & (edges[1:] >= begin)).tolist()
    return tuple(Pause(int(edges[row]), int(edges[row + 1]), row == len(times)) for row in long)


def _restart(own: pl.DataFrame, begin: int) -> Pause | None:
    """Return the first restart since ``begin``; None where there was none."""
    pids = own.select(pl.col("text").str.extract(_PID).alias("pid"), "time").drop_nulls()
    spans = pids.group_by("pid").agg(pl.col("time").min().alias("first"), pl.col("time").max().alias("last"))
    spans = spans.sort("first").with_columns(pl.col("last").cum_max().shift(1).alias("before"))
    restarts = spans.filter((pl.col("first") > pl.col("before")) & (pl.col("first") >= begin))
    return Pause(int(restarts["before"][0]), int(restarts["first"][0])) if len(restarts) else None
