"""How long each source stays silent between its lines, from as little as a quarter of an hour.

The longest gaps of a source exceed the rest by an exponential time; how long that is on average is not known, so its
Gamma posterior is integrated out, which gives a Lomax tail: the fewer gaps were seen, the longer it is.  A source that
a clock makes write, such as a periodic task, has no long tail.  Where load makes it write, it rests when its users do.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from models.records import BOOL, F64, HOST_MARK

TOP: Final = 20
"""Longest gaps of a source that its tail is fitted to, a judgement: of an hour's lines as of a year's."""

LEAST: Final = 8
"""Gaps that a source must have shown, a judgement."""

SHORTEST_S: Final = 1.0
"""Gaps from this many seconds on count, a judgement: lines within a second are one sign of life."""

BLOCK_S: Final = 600.0
"""Seconds in which one silence of any source is expected where the surprise is 0: a block of calibration."""

DAY_S: Final = 86_400.0
"""Seconds after which training has seen users come and go."""

_PRIOR_S: Final = 3.0
PRIOR_SHARE: Final = 0.25
"""Excess that is taken for seen before any is, in seconds and as a share of the threshold: who writes by the clock may
still be a little late.  Judgements."""

_HOSTS: Final = 8
"""Hosts of a service whose gaps together tell how long one of them may be silent, a judgement: fewer hardly tell more
than each tells of itself."""

_UNLIKE: Final = 2.0
"""Hosts are alike whose longest gap is at most so many times the median of the service's: a judgement.  One that
stopped or rested in training says nothing of the others."""

_STOPPED: Final = 2
"""Sources that may have stopped together with one, but at most a third of all: a service writes up to three logs."""

_STEADY: Final = 0.5
"""Mean excess, as a share of that of random gaps, below which a clock makes a source write: a judgement."""


@dataclass(slots=True)
class GapTally:
    """What is kept of the gaps (seconds) of one source."""

    longest: list[float] = field(default_factory=list)
    """The TOP + 1 longest, as a heap."""
    count: int = 0
    squares: float = 0.0
    seconds: float = 0.0
    """Sum of all gaps: how long the source was watched."""

    def add(self, gaps: F64) -> None:
        """Count gaps (n,); those below ``SHORTEST_S`` only add to the time."""
        self.seconds += float(gaps.sum())
        for gap in gaps[gaps >= SHORTEST_S].tolist():
            self.count += 1
            self.squares += gap * gap
            if len(self.longest) <= TOP:
                heapq.heappush(self.longest, gap)
            else:
                heapq.heappushpop(self.longest, gap)

    @classmethod
    def pooled(cls, tallies: Sequence["GapTally"]) -> "GapTally":
        """What was seen of several sources, as if it were of one that was watched for all their time."""
        return cls(
            heapq.nlargest(TOP + 1, (gap for tally in tallies for gap in tally.longest))[::-1],
            sum(tally.count for tally in tallies),
            sum(tally.squares for tally in tallies),
            sum(tally.seconds for tally in tallies),
        )


@dataclass(frozen=True, slots=True)
class GapModel:
    """Sources (m,): ``exceeding`` gaps were longer than ``threshold``, by ``excess`` seconds in all, once in ``every``.

    ``every`` is in seconds, ``longest`` the longest gap; ``mean`` is the usual time since the last line at a random
    moment (seconds).  ``steady`` says whom a clock makes write; of the others silence is compared with how long others
    like them are silent just then, unless training ``saw_days``.
    """

    threshold: F64
    exceeding: F64
    excess: F64
    every: F64
    mean: F64
    longest: F64
    steady: BOOL
    saw_days: bool

    def __len__(self) -> int:
        return len(self.threshold)

    def take(self, chosen: BOOL) -> "GapModel":
        """The sources where a mask (m,) holds."""
        return _from_table(self.arrays()["gaps"][:, chosen], saw_days=self.saw_days)

    def or_of(self, other: "GapModel", chosen: BOOL) -> "GapModel":
        """The same sources, with what another model of them says of those ``chosen`` (m,)."""
        return _from_table(np.where(chosen, other.arrays()["gaps"], self.arrays()["gaps"]), saw_days=self.saw_days)

    def surprise(self, silent: F64) -> F64:
        """Return how seldom sources are silent for so long, in nats below once in ``BLOCK_S`` of any source.

        Args:
            silent: seconds since each source's last line (n, m).
        """
        beyond = np.maximum(silent * self._load(silent) - self.threshold, 0.0)
        scale = self.excess + PRIOR_SHARE * self.threshold + _PRIOR_S
        tail = (self.exceeding + 1.0) * np.log1p(beyond / scale)
        nats = tail - np.log(len(self) * self.exceeding * BLOCK_S / self.every)
        surprise: F64 = np.where(beyond > 0, np.maximum(nats, 0.0), 0.0)
        return surprise

    def arrays(self) -> dict[str, F64]:
        """Return all columns as one table (7, m), and whether training saw days."""
        columns = (self.threshold, self.exceeding, self.excess, self.every, self.mean, self.longest, self.steady)
        return {"gaps": np.stack(columns).astype(np.float64), "saw_days": np.array([float(self.saw_days)])}

    @staticmethod
    def from_arrays(gaps: F64, saw_days: F64) -> "GapModel":
        """Make a model of what ``arrays`` returned."""
        return _from_table(gaps, saw_days=bool(saw_days[0]))

    def _load(self, silent: F64) -> F64:
        """Return what share of the usual load there seems to be, by the silences of all other sources that follow it.

        For exponential gaps it is the number of sources by the sum of their silences, each in its own means.  The
        longest silent may have stopped together with it and do not count.  One that has no other may be at rest.
        """
        share = np.ones(silent.shape)
        follows = np.flatnonzero(~self.steady)
        if self.saw_days or not len(follows):
            return share
        relative = silent[:, follows] / self.mean[follows]
        dropped = min(_STOPPED, (len(follows) - 1) // 3)
        longest = -np.sort(-relative, axis=1)[:, : dropped + 1]
        # Of whom is among the longest silent, the next one is left out.
        among = relative >= longest[:, dropped : dropped + 1]
        without = np.where(
            among, longest.sum(axis=1, keepdims=True), relative + longest[:, :-1].sum(axis=1, keepdims=True)
        )
        others = np.maximum(relative.sum(axis=1, keepdims=True) - without, 0.0)
        # What is left of the silences of random writers when their longest are left out (Rényi 1953).
        harmonic = np.cumsum(1.0 / np.arange(1.0, len(follows)))
        left = len(follows) - sum(harmonic[-1] - (harmonic[j - 1] if j else 0.0) for j in range(dropped))
        share[:, follows] = np.minimum(left / (others + 1.0), 1.0) if len(follows) > 1 else 0.0
        return share


def fit_gaps(tallies: Sequence[GapTally]) -> GapModel:
    """Fit the gaps of sources (m,), ``LEAST`` or more of each."""
    columns = np.array([_fit(tally) for tally in tallies], np.float64).reshape(-1, 7)
    saw_days = max((tally.seconds for tally in tallies), default=0.0) >= DAY_S
    return _from_table(np.round(columns, 6).T, saw_days=saw_days)


def of_like_hosts(sources: Sequence[tuple[str, GapTally]]) -> list[GapTally]:
    """What was seen of each source (m,), given by its key, together with its service's on hosts that are like its own.

    The source alone where these are few.
    """
    by_service: dict[str, list[GapTally]] = {}
    for key, tally in sources:
        service, _, host = key.partition(HOST_MARK)
        if host:
            by_service.setdefault(service, []).append(tally)
    pools: dict[str, tuple[float, GapTally]] = {}
    for service, tallies in by_service.items():
        limit = _UNLIKE * float(np.median([max(tally.longest) for tally in tallies]))
        like = [tally for tally in tallies if max(tally.longest) <= limit]
        if len(like) >= _HOSTS:
            pools[service] = limit, GapTally.pooled(like)
    out = []
    for key, tally in sources:
        service, _, host = key.partition(HOST_MARK)
        limit, pool = pools.get(service, (0.0, tally))
        out.append(pool if host and max(tally.longest) <= limit else tally)
    return out


def _from_table(table: F64, *, saw_days: bool) -> GapModel:
    threshold, exceeding, excess, every, mean, longest, steady = table
    return GapModel(threshold, exceeding, excess, every, mean, longest, steady > 0, saw_days)


def _fit(tally: GapTally) -> tuple[float, ...]:
    longest = sorted(tally.longest, reverse=True)
    exceeding = min(TOP, tally.count // 2)
    threshold = longest[exceeding]
    excess = sum(longest[:exceeding]) - exceeding * threshold
    # Of random gaps the threshold is log(count / exceeding) means, and the mean excess is one.
    random = threshold / float(np.log(tally.count / exceeding))
    steady = excess / exceeding < _STEADY * random
    mean = max(tally.squares / 2.0 / tally.seconds, SHORTEST_S)
    return threshold, exceeding, excess, tally.seconds / exceeding, mean, longest[0], steady
