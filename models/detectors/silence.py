"""Sources that have fallen silent: at the end of a window over everything, the time since each known source last wrote.

That is remembered for some minutes (``models.records.LastSeen``), so a source that writes once a minute can be missed
too.  How long a silence is strange is told by the gaps that training saw (``models.features.writing_gaps``); a source
that often rests for as long as is remembered is not expected.

What was trained without hosts, as from files, is expected of the service on any host.  A source of one host is expected
there as long as any source of its service that training saw is there; where all of them are on other hosts or on none,
the hosts are not those of the training, and the service is expected on any.  One host of a service that training saw
without hosts is missed where what is remembered tells how often its hosts write (``models.features.host_gaps``).

In a large cloud each host of a service is one of many: what all of them showed tells better how long one may be
silent than its own gaps of an hour do, so where a clock makes a service write, its hosts are judged by the gaps of all.

Where all sources of one host stop at once, and other hosts write, that is one finding, of the host: it is down, or what
ships its logs is.
"""

import dataclasses
import zlib
from dataclasses import dataclass, field
from typing import Final, Self

import numpy as np

from models.arrays import ranges, unique
from models.detectors.base import Arrays, TemplateText, significant
from models.features.host_gaps import HostSilence, host_silences
from models.features.sequences import SHARED
from models.features.window_features import WindowFeatures
from models.features.writing_gaps import BLOCK_S, DAY_S, LEAST, GapModel, GapTally, fit_gaps, of_like_hosts
from models.findings import Finding, FindingKind, to_millisecond
from models.records import BOOL, F64, HOST_BITS, HOST_MARK, I64, U32, KeyKind, source_id

_EXPECTED: Final = 3.0
"""Surprise in nats, at the longest silence that is remembered, from which a source is expected: a judgement."""

_LEAST_SPREAD_S: Final = 3.0
"""Least spread in seconds, a judgement."""

_LEAST_SPREAD: Final = 0.25
"""Least spread as a share of the longest silence: who writes by the clock may still be a little late.  A judgement."""

_STRANGE: Final = 1.0
"""Score above which a silence is told, in nats (of old bundles: in spreads): a judgement."""

_HOST: Final = (1 << HOST_BITS) - 1
"""Bits of an origin that tell the host."""

_LEAST_OF_HOST: Final = 2
"""Strange silences from which on a host as a whole may be quiet: one source may stop by itself.  A judgement."""

_WRITES: Final = 0.5
"""Share of a host's silence that another host's is at most if it did not stop as well: a judgement."""

_DIGITS: Final = 6
"""Decimals of a score: coarser than the rounding errors of different machines."""


@dataclass(frozen=True, slots=True)
class _Silent:
    """Who is silent at the end of a window: numbers of ``sources``, the most unusual first.

    ``quiet`` are the hosts of which nothing is written, by number, with the seconds; ``seconds`` (m,) those of each
    expected source; ``one_host`` are the sources of which only one host is silent.
    """

    sources: list[int]
    quiet: dict[int, float]
    seconds: F64
    one_host: dict[int, HostSilence]


