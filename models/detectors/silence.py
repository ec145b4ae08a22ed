"""Sources that have fallen silent: at the end of a window over everything, the time since each known source last wrote.

That is remembered for some minutes (``models.records.LastSeen``), so a source that writes once a minute can be missed
too.  A source is expected where training saw it write within that time in every window but a few; one that often rests
is not expected.
"""

from dataclasses import dataclass, field
from typing import Final, Self

import numpy as np

from models.arrays import ranges
from models.detectors.base import Arrays, TemplateText, significant
from models.features.sequences import SHARED
from models.features.window_features import WindowFeatures, service_of
from models.findings import Finding, FindingKind, to_millisecond
from models.records import F64, HOST_MARK, I64, KeyKind, source_id

QUANTILE: Final = 0.995
"""Share of normal windows in which a source's silence is at most its ``longest``: a judgement."""

OFTEN: Final = 0.95
"""Share in which it is at most ``usual``: from there to ``longest`` an exponential tail falls to a tenth."""

RESTS: Final = 0.75
"""A source whose ``longest`` is more than this share of the time that is remembered is not expected: a judgement."""

FEW: Final = 100
"""Windows that must have been seen, a judgement."""

_LEAST_SPREAD_S: Final = 3.0
"""Least spread in seconds, a judgement."""

_LEAST_SPREAD: Final = 0.25
"""Least spread as a share of the longest silence: who writes by the clock may still be a little late.  A judgement."""

_KEPT: Final = 4_000_000
"""Silences (windows times sources) that training keeps: 32 MB."""

_DIGITS: Final = 6
"""Decimals of a score: coarser than the rounding errors of different machines."""


