"""Hosts whose clock is wrong, and the times of their lines put right before windows see them.

Whoever's clock is off by more than some seconds would break every window that several hosts share: their order, who is
silent, what follows on what.  Two things tell how far a clock is off:

- **Arrival.**  A line that comes to the broker ``lag`` after its time was delayed or has a wrong clock.  Delays vary,
  and the lag of a backlog shrinks; so where the least lag of two stretches of 20 s in a row is the same, it is the
  clock.  Lines are put right by what the stretches before theirs told, wherever batches are cut.
- **Order.**  Files tell no arrivals, but records of several hosts in one file stand in the order of arrival.  From a
  line of one host to the next line of another passes a short time, and from there back: half the difference of the two
  is the difference of the clocks, as in NTP (RFC 5905, section 8).  Hosts are compared with the one that writes most,
  and the median of all is taken to be right.
"""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import polars as pl

from models.arrays import distinct
from models.records import I64, NO_TIME
from models.rfc3339 import SECOND
from models.windows.set_back import SetBack

STRETCH_S: Final = 20
"""Seconds of arrival in which the least lag is looked for; a judgement: some flushes of any usual shipper."""

_SAME: Final = 5 * SECOND
"""By how much lags (microseconds) may differ and be called the same: shippers wait for a second to five seconds."""

_AHEAD: Final = 2 * SECOND
"""A clock that is more than this (microseconds) ahead of the broker's is wrong: no line comes before it is written."""

_BEHIND: Final = 10 * SECOND
"""A source that is steadily more than this (microseconds) behind has a wrong clock; a judgement: twice what a usual
shipper waits."""

_LONGEST: Final = 26 * 3600 * SECOND
"""Clocks are not further off (microseconds), or it is no clock but an old log that is sent again: any mistaken zone."""

UNKNOWN: Final = np.iinfo(np.int64).min
"""Stands for a clock that cannot be compared."""

_ROUNDED: Final = SECOND // 10
"""Precision of a comparison (microseconds): finer than what it can tell."""

_SWITCHES: Final = 3
"""Changes from host to host and back that are needed for a comparison; a judgement."""

_MOST_SOURCES: Final = 65_536
"""Sources that are remembered; a judgement that bounds memory."""

_REMEMBERED: Final = 30
"""Stretches, ten minutes, after which a source that writes no more is left out of ``off``; a judgement."""

_WHO: Final = pl.concat_str("tenant", "service", "host", separator="\x1f").alias("who")
"""A source in one text, which is looked up faster than three: one of ten thousand in each batch of a large cloud."""


@dataclass(slots=True)
class _Lag:
    """Of one source: the newest stretch, the least lag in it and in the one before, and what puts its lines right.

    Microseconds.
    """

    stretch: int
    least: int
    before: int | None = None
    correction: int = 0


