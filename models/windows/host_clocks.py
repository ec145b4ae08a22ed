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

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import polars as pl

from models.arrays import group_starts
from models.records import BOOL, I64, NO_TIME
from models.rfc3339 import SECOND

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

_SWITCHES: Final = 3
"""Changes from host to host and back that are needed for a comparison; a judgement."""

_MOST_SOURCES: Final = 65_536
"""Sources that are remembered; a judgement that bounds memory."""

_REMEMBERED: Final = 30
"""Stretches, ten minutes, after which a source that writes no more is left out of ``off``; a judgement."""

_WHO: Final = ("tenant", "service", "host")
"""Columns that name a source."""

Source = tuple[str, str, str]
"""Tenant, service and host."""


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

    _lags: dict[Source, _Lag] = field(default_factory=dict)
    _by_order: dict[tuple[str, str], int] = field(default_factory=dict)
    """Tenant and host → correction by the order of lines (microseconds)."""

    def settle(self, lines: pl.DataFrame, arrived: I64 | None = None) -> pl.DataFrame:
        """Put right the times of lines with LOG_SCHEMA; ``arrived`` (n,) is when the broker got each, if it is known."""
        if not len(lines):
            return lines
        time = lines["time"].to_numpy()
        if arrived is None or (arrived == NO_TIME).all():
            right = self._settle_by_order(lines, time)
        else:
            right = self._settle_by_arrival(lines, time, arrived)
        return lines if right is time else lines.with_columns(pl.Series("time", right, pl.Int64))

    def off(self) -> dict[tuple[str, str], float]:
        """Return by how many seconds wrong clocks are ahead, by host and service; "" as service: the whole host."""
        clocks = {(host, ""): -by / SECOND for (_, host), by in self._by_order.items() if by}
        newest = max((lag.stretch for lag in self._lags.values()), default=0)
        of_host: dict[str, dict[str, int]] = {}
        for (_, service, host), lag in self._lags.items():
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
            *_WHO,
            pl.Series("stretch", arrived // (STRETCH_S * SECOND)),
            pl.Series("lag", np.where(arrived == NO_TIME, _LONGEST, lag)),
        )
        least = stretches.group_by(*_WHO, "stretch", maintain_order=True).agg(pl.col("lag").min()).sort("stretch")
        corrections = [self._next(who, stretch, value) for *who, stretch, value in least.iter_rows()]
        if not any(corrections):
            return time
        joined = stretches.join(
            least.with_columns(pl.Series("correction", corrections, pl.Int64)),
            on=[*_WHO, "stretch"],
            maintain_order="left",
        )
        return _corrected(time, arrived, joined["correction"].to_numpy())

    def _next(self, who: list[str], stretch: int, least: int) -> int:
        """Note the least lag of a source in a stretch, and return what its lines there are put right by."""
        source = (who[0], who[1], who[2])
        lag = self._lags.get(source)
        if lag is None:
            while len(self._lags) >= _MOST_SOURCES:
                del self._lags[next(iter(self._lags))]
            self._lags[source] = _Lag(stretch, least)
            return 0
        if stretch <= lag.stretch:
            lag.least = min(lag.least, least)
            return lag.correction
        lag.correction = _agreed(lag)
        lag.stretch, lag.before, lag.least = stretch, lag.least, least
        return lag.correction

    def _settle_by_order(self, lines: pl.DataFrame, time: I64) -> I64:
        corrections = np.zeros(len(lines), np.int64)
        for tenant, host, is_of_host, correction in self._compared(lines, time):
            known = self._by_order.get((tenant, host), 0)
            if correction is not None and (abs(correction - known) > SECOND or not correction):
                known = self._by_order[tenant, host] = correction
            if known:
                corrections[is_of_host] = known
        return time + corrections if corrections.any() else time

    @staticmethod
    def _compared(lines: pl.DataFrame, time: I64) -> Iterator[tuple[str, str, BOOL, int | None]]:
        """Tenant, host, its lines (n,) and what puts them right; None where there is nothing to compare them with."""
        names = lines.select("tenant", "host").unique(maintain_order=True)
        if names["host"].n_unique() < 2:  # noqa: PLR2004 - two hosts to compare
            return
        tenants, hosts = lines["tenant"], lines["host"]
        for (tenant,), of_tenant in names.filter(pl.col("host") != "").group_by("tenant", maintain_order=True):
            chosen = np.flatnonzero((tenants == tenant).to_numpy())
            number = {host: i for i, host in enumerate(of_tenant["host"])}
            who = hosts.gather(chosen).replace_strict(number, default=NO_TIME, return_dtype=pl.Int64).to_numpy()
            ahead = clocks_ahead(who, time[chosen], len(number))
            for host, i in number.items():
                is_of_host = np.zeros(len(lines), np.bool_)
                is_of_host[chosen[who == i]] = True
                yield str(tenant), host, is_of_host, None if ahead[i] is None else -int(ahead[i] or 0)


def described(host: str, service: str, seconds: float) -> str:
    """Return a sentence on one entry of ``HostClocks.off``."""
    place = f"{service} on {host}" if host and service else host or service
    return f"the clock of {place} is {abs(seconds):.0f} s {'ahead' if seconds > 0 else 'behind'}"


def clocks_ahead(who: I64, time: I64, hosts: int) -> list[int | None]:
    """How far each host's clock is ahead of the median, in microseconds; None where too few lines tell.

    ``who`` (n,) is the number of the host that wrote each line, below 0 where it is unknown, ``time`` (n,) the line's
    time; lines stand in the order of arrival.  What is not more than 5 s, or than the time between lines, is 0.
    """
    counts = np.bincount(who[who >= 0], minlength=hosts)
    reference = int(counts.argmax())
    there, back = _passed(who, time, reference), _passed(who[::-1], -time[::-1], reference)
    ahead: list[int | None] = [None] * hosts
    ahead[reference] = 0
    for host in there.keys() & back.keys():
        if min(len(there[host]), len(back[host])) >= _SWITCHES:
            onward, return_ = float(np.median(there[host])), float(np.median(back[host]))
            difference, gap = (onward - return_) / 2, abs(onward + return_)
            ahead[host] = round(difference / SECOND, 1) * SECOND if abs(difference) > max(_SAME, gap) else 0
    known = sorted(value for value in ahead if value is not None)
    # Of two in the middle the one that blames the host that writes least.
    middle = min(known[(len(known) - 1) // 2 : len(known) // 2 + 1], key=abs)
    return [None if value is None else int(value - middle) for value in ahead]


def _passed(who: I64, time: I64, reference: int) -> dict[int, I64]:
    """Per host the times (k,) that passed from lines of the reference to the next line of the host."""
    place = np.maximum.accumulate(np.where(who == reference, np.arange(len(who)), -1))
    rows = np.flatnonzero((place >= 0) & (who >= 0) & (who != reference))
    _, first = np.unique(who[rows] * len(who) + place[rows], return_index=True)
    rows = rows[first]
    passed, host = time[rows] - time[place[rows]], who[rows]
    begins = group_starts(host)
    return dict(zip(host[begins].tolist(), np.split(passed, begins[1:]), strict=False))


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