class Silence:
    """``keys`` are those of the expected sources, ``gaps`` what training saw of their silences (m,).

    ``step`` is that of source windows in seconds; 0, as in older bundles, where single hosts are not judged.

    Bundles of older versions have ``usual`` and ``longest`` (m,) instead: silences in seconds, of which one window in
    twenty and one in two hundred is beyond.
    """

    name = "silence"

    def __init__(
        self, keys: tuple[str, ...], usual: F64, longest: F64, gaps: GapModel | None = None, step: float = 0.0
    ) -> None:
        self._keys = keys
        self._step = step
        self._origins = np.array([source_id(key) for key in keys], np.int64)
        # Frames of earlier versions number sources so.
        self._old_origins = np.array([zlib.crc32(key.encode()) for key in keys], np.int64)
        services, self._service = np.unique(self._origins >> HOST_BITS, return_inverse=True)
        self._services: I64 = services
        self._hosts: I64 = self._origins & _HOST
        self._anywhere = np.array([HOST_MARK not in key for key in keys], np.bool_)
        self._usual = usual
        self._longest = longest
        self._gaps = gaps

    @property
    def keys(self) -> tuple[str, ...]:
        """Return the keys of the expected sources."""
        return self._keys

    def score(self, features: WindowFeatures) -> F64:
        """Return how strange the strangest silence is, in nats (of old bundles: in spreads); NaN but for ``SHARED``."""
        scores = np.full(len(features.group), np.nan)
        windows = np.flatnonzero((features.group == SHARED) & features.complete)
        if len(windows):
            silent = self._silences(features, windows)
            scores[windows] = self._excess(features, windows, silent).max(axis=1, initial=0.0)
            for (window, _), one in self._single_hosts(features, windows).items():
                scores[window] = max(scores[window], one.surprise)
        return np.round(scores, _DIGITS)

    def log_per_day(self, score: F64) -> F64:
        """Return log10 of how many silences a day (n,) are at least as strange in normal operation, by the gaps alone.

        It holds from the first quarter of an hour on, without a calibration; NaN where ``score`` (n,) has no say, and
        for bundles of older versions.
        """
        known = 1.0 if self._gaps is not None else np.nan
        per_day: F64 = known * (np.log10(DAY_S / BLOCK_S) - score / np.log(10.0))
        return per_day

    def findings(self, features: WindowFeatures, windows: I64, text: TemplateText) -> list[list[Finding]]:
        """Return who is silent, for how long, the most unusual first; of a host that is quiet the host alone."""
        del text
        ends = features.windows.end[windows].tolist()
        return [self._findings(silent, end) for silent, end in zip(self._silent(features, windows), ends, strict=True)]

    def _findings(self, silent: _Silent, end: int) -> list[Finding]:
        """Return the findings on a window that ends at ``end``."""
        findings: dict[int, Finding] = {}
        for source in silent.sources:
            host = int(self._hosts[source])
            sources = np.flatnonzero(self._hosts == host) if host in silent.quiet else np.array([source])
            lasts = silent.quiet.get(host, float(silent.seconds[source]))
            of_one = silent.one_host.get(source)
            finding = self._finding_of_one(source, of_one, end) if of_one else self._finding(sources, lasts, end)
            findings.setdefault(int(sources[0]), finding)
        return list(findings.values())

    def _finding_of_one(self, source: int, one: HostSilence, end: int) -> Finding:
        """Return the finding on one host of a source that training saw without hosts; its name is not known."""
        return Finding(
            FindingKind.SILENT,
            value=significant(one.seconds),
            usual=significant(one.usual),
            unit="s",
            service=self._keys[source],
            count=one.hosts,
            moment=to_millisecond(end - round(one.seconds * 1e6)),
        )

    def _finding(self, sources: I64, seconds: float, end: int) -> Finding:
        """Return the finding on one source, or on all of a host, that has been silent at ``end`` for some seconds."""
        service, _, host = self._keys[sources[0]].partition(HOST_MARK)
        alone = len(sources) == 1
        return Finding(
            FindingKind.SILENT if alone else FindingKind.HOST_SILENT,
            value=significant(seconds),
            usual=significant(float(self._longest[sources].max())),
            unit="s",
            service=service if alone else "",
            host=host,
            count=0 if alone else len(sources),
            moment=to_millisecond(end - round(seconds * 1e6)),
        )

    def silent_sources(self, features: WindowFeatures, windows: I64) -> list[tuple[str, ...]]:
        """Return the keys of the sources that are silent at the end of each window (m,), the most unusual first."""
        return [tuple(self._keys[source] for source in who.sources) for who in self._silent(features, windows)]

    def _silent(self, features: WindowFeatures, windows: I64) -> list[_Silent]:
        """Return who is silent at the end of each window (m,), or whose host is."""
        out = [_Silent([], {}, np.zeros(0), {}) for _ in windows]
        judged = np.flatnonzero((features.group[windows] == SHARED) & features.complete[windows])
        chosen = windows[judged]
        silences = self._silences(features, chosen)
        strangeness = self._excess(features, chosen, silences)
        single: dict[int, dict[int, HostSilence]] = {}
        for (window, source), one in self._single_hosts(features, chosen).items():
            single.setdefault(window, {})[source] = one
        for place, window, seconds, excess in zip(judged.tolist(), chosen.tolist(), silences, strangeness, strict=True):
            quiet = self._quiet_hosts(features, window, seconds, excess > _STRANGE)
            one_host = {}
            for source, one in single.get(window, {}).items():
                if one.surprise > excess[source]:
                    one_host[source], excess[source] = one, one.surprise
            is_silent = (excess > _STRANGE) | np.isin(self._hosts, list(quiet))
            sources = np.flatnonzero(is_silent)
            sources = sources[np.argsort(-excess[sources], kind="stable")]
            out[place] = _Silent(sources.tolist(), quiet, seconds, one_host)
        return out

    def _single_hosts(self, features: WindowFeatures, windows: I64) -> dict[tuple[int, int], HostSilence]:
        """Return the strangest silence of one host, by window and number of the source that training saw without."""
        last_seen = features.windows.last_seen
        number = last_seen.origin.astype(np.int64)
        with_host = number & _HOST > 0
        if not (self._step and self._anywhere.any() and with_host.any()):
            return {}
        without_host = np.flatnonzero(self._anywhere)
        services = self._origins[without_host] >> HOST_BITS
        with_host &= np.isin(number >> HOST_BITS, services)
        source_of = dict(zip(services.tolist(), without_host.tolist(), strict=True))
        out = {}
        for window in windows.tolist():
            entries = np.arange(last_seen.splits[window], last_seen.splits[window + 1])
            entries = entries[with_host[entries]]
            end = int(features.windows.end[window])
            for one in host_silences(last_seen.origin[entries], last_seen.time[entries], end, self._step):
                out[window, source_of[one.service]] = one
        return out

    def _quiet_hosts(self, features: WindowFeatures, window: int, seconds: F64, strange: BOOL) -> dict[int, float]:
        """Return the numbers of hosts that are quiet as a whole, and for how many seconds.

        Nothing of them has been written for longer than is usual of each expected source there, expected or not, and
        another host has written lately.  ``seconds`` (m,) is how long each source is silent, ``strange`` (m,) whether
        that is strange.
        """
        last_seen, end = features.windows.last_seen, int(features.windows.end[window])
        entries = slice(int(last_seen.splits[window]), int(last_seen.splits[window + 1]))
        host = last_seen.origin[entries].astype(np.int64) & _HOST
        since = (end - last_seen.time[entries]) / 1e6
        quiet = {}
        for number in unique(self._hosts[strange & (self._hosts > 0)]).tolist():
            own = self._hosts == number
            lasts = float(min(seconds[own].min(), since[host == number].min(initial=np.inf)))
            others = since[(host != number) & (host > 0)].min(initial=np.inf)
            if strange[own].sum() >= _LEAST_OF_HOST and others <= _WRITES * lasts and lasts > self._longest[own].max():
                quiet[number] = lasts
        return quiet

    def _excess(self, features: WindowFeatures, windows: I64, silent: F64) -> F64:
        """Return how strange the silence of each source (n, m), in seconds, is."""
        if self._gaps is not None:
            known = (features.windows.end - features.windows.last_seen.floor)[windows, None] / 1e6
            # Where none of them has written, sources have other names here than in training.
            named = (silent < known).any(axis=1, keepdims=True)
            return np.where(named, self._gaps.surprise(silent), 0.0)
        spread = np.maximum(self._longest - self._usual, np.maximum(self._longest * _LEAST_SPREAD, _LEAST_SPREAD_S))
        excess: F64 = np.maximum(silent - self._longest, 0.0) / spread
        return excess

    def _silences(self, features: WindowFeatures, windows: I64) -> F64:
        """Return the seconds for which each expected source (n, m) has been silent, on the hosts where it counts."""
        if not self._keys:
            return np.zeros((len(windows), 0))
        known = features.windows.end[windows] - features.windows.last_seen.floor[windows]
        unseen = known[:, None] / 1e6
        alone = np.minimum(*(silences(features, windows, numbers) for numbers in (self._origins, self._old_origins)))
        seen = np.zeros((len(windows), len(self._services)), np.bool_)
        row, column = np.nonzero(alone < unseen)
        seen[row, self._service[column]] = True
        anywhere = silences(features, windows, self._services, HOST_BITS)[:, self._service]
        counts_anywhere = self._anywhere | ~seen[:, self._service]
        return np.where(counts_anywhere, np.minimum(alone, anywhere), alone)

    def arrays(self) -> Arrays:
        """Return names, silences and gaps."""
        learnt = {} if self._gaps is None else self._gaps.arrays()
        step = {"step": np.array([self._step])} if self._step else {}
        return {"keys": np.array(self._keys, np.str_), "usual": self._usual, "longest": self._longest, **learnt, **step}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Make a detector of what ``arrays`` returned."""
        usual, longest = (np.asarray(arrays[name], np.float64) for name in ("usual", "longest"))
        table = (np.asarray(arrays[name], np.float64) for name in ("gaps", "saw_days") if name in arrays)
        gaps = GapModel.from_arrays(*table) if "gaps" in arrays else None
        step = float(np.asarray(arrays["step"], np.float64)[0]) if "step" in arrays else 0.0
        return cls(tuple(map(str, arrays["keys"].tolist())), usual, longest, gaps, step)


def silences(features: WindowFeatures, windows: I64, origins: I64, bits: int = 0) -> F64:
    """Return the seconds from each origin's last line to the end of these windows (n, m), as far back as is known.

    The lowest ``bits`` of what a window knows are left out; ``origins`` lack them already.
    """
    last_seen = features.windows.last_seen
    if not len(origins):
        return np.zeros((len(windows), 0))
    low, high = last_seen.splits[windows], last_seen.splits[windows + 1]
    entries = ranges(low, high)
    row = np.repeat(np.arange(len(windows)), high - low)
    origin = last_seen.origin[entries].astype(np.int64) >> bits
    order = np.argsort(origins)
    column = np.minimum(np.searchsorted(origins[order], origin), len(origins) - 1)
    known = origins[order][column] == origin
    last = np.repeat(last_seen.floor[windows][:, None], len(origins), axis=1)
    np.maximum.at(last, (row[known], order[column[known]]), last_seen.time[entries[known]])
    silent: F64 = (features.windows.end[windows][:, None] - last) / 1e6
    return silent


@dataclass(slots=True)
class SilenceSamples:
    """Collects the gaps between the lines of each source in normal windows over everything, in the order of time."""

    step: float
    """Length of a step in seconds: each selected window adds its newest."""
    _keys: dict[int, str] = field(default_factory=dict)
    _tallies: dict[int, GapTally] = field(default_factory=dict)
    _until: dict[str, int] = field(default_factory=dict)
    """Moment up to which each tenant is watched without a break (microseconds)."""
    _last: dict[str, dict[int, int]] = field(default_factory=dict)
    """Newest line of each source of a tenant since the last break."""
    _known: int = 0
    """Most microseconds up to a window's end of which it is known who wrote."""

    def add(self, features: WindowFeatures, selected: I64) -> None:
        """Add the windows over everything among these, and the names of sources."""
        windows = features.windows
        for i in np.flatnonzero((windows.kinds == KeyKind.SOURCE) & (features.group != SHARED)).tolist():
            self._keys.setdefault(source_id(windows.keys[i]), windows.keys[i])
        step = round(self.step * 1e6)
        chosen = np.isin(np.arange(len(windows)), selected) & features.complete
        breaks = ~chosen & (windows.end % step == 0)
        for i in np.flatnonzero((features.group == SHARED) & (chosen | breaks)).tolist():
            tenant, end = windows.tenants[i], int(windows.end[i])
            floor = int(windows.last_seen.floor[i])
            if breaks[i] or self._until.get(tenant, floor) < floor:
                self._close(tenant)
            if chosen[i] and end > self._until.get(tenant, 0):
                self._known = max(self._known, end - floor)
                self._until[tenant] = end
                rows = np.arange(windows.splits[i], windows.splits[i + 1])
                rows = rows[windows.time[rows] >= end - step]
                self._watch(self._last.setdefault(tenant, {}), windows.origin[rows], windows.time[rows])

    def _watch(self, last: dict[int, int], origin: U32, time: I64) -> None:
        """Count the gaps before lines in order of time."""
        for source in unique(origin).tolist():
            of_source = time[origin == source]
            gaps = np.diff(of_source, prepend=last.get(source, int(of_source[0]))) / 1e6
            self._tallies.setdefault(source, GapTally()).add(gaps)
            last[source] = int(of_source[-1])

    def _close(self, tenant: str) -> None:
        """End a stretch: who has not written again was silent until there, or has stopped for good."""
        until = self._until.pop(tenant, 0)
        for source, moment in self._last.pop(tenant, {}).items():
            self._tallies[source].add(np.array([(until - moment) / 1e6]))

    def fit(self) -> Silence:
        """Make a detector that expects the sources whose silence is strange before it is forgotten when they wrote."""
        for tenant in list(self._until):
            self._close(tenant)
        enough = {self._keys[o]: t for o, t in self._tallies.items() if t.count >= LEAST and o in self._keys}
        keys = np.array(sorted(enough), np.str_)
        alone = fit_gaps([enough[key] for key in keys.tolist()])
        shared = fit_gaps(of_like_hosts([(key, enough[key]) for key in keys.tolist()]))
        by_alone, by_shared = (self._is_expected(gaps) for gaps in (alone, shared))
        # Only whom a clock makes write does so alike on every host, whatever load there is.
        by_shared &= shared.steady
        gaps = alone.or_of(shared, by_shared).take(by_alone | by_shared)
        return Silence(tuple(keys[by_alone | by_shared].tolist()), gaps.threshold, gaps.longest, gaps, self.step)

    def _is_expected(self, gaps: GapModel) -> BOOL:
        """Whether each source (m,) is missed before it is forgotten when it wrote."""
        # All silent alike: what load there is does not count.
        silent = np.full((1, len(gaps)), self._known / 1e6)
        expected: BOOL = dataclasses.replace(gaps, saw_days=True).surprise(silent)[0] >= _EXPECTED
        return expected
