"""Signs of failure: what is bad news in any cloud, unless this one showed the same in training.

A first error, a crash, errors of several services at once, a burst of errors or of refused requests, a process that
starts again and again: none of it needs a day of normal logs to be understood.  The detector says which signs a window
shows; how often each is a false alarm is known beforehand and gives way to what training saw
(``models.calibration.sign_rates``).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntFlag
from typing import Final, Self

import numpy as np

from models.detectors.base import Arrays, TemplateText, rows_of
from models.features.sequences import SHARED
from models.features.window_features import UNKNOWN, WindowFeatures, service_of
from models.findings import Finding, FindingKind, to_millisecond
from models.records import BOOL, F64, I64, U32, U64, Level, RowFlag, source_id

BURST: Final = 5
"""Lines of first errors in a window that are a burst, a judgement: one failed request writes three (the error, and the
answer in two logs)."""

SPREAD: Final = 3
"""Sources with first errors in one window over everything that are a sign of their own, a judgement."""

REFUSED: Final = 4
"""Answers of one new template with a client's fault in a window that are a burst, a judgement."""

STARTS: Final = 3
"""Times in a window that a process starts until it is said to start again and again, a judgement."""

_KNOWN_BURST: Final = 10
"""Errors, or client's faults of one template, in a window that are a burst where training saw some, …"""

_FACTOR: Final = 4
"""… and how many times the most that a window of training held they must be: judgements."""

_START_US: Final = 5_000_000
"""Microseconds, a judgement: workers of one start write their lines within so long."""

_SHOWN: Final = 3
"""Services that are named, those with most errors first: a judgement."""

_TROUBLE: Final = RowFlag.SERVER_FAULT | RowFlag.FAILURE | RowFlag.CRASH


class Sign(IntFlag):
    """What a window may show; the values are part of bundles, the more serious the higher."""

    ERROR = 1
    """An error, an answer 5xx or a known failure, of a template and a source of which training saw none."""
    REFUSALS = 2
    """Many answers 4xx of one template."""
    RESTARTS = 4
    """A process starts again and again."""
    BURST = 8
    """Many errors."""
    SPREAD = 16
    """First errors of several sources."""
    CRITICAL = 32
    """A line of level CRITICAL, or of a crash, of a template that training did not see as one."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What training knows of signs: in how many stretches of ten minutes each was new, and in how many seconds."""

    counts: Mapping[Sign, int]
    seconds: float


@dataclass(frozen=True, slots=True)
class Usual:
    """What training saw of bad news, all arrays ascending by id and (m,) of a length of their own.

    ``errors`` and ``criticals`` are ids of templates, ``noisy`` the origins that write an error a day or more,
    ``most_errors`` (groups,) the most errors of a window.  ``refused`` and ``started`` are ids of templates, with the
    most times that a window held them.  ``sources`` are the keys of all sources.
    """

    errors: U64
    criticals: U64
    noisy: U32
    most_errors: I64
    refused: U64
    most_refused: I64
    started: U64
    most_started: I64
    sources: tuple[str, ...]

    def limit(self, ids: U64, most: I64, templates: U64, new: int, known: int) -> I64:
        """From how many times on each of some templates (n,) is a burst."""
        if not len(ids):
            return np.full(len(templates), new, np.int64)
        at = np.minimum(np.searchsorted(ids, templates), len(ids) - 1)
        return np.where(ids[at] == templates, burst_limit(most[at], known), new)


def burst_limit(most: I64, least: int) -> I64:
    """From how many on something is a burst where windows of training held ``most`` (n,) at most."""
    return np.maximum(_FACTOR * most, least)


def refusal_limit(most: I64) -> I64:
    """From how many answers on a known template is a burst of refusals."""
    return burst_limit(most, _KNOWN_BURST)


def start_limit(most: I64) -> I64:
    """From how many starts on a known template starts again and again."""
    return burst_limit(most, STARTS)


def is_trouble(features: WindowFeatures) -> BOOL:
    """Whether each row (rows,) is an error: by its level or, unless it is of level DEBUG, by its text."""
    level, marks = features.windows.level, features.windows.marks
    trouble: BOOL = (level >= Level.ERROR) | ((marks & _TROUBLE > 0) & (level != Level.DEBUG))
    return trouble


def is_critical(features: WindowFeatures) -> BOOL:
    """Whether each row (rows,) is of level CRITICAL, or speaks of a crash."""
    level, marks = features.windows.level, features.windows.marks
    critical: BOOL = (level >= Level.CRITICAL) | ((marks & RowFlag.CRASH > 0) & (level != Level.DEBUG))
    return critical


@dataclass(frozen=True, slots=True)
class Times:
    """How often windows hold a template, (k,) each: ``rows`` is the first such row."""

    window: I64
    template: U64
    count: I64