@dataclass(slots=True)
class HostClocks:
    """What is known of the clocks of sources; the only state that ``settle`` keeps."""

    set_back: SetBack = field(default_factory=SetBack)
    """Sources of files whose time went back."""
    _lags: dict[str, _Lag] = field(default_factory=dict)
    """By tenant, service and host, in one text."""
    _by_order: dict[tuple[str, str], int] = field(default_factory=dict)
    """Tenant and host → correction by the order of lines (microseconds)."""

    def settle(self, lines: pl.DataFrame, arrived: I64 | None = None) -> pl.DataFrame:
        """Put right the times of lines with LOG_SCHEMA.

        ``arrived`` (n,) is when the broker got each; None for files.  Where the broker tells no times nothing is put
        right: the order of lines across partitions, and where batches are cut, is chance.
        """
        if not len(lines):
            return lines
        time = lines["time"].to_numpy()
        if arrived is None:
            right = self._settle_by_order(lines, self.set_back.settle(lines, time))
        else:
            right = self._settle_by_arrival(lines, time, arrived)
        return lines if right is time else lines.with_columns(pl.Series("time", right, pl.Int64))

    def off(self) -> dict[tuple[str, str], float]:
        """Return by how many seconds wrong clocks are ahead, by host and service; "" as service: the whole host."""
        clocks = {(host, ""): -by / SECOND for (_, host), by in self._by_order.items() if by}
        newest = max((lag.stretch for lag in self._lags.values()), default=0)
        of_host: dict[str, dict[str, int]] = {}
        for source, lag in self._lags.items():
            _, service, host = source.split("\x1f", 2)
            if newest - lag.stretch <= _REMEMBERED:
                of_host.setdefault(host, {})[service] = -lag.correction
        for host, ahead in of_host.items():
            wrong = {service: value for service, value in ahead.items() if value}
            if not wrong:
                continue
            alike = max(wrong.values()) - min(wrong.values()) <= _SAME
            if host and alike and 2 * len(wrong) > len(ahead):
                clocks[host, ""] = max(wrong.values(), key=abs) / SECOND
            else:
                clocks.update({(host, service): value / SECOND for service, value in wrong.items()})
        return clocks

    def _settle_by_arrival(self, lines: pl.DataFrame, time: I64, arrived: I64) -> I64:
        lag = arrived - time
        stretches = lines.select(
            _WHO,
            pl.Series("stretch", arrived // (STRETCH_S * SECOND)),
            pl.Series("lag", np.where(arrived == NO_TIME, _LONGEST, lag)),
        )
        least = stretches.group_by("who", "stretch", maintain_order=True).agg(pl.col("lag").min()).sort("stretch")
        corrections = [*map(self._next, *(column.to_list() for column in least.iter_columns()))]
        if not any(corrections):
            return time
        joined = stretches.join(
            least.with_columns(pl.Series("correction", corrections, pl.Int64)),
            on=["who", "stretch"],
            maintain_order="left",
        )
        return _corrected(time, arrived, joined["correction"].to_numpy())

    def _next(self, source: str, stretch: int, least: int) -> int:
        """Note the least lag of a source in a stretch, and return what its lines there are put right by."""
        lag = self._lags.get(source)
        if lag is None:
            while len(self._lags) >= _MOST_SOURCES:
                del self._lags[next(iter(self._lags))]
            self._lags[source] = _Lag(stretch, least)
            return 0
        if stretch <= lag.stretch:
            if least < lag.least:  # noqa: PLR1730 - one of very many calls, and the quicker form
                lag.least = least
            return lag.correction
        lag.correction = _agreed(lag)
        lag.stretch, lag.before, lag.least = stretch, lag.least, least
        return lag.correction

    def _settle_by_order(self, lines: pl.DataFrame, time: I64) -> I64:
        if lines["host"].n_unique() < 2:  # noqa: PLR2004 - two hosts to compare
            return time
        corrections = np.zeros(len(lines), np.int64)
        for tenant, of_tenant in lines.select("tenant", "host").with_row_index("row").group_by("tenant"):
            first, who = distinct(of_tenant["host"])
            hosts, rows = of_tenant["host"].gather(first).to_list(), of_tenant["row"].to_numpy()
            is_named = np.array([host != "" for host in hosts])
            ahead = clocks_ahead(np.where(is_named[who], who, NO_TIME), time[rows], len(hosts))
            corrections[rows] = self._corrections_of(str(tenant[0]), hosts, ahead)[who]
        return time + corrections if corrections.any() else time

    def _corrections_of(self, tenant: str, hosts: list[str], ahead: I64) -> I64:
        """What puts the lines of each host (k,) right; remembers what ``ahead`` (k,) says of those that are wrong."""
        corrections = np.zeros(len(hosts), np.int64)
        for i, host in enumerate(hosts):
            known = self._by_order.get((tenant, host), 0)
            if ahead[i] == UNKNOWN:
                corrections[i] = known
            elif ahead[i] or known:
                # Small differences are those of the measurement: times of a host are to stay in order.
                corrections[i] = known if ahead[i] and abs(ahead[i] + known) <= SECOND else -ahead[i]
                self._by_order[tenant, host] = int(corrections[i])
        return corrections


def described(host: str, service: str, seconds: float) -> str:
    """Return a sentence on one entry of ``HostClocks.off``."""
    return f"the clock of {clock_place(host, service)} is {abs(seconds):.0f} s {'ahead' if seconds > 0 else 'behind'}"


def clock_place(host: str, service: str) -> str:
    """Return whose clock it is, as people say it; "" stands for unknown, or for a whole host."""
    return f"{service} on {host}" if host and service else host or service


def clocks_ahead(who: I64, time: I64, hosts: int) -> I64:
    """How far each host's clock is ahead of the median (hosts,), in microseconds; UNKNOWN where too few lines tell.

    ``who`` (n,) is the number of the host that wrote each line, below 0 where it is unknown, ``time`` (n,) the line's
    time; lines stand in the order of arrival.  What is not more than 5 s, or than the time between lines, is 0.
    """
    ahead = np.full(hosts, UNKNOWN, np.int64)
    counts = np.bincount(who[who >= 0], minlength=hosts)
    reference = int(counts.argmax())
    onward, times = _usually_passed(who, time, reference, hosts)
    back, times_back = _usually_passed(who[::-1], -time[::-1], reference, hosts)
    is_known = np.minimum(times, times_back) >= _SWITCHES
    difference = (onward - back) // 2 // _ROUNDED * _ROUNDED
    is_wrong = np.abs(difference) > np.maximum(np.abs(onward + back), _SAME)
    ahead[is_known] = np.where(is_wrong, difference, 0)[is_known]
    ahead[reference] = 0
    known = np.sort(ahead[ahead != UNKNOWN])
    # Of two in the middle the one that blames the host that writes less.
    middle = min(known[(len(known) - 1) // 2 : len(known) // 2 + 1].tolist(), key=abs)
    return np.where(ahead == UNKNOWN, UNKNOWN, ahead - middle)


def _usually_passed(who: I64, time: I64, reference: int, hosts: int) -> tuple[I64, I64]:
    """Per host (hosts,) the median time from a line of the reference to the host's next one, and of how many."""
    place = np.maximum.accumulate(np.where(who == reference, np.arange(len(who)), -1))
    rows = np.flatnonzero((place >= 0) & (who >= 0) & (who != reference))
    _, first = np.unique(who[rows] * len(who) + place[rows], return_index=True)
    rows = rows[first]
    passed, host = time[rows] - time[place[rows]], who[rows]
    passed = passed[np.lexsort((passed, host))]
    counts = np.bincount(host, minlength=hosts)
    median = np.zeros(hosts, np.int64)
    is_there = counts > 0
    median[is_there] = passed[(np.cumsum(counts) - counts + counts // 2)[is_there]]
    return median, counts


def _agreed(lag: _Lag) -> int:
    """What puts a source right, after a stretch has ended: its lag, where it was the same in two stretches."""
    if lag.correction and abs(lag.least - lag.correction) <= _SAME:
        return lag.correction
    is_same = lag.before is not None and abs(lag.before - lag.least) <= _SAME
    is_wrong = lag.least < -_AHEAD or lag.least > _BEHIND
    return lag.least if is_same and is_wrong and abs(lag.least) < _LONGEST else 0


def _corrected(time: I64, arrived: I64, correction: I64) -> I64:
    """Times (n,) put right: not beyond their arrival, nor back to long before it, where the clock has been mended."""
    forward = np.minimum(time + correction, np.maximum(time, arrived))
    back = np.maximum(time + correction, np.minimum(time, arrived - _SAME))
    return np.where(correction > 0, forward, np.where(correction < 0, back, time))