class Silence:
    """``keys`` are those of the expected sources, ``usual`` and ``longest`` (m,) their silences in seconds."""

    name = "silence"

    def __init__(self, keys: tuple[str, ...], usual: F64, longest: F64) -> None:
        self._keys = keys
        self._origins = np.array([source_id(key) for key in keys], np.int64)
        self._usual = usual
        self._longest = longest

    @property
    def keys(self) -> tuple[str, ...]:
        """Return the keys of the expected sources."""
        return self._keys

    @property
    def sources(self) -> dict[int, str]:
        """Services of the expected sources by their origin."""
        return {origin: service_of(key) for origin, key in zip(self._origins.tolist(), self._keys, strict=True)}

    def score(self, features: WindowFeatures) -> F64:
        """Return the largest silence beyond a source's longest, in its own spreads; NaN but for all-sources windows."""
        scores = np.full(len(features.group), np.nan)
        windows = np.flatnonzero((features.group == SHARED) & features.complete)
        if len(windows):
            scores[windows] = self._excess(features, windows).max(axis=1, initial=0.0)
        return np.round(scores, _DIGITS)

    def findings(self, features: WindowFeatures, window: int, text: TemplateText) -> list[Finding]:
        """Return who is silent, for how long; the most unusual first."""
        del text
        seconds = silences(features, np.array([window]), self._origins)[0]
        end = int(features.windows.end[window])
        findings = []
        for source in self._silent(features, window):
            service, _, host = self._keys[source].partition(HOST_MARK)
            findings.append(
                Finding(
                    FindingKind.SILENT,
                    value=significant(float(seconds[source])),
                    usual=significant(float(self._longest[source])),
                    unit="s",
                    service=service,
                    host=host,
                    moment=to_millisecond(end - round(float(seconds[source]) * 1e6)),
                )
            )
        return findings

    def services(self, features: WindowFeatures, window: int) -> tuple[str, ...]:
        """Return the services of the sources that are silent, the most unusual first."""
        return tuple(dict.fromkeys(service_of(self._keys[source]) for source in self._silent(features, window)))

    def silent_sources(self, features: WindowFeatures, window: int) -> tuple[str, ...]:
        """Return the keys of the sources that are silent, the most unusual first."""
        return tuple(self._keys[source] for source in self._silent(features, window))

    def _silent(self, features: WindowFeatures, window: int) -> list[int]:
        """Return the numbers of the sources that are silent for more than a spread beyond their longest."""
        if features.group[window] != SHARED or not features.complete[window]:
            return []
        excess = self._excess(features, np.array([window]))[0]
        return [source for source in np.argsort(-excess, kind="stable").tolist() if excess[source] > 1.0]

    def _excess(self, features: WindowFeatures, windows: I64) -> F64:
        """Return by how many spreads each source (n, m) is silent beyond its longest."""
        spread = np.maximum(self._longest - self._usual, np.maximum(self._longest * _LEAST_SPREAD, _LEAST_SPREAD_S))
        excess: F64 = np.maximum(silences(features, windows, self._origins) - self._longest, 0.0) / spread
        return excess

    def arrays(self) -> Arrays:
        """Return names and silences."""
        return {"keys": np.array(self._keys, np.str_), "usual": self._usual, "longest": self._longest}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Make a detector of what ``arrays`` returned."""
        usual, longest = (np.asarray(arrays[name], np.float64) for name in ("usual", "longest"))
        return cls(tuple(map(str, arrays["keys"].tolist())), usual, longest)


def silences(features: WindowFeatures, windows: I64, origins: I64) -> F64:
    """Return the seconds from each origin's last line to the end of these windows (n, m), as far back as is known."""
    last_seen = features.windows.last_seen
    if not len(origins):
        return np.zeros((len(windows), 0))
    low, high = last_seen.splits[windows], last_seen.splits[windows + 1]
    entries = ranges(low, high)
    row = np.repeat(np.arange(len(windows)), high - low)
    origin = last_seen.origin[entries].astype(np.int64)
    order = np.argsort(origins)
    column = np.minimum(np.searchsorted(origins[order], origin), len(origins) - 1)
    known = origins[order][column] == origin
    last = np.repeat(last_seen.floor[windows][:, None], len(origins), axis=1)
    last[row[known], order[column[known]]] = last_seen.time[entries[known]]
    silent: F64 = (features.windows.end[windows][:, None] - last) / 1e6
    return silent


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

    def add(self, features: WindowFeatures, selected: I64) -> None:
        """Add the windows over everything among these, and the names of sources."""
        windows = features.windows
        for i in np.flatnonzero((windows.kinds == KeyKind.SOURCE) & (features.group != SHARED)).tolist():
            self._keys.setdefault(source_id(windows.keys[i]), windows.keys[i])
        chosen = selected[(features.group[selected] == SHARED) & features.complete[selected]]
        # Of a key's first minutes less is known than later: what reaches back as far as any counts.
        known = windows.end[chosen] - windows.last_seen.floor[chosen]
        if known.max(initial=0) > self._known:
            self._known = int(known.max())
            self._silent, self._windows = {}, 0
        chosen = chosen[known == self._known]
        number = self._seen + np.arange(len(chosen))
        self._seen += len(chosen)
        chosen = chosen[number % self._stride == 0]
        if not len(chosen):
            return
        last_seen = windows.last_seen
        entries = ranges(last_seen.splits[chosen], last_seen.splits[chosen + 1])
        origins = np.unique(last_seen.origin[entries]).astype(np.int64)
        silent = silences(features, chosen, origins)
        for column, origin in enumerate(origins.tolist()):
            seconds = silent[:, column]
            self._silent.setdefault(origin, []).append(seconds[seconds < self._known / 1e6])
        self._windows += len(chosen)
        if self._windows * len(self._silent) > _KEPT:
            self._thin()

    def _thin(self) -> None:
        self._stride *= 2
        self._windows //= 2
        self._silent = {origin: [np.concatenate(parts)[::2]] for origin, parts in self._silent.items()}

    def fit(self) -> Silence:
        """Make a detector that expects the sources which are nearly always there."""
        regular: list[tuple[str, float, float]] = []
        index, usual_index = int(QUANTILE * (self._windows - 1)), int(OFTEN * (self._windows - 1))
        for origin, parts in self._silent.items():
            silent = np.sort(np.concatenate(parts))
            if self._windows >= FEW and index < len(silent) and origin in self._keys:
                regular.append((self._keys[origin], float(silent[usual_index]), float(silent[index])))
        expected = sorted(source for source in regular if source[2] <= RESTS * self._known / 1e6)
        keys = tuple(key for key, _, _ in expected)
        usual, longest = (np.array([source[i] for source in expected], np.float64) for i in (1, 2))
        return Silence(keys, np.round(usual, 3), np.round(longest, 3))