def refusals(features: WindowFeatures) -> Times:
    """How many answers with a client's fault of each template windows hold."""
    marked = features.windows.marks & RowFlag.CLIENT_FAULT > 0
    rows = np.flatnonzero(marked & ~is_trouble(features))
    pairs = np.stack([features.window[rows].astype(np.uint64), features.windows.template[rows]], axis=1)
    unique, count = np.unique(pairs, axis=0, return_counts=True)
    return Times(unique[:, 0].astype(np.int64), unique[:, 1], count.astype(np.int64))


def starts(features: WindowFeatures) -> Times:
    """How many times, apart from each other, one source starts in a window, by the template that says so."""
    windows = features.windows
    rows = np.flatnonzero(windows.marks & RowFlag.START > 0)
    slot = windows.time[rows] // _START_US
    columns = (features.window[rows], windows.origin[rows], windows.template[rows], slot)
    moments = np.unique(np.stack([column.astype(np.uint64) for column in columns], axis=1), axis=0)
    unique, count = np.unique(moments[:, :3], axis=0, return_counts=True)
    return Times(unique[:, 0].astype(np.int64), unique[:, 2], count.astype(np.int64))


class Signs:
    """``usual`` is what training saw of bad news; ``evidence`` how often a sign would have been new there."""

    name = "signs"

    def __init__(self, usual: Usual, evidence: Evidence) -> None:
        self._usual = usual
        self.evidence = evidence
        self._names = {source_id(key): service_of(key) for key in usual.sources}

    def score(self, features: WindowFeatures) -> F64:
        """Return the sum of the signs (``Sign``) that each window shows; NaN for sessions."""
        n = len(features.windows)
        signs = np.zeros(n, np.int64)
        if features.windows.level.max(initial=0) >= Level.ERROR or features.windows.marks.any():
            fresh, critical = self._fresh(features), self._fresh_critical(features)
            first = np.bincount(features.window[fresh], minlength=n)
            signs |= np.where(first > 0, Sign.ERROR, 0)
            signs |= np.where((first >= BURST) | self._many(features), Sign.BURST, 0)
            signs |= np.where(_sources(features, fresh) >= SPREAD, Sign.SPREAD, 0)
            signs |= np.where(np.bincount(features.window[critical], minlength=n) > 0, Sign.CRITICAL, 0)
            for sign, times in ((Sign.REFUSALS, self._refusals(features)), (Sign.RESTARTS, self._starts(features))):
                signs[times.window] |= sign
        judged = (features.group == UNKNOWN) | (features.group >= SHARED)
        return np.where(judged, signs.astype(np.float64), np.nan)

    def telling(self, features: WindowFeatures, window: int) -> BOOL:
        """Return which rows of a window, in their order, its signs are read from."""
        rows = rows_of(features, window)
        of = (self._refusals(features), self._starts(features))
        templates = np.concatenate([times.template[times.window == window] for times in of])
        marks = features.windows.marks[rows] & (RowFlag.CLIENT_FAULT | RowFlag.START) > 0
        repeated = marks & np.isin(features.windows.template[rows], templates)
        telling: BOOL = self._fresh(features)[rows] | self._fresh_critical(features)[rows] | repeated
        return telling

    def findings(self, features: WindowFeatures, window: int, text: TemplateText) -> list[Finding]:
        """Return crashes, then first errors by source, bursts, refusals and restarts."""
        del text
        critical = self._by_service(features, window, self._fresh_critical(features), FindingKind.CRITICAL)
        fresh = self._by_service(features, window, self._fresh(features), FindingKind.FIRST_ERRORS)
        repeated = [
            Finding(
                kind,
                value=float(count),
                service=self._writer(features, window, template),
                seconds=self._length(features, window),
                trained_s=self.evidence.seconds,
            )
            for kind, times in (
                (FindingKind.REFUSALS, self._refusals(features)),
                (FindingKind.RESTARTS, self._starts(features)),
            )
            for template, count in zip(
                times.template[times.window == window].tolist(),
                times.count[times.window == window].tolist(),
                strict=True,
            )
        ]
        return [*critical, *fresh, *repeated]

    def _fresh(self, features: WindowFeatures) -> BOOL:
        """Whether each row (rows,) is a first error: of a template, and of a source, without one in training."""
        windows = features.windows
        known = np.isin(windows.template, self._usual.errors) | np.isin(windows.origin, self._usual.noisy)
        fresh: BOOL = is_trouble(features) & ~known
        return fresh

    def _fresh_critical(self, features: WindowFeatures) -> BOOL:
        fresh: BOOL = is_critical(features) & ~np.isin(features.windows.template, self._usual.criticals)
        return fresh

    def _many(self, features: WindowFeatures) -> BOOL:
        """Whether each window (n,) holds far more errors than any of training."""
        count = np.bincount(features.window[is_trouble(features)], minlength=len(features.windows))
        most = np.where(features.group >= 0, self._usual.most_errors[features.group], 0)
        many: BOOL = count >= burst_limit(most, _KNOWN_BURST)
        return many

    def _refusals(self, features: WindowFeatures) -> Times:
        times, usual = refusals(features), self._usual
        limit = usual.limit(usual.refused, usual.most_refused, times.template, REFUSED, _KNOWN_BURST)
        return _beyond(times, limit, features)

    def _starts(self, features: WindowFeatures) -> Times:
        times, usual = starts(features), self._usual
        limit = usual.limit(usual.started, usual.most_started, times.template, STARTS, STARTS)
        return _beyond(times, limit, features)

    def _by_service(self, features: WindowFeatures, window: int, chosen: BOOL, kind: FindingKind) -> list[Finding]:
        """A finding for each service that wrote chosen rows (rows,), those with most first."""
        windows, rows = features.windows, rows_of(features, window)
        own = np.flatnonzero(chosen[rows]) + rows.start
        by_service: dict[str, list[int]] = {}
        for row in own.tolist():
            by_service.setdefault(self._service(features, window, int(windows.origin[row])), []).append(row)
        ranked = sorted(by_service.items(), key=lambda item: -len(item[1]))
        return [
            Finding(
                kind,
                value=float(len(of)),
                service=service,
                moment=to_millisecond(int(windows.time[of].min())),
                trained_s=self.evidence.seconds,
            )
            for service, of in ranked[:_SHOWN]
        ]

    def _service(self, features: WindowFeatures, window: int, origin: int) -> str:
        """Service of an origin; "" where a window over everything holds one that training did not meet."""
        if features.group[window] != SHARED:
            return service_of(features.windows.keys[window])
        return self._names.get(origin, "")

    def _writer(self, features: WindowFeatures, window: int, template: int) -> str:
        """Service that wrote a template's first line in a window."""
        rows = rows_of(features, window)
        at = rows.start + int(np.argmax(features.windows.template[rows] == np.uint64(template)))
        return self._service(features, window, int(features.windows.origin[at]))

    def _length(self, features: WindowFeatures, window: int) -> float:
        return float(features.windows.end[window] - features.windows.start[window]) / 1e6

    def arrays(self) -> Arrays:
        """Return what training saw, and in how much time."""
        usual, evidence = self._usual, self.evidence
        return {
            "errors": usual.errors,
            "criticals": usual.criticals,
            "noisy": usual.noisy,
            "most_errors": usual.most_errors,
            "refused": usual.refused,
            "most_refused": usual.most_refused,
            "started": usual.started,
            "most_started": usual.most_started,
            "sources": np.array(usual.sources, np.str_),
            "counts": np.array([evidence.counts.get(sign, 0) for sign in Sign], np.int64),
            "seconds": np.array([evidence.seconds], np.float64),
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Make a detector of what ``arrays`` returned."""
        usual = Usual(
            errors=np.asarray(arrays["errors"], np.uint64),
            criticals=np.asarray(arrays["criticals"], np.uint64),
            noisy=np.asarray(arrays["noisy"], np.uint32),
            most_errors=np.asarray(arrays["most_errors"], np.int64),
            refused=np.asarray(arrays["refused"], np.uint64),
            most_refused=np.asarray(arrays["most_refused"], np.int64),
            started=np.asarray(arrays["started"], np.uint64),
            most_started=np.asarray(arrays["most_started"], np.int64),
            sources=tuple(map(str, arrays["sources"].tolist())),
        )
        counts = dict(zip(Sign, np.asarray(arrays["counts"], np.int64).tolist(), strict=True))
        return cls(usual, Evidence(counts, float(np.asarray(arrays["seconds"], np.float64)[0])))


def _sources(features: WindowFeatures, chosen: BOOL) -> I64:
    """How many sources wrote the chosen rows (rows,) of each window over everything (n,); 0 for others."""
    rows = np.flatnonzero(chosen & (features.group[features.window] == SHARED))
    pairs = np.unique(features.window[rows] << 32 | features.windows.origin[rows].astype(np.int64))
    count: I64 = np.bincount(pairs >> 32, minlength=len(features.windows))
    return count


def _beyond(times: Times, limit: I64, features: WindowFeatures) -> Times:
    """Those that reach their limit (k,), of services that training saw: of others nobody knows what is usual."""
    chosen = (times.count >= limit) & (features.group[times.window] != UNKNOWN)
    return Times(times.window[chosen], times.template[chosen], times.count[chosen])
