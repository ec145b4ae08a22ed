"""Sources that have fallen silent: at the end of a window over everything, the time since each known source last wrote.

That is remembered for some minutes (``models.records.Heard``), so one that writes once a minute can be missed too.  A
source is expected where training saw it write within that time in every window but a few; one that often rests says
nothing by resting.
"""

from dataclasses import dataclass, field
from typing import Final, Self

import numpy as np

from models.arrays import ranges
from models.detectors.base import Arrays, Reason
from models.features.sequences import SHARED
from models.features.window_features import WindowFeatures, service_of
from models.records import F64, I64, KeyKind, source_id

QUANTILE: Final = 0.995
"""Part of normal windows in which a source's silence is at most its ``longest``."""

OFTEN: Final = 0.95
"""Part in which it is at most ``usual``: from there to ``longest`` an exponential tail falls to a tenth."""

RESTS: Final = 0.75
"""A source that is silent for more than this part of what is remembered that often is not expected."""

FEW: Final = 100
"""Windows that must have been seen."""

_LEAST_SPREAD_S: Final = 3.0
_LEAST_SPREAD: Final = 0.25
"""Least spread as a part of the longest silence: who writes by the clock may still be a little late."""

_KEPT: Final = 4_000_000
_DIGITS: Final = 6


class Silence:
    """``keys`` are those of the expected sources, ``usual`` and ``longest`` (m,) their silences in seconds."""

    name = "silence"

    def __init__(self, keys: tuple[str, ...], usual: F64, longest: F64) -> None:
        self._keys = keys
        self._origins = np.array([source_id(key) for key in keys], np.int64)
        self._usual = usual
        self._longest = longest

    @property
    def sources(self) -> dict[int, str]:
        """Services of the expected sources by their origin."""
        return {origin: service_of(key) for origin, key in zip(self._origins.tolist(), self._keys, strict=True)}

    def score(self, facts: WindowFeatures) -> F64:
        """Largest silence beyond a source's longest, in its own spreads; NaN where not everything is looked at."""
        out = np.full(len(facts.group), np.nan)
        at = np.flatnonzero((facts.group == SHARED) & facts.complete)
        if len(at):
            out[at] = self._excess(facts, at).max(axis=1, initial=0.0)
        return np.round(out, _DIGITS)

    def reasons(self, facts: WindowFeatures, window: int) -> list[Reason]:
        """Who is silent, for how long."""
        seconds = silences(facts, np.array([window]), self._origins)[0]
        return [
            Reason(
                f"{_plain(self._keys[i])} has been silent for {seconds[i]:.0f} s, "
                f"usually {self._longest[i]:.0f} s at most"
            )
            for i in self._silent(facts, window)
        ]

    def services(self, facts: WindowFeatures, window: int) -> tuple[str, ...]:
        """Services of the sources that are silent, the most telling first."""
        return tuple(dict.fromkeys(service_of(self._keys[i]) for i in self._silent(facts, window)))

    def _silent(self, facts: WindowFeatures, window: int) -> list[int]:
        if facts.group[window] != SHARED or not facts.complete[window]:
            return []
        excess = self._excess(facts, np.array([window]))[0]
        return [i for i in np.argsort(-excess, kind="stable").tolist() if excess[i] > 1.0]

    def _excess(self, facts: WindowFeatures, at: I64) -> F64:
        """By how many spreads each source (n, m) is silent beyond its longest."""
        spread = np.maximum(self._longest - self._usual, np.maximum(self._longest * _LEAST_SPREAD, _LEAST_SPREAD_S))
        excess: F64 = np.maximum(silences(facts, at, self._origins) - self._longest, 0.0) / spread
        return excess

    def arrays(self) -> Arrays:
        """Names and silences."""
        return {"keys": np.array(self._keys, np.str_), "usual": self._usual, "longest": self._longest}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Read what ``arrays`` gave."""
        usual, longest = (np.asarray(arrays[name], np.float64) for name in ("usual", "longest"))
        return cls(tuple(map(str, arrays["keys"].tolist())), usual, longest)


def silences(facts: WindowFeatures, at: I64, origins: I64) -> F64:
    """Seconds from each origin's last line to the end of windows ``at`` (n, m), or as far back as is known."""
    heard = facts.windows.last_seen
    if not len(origins):
        return np.zeros((len(at), 0))
    low, high = heard.splits[at], heard.splits[at + 1]
    rows = ranges(low, high)
    owner = np.repeat(np.arange(len(at)), high - low)
    origin = heard.origin[rows].astype(np.int64)
    order = np.argsort(origins)
    place = np.minimum(np.searchsorted(origins[order], origin), len(origins) - 1)
    known = origins[order][place] == origin
    last = np.repeat(heard.floor[at][:, None], len(origins), axis=1)
    last[owner[known], order[place[known]]] = heard.time[rows[known]]
    silent: F64 = (facts.windows.end[at][:, None] - last) / 1e6
    return silent


def _plain(key: str) -> str:
    """A name as it stands in a sentence into which templates are put."""
    return key.replace("{", "{{").replace("}", "}}")


@dataclass(slots=True)
class SilenceSamples:
    """Collects silences of sources in normal windows; of very many windows only every second, fourth … is kept."""

    _keys: dict[int, str] = field(default_factory=dict)
    _silent: dict[int, list[F64]] = field(default_factory=dict)
    _windows: int = 0
    _seen: int = 0
    _stride: int = 1
    _known: int = 0
    """Microseconds up to a window's end of which it is known who wrote."""

    def add(self, facts: WindowFeatures, at: I64) -> None:
        """Add the windows over everything among these, and the names of sources."""
        windows = facts.windows
        for i in np.flatnonzero((windows.kinds == KeyKind.SOURCE) & (facts.group != SHARED)).tolist():
            self._keys.setdefault(source_id(windows.keys[i]), windows.keys[i])
        at = at[(facts.group[at] == SHARED) & facts.complete[at]]
        # Of a key's first minutes less is known than later: what reaches back as far as any counts.
        known = windows.end[at] - windows.last_seen.floor[at]
        if known.max(initial=0) > self._known:
            self._known = int(known.max())
            self._silent, self._windows = {}, 0
        at = at[known == self._known]
        number = self._seen + np.arange(len(at))
        self._seen += len(at)
        at = at[number % self._stride == 0]
        if not len(at):
            return
        heard = windows.last_seen
        origins = np.unique(heard.origin[ranges(heard.splits[at], heard.splits[at + 1])]).astype(np.int64)
        silent = silences(facts, at, origins)
        for column, origin in enumerate(origins.tolist()):
            mine = silent[:, column]
            self._silent.setdefault(origin, []).append(mine[mine < self._known / 1e6])
        self._windows += len(at)
        if self._windows * len(self._silent) > _KEPT:
            self._thin()

    def _thin(self) -> None:
        self._stride *= 2
        self._windows //= 2
        self._silent = {origin: [np.concatenate(parts)[::2]] for origin, parts in self._silent.items()}

    def fit(self) -> Silence:
        """The sources that are nearly always there."""
        found: list[tuple[str, float, float]] = []
        for origin, parts in self._silent.items():
            present = np.sort(np.concatenate(parts))
            at = int(QUANTILE * (self._windows - 1))
            if self._windows >= FEW and at < len(present) and origin in self._keys:
                found.append((self._keys[origin], float(present[int(OFTEN * (self._windows - 1))]), float(present[at])))
        expected = sorted(each for each in found if each[2] <= RESTS * self._known / 1e6)
        keys = tuple(key for key, _, _ in expected)
        usual, longest = (np.array([each[i] for each in expected], np.float64) for i in (1, 2))
        return Silence(keys, np.round(usual, 3), np.round(longest, 3))
