"""Signs of failure: what is bad news in any cloud, unless this one showed the same in training.

A first error, a crash, errors of several services at once, a burst of errors or of refused requests, a process that
starts again and again: none of it needs a day of normal logs to be understood.  The detector says which signs a window
shows; how often each is a false alarm is known beforehand and gives way to what training saw
(``models.calibration.sign_rates``).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import IntFlag
from typing import Final, Self

import numpy as np

from models.arrays import among, unique
from models.detectors.base import Arrays, TemplateText, by_window, rows_of
from models.features.sequences import SHARED
from models.features.window_features import UNKNOWN, WindowFeatures, service_of
from models.findings import Finding, FindingKind, to_millisecond
from models.records import ALL_SOURCES, BOOL, F64, I64, U8, U32, U64, Level, RowFlag, source_id

BURST: Final = 5
"""Lines of first errors in a window that are a burst, a judgement: one failed request writes three (the error, and the
answer in two logs)."""

SPREAD: Final = 3
"""Sources with first errors in one window over everything that are a sign of their own, a judgement."""

REFUSED: Final = 4
"""Answers of one new template with a client's fault in a window that are a burst, a judgement: a user tries once or
twice again.  Of a recorded cloud's normal traffic, and of two days of others', no window holds so many."""

STARTS: Final = 3
"""Times in a window that a process starts until it is said to start again and again, a judgement."""

KNOWN_BURST: Final = 10
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
class SignEvidence:
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
        place = np.minimum(np.searchsorted(ids, templates), len(ids) - 1)
        return np.where(ids[place] == templates, burst_limit(most[place], known), new)


def burst_limit(most: I64, least: int) -> I64:
    """From how many on something is a burst where windows of training held ``most`` (n,) at most."""
    return np.maximum(_FACTOR * most, least)


@dataclass(frozen=True, slots=True)
class SignLines:
    """What signs are read from: columns of the rows (rows,) of windows, and the ``group`` of each window (n,)."""

    window: I64
    time: I64
    template: U64
    origin: U32
    level: U8
    marks: U8
    lines: I64
    """How many lines each row stands for."""
    group: I64

    def __len__(self) -> int:
        """Number of windows."""
        return len(self.group)

    @classmethod
    def of(cls, features: WindowFeatures) -> Self:
        """Those of all windows."""
        windows = features.windows
        columns = (windows.time, windows.template, windows.origin, windows.level, windows.marks, windows.count)
        return cls(features.window, *columns, features.group)

    def count(self, chosen: BOOL) -> I64:
        """How many lines of chosen rows (rows,) each window (n,) holds."""
        count = np.zeros(len(self), np.int64)
        np.add.at(count, self.window[chosen], self.lines[chosen])
        return count

    @property
    def trouble(self) -> BOOL:
        """Whether each row (rows,) is an error: by its level or, unless it is of level DEBUG, by its text."""
        by_text = (self.marks & _TROUBLE > 0) & (self.level != Level.DEBUG)
        trouble: BOOL = (self.level >= Level.ERROR) | by_text
        return trouble

    @property
    def critical(self) -> BOOL:
        """Whether each row (rows,) is of level CRITICAL, or speaks of a crash."""
        by_text = (self.marks & RowFlag.CRASH > 0) & (self.level != Level.DEBUG)
        critical: BOOL = (self.level >= Level.CRITICAL) | by_text
        return critical

    @property
    def refusals(self) -> "Times":
        """How many answers with a client's fault of each template windows hold."""
        rows = np.flatnonzero((self.marks & RowFlag.CLIENT_FAULT > 0) & ~self.trouble)
        pairs = np.stack([self.window[rows].astype(np.uint64), self.template[rows]], axis=1)
        unique, pair = np.unique(pairs, axis=0, return_inverse=True)
        count = np.zeros(len(unique), np.int64)
        np.add.at(count, pair.ravel(), self.lines[rows])
        return Times(unique[:, 0].astype(np.int64), unique[:, 1], count)

    @property
    def starts(self) -> "Times":
        """How many times, apart from each other, one source starts in a window, by the template that says so."""
        rows = np.flatnonzero(self.marks & RowFlag.START > 0)
        columns = (self.window[rows], self.template[rows], self.origin[rows], self.time[rows] // _START_US)
        moments = np.unique(np.stack([column.astype(np.uint64) for column in columns], axis=1), axis=0)
        unique, count = np.unique(moments[:, :3], axis=0, return_counts=True)
        return Times(unique[:, 0].astype(np.int64), unique[:, 1], count.astype(np.int64))


@dataclass(frozen=True, slots=True)
class Times:
    """How often windows hold a template, (k,) each."""

    window: I64
    template: U64
    count: I64

    def __iter__(self) -> Iterator[tuple[int, int, int]]:
        """Window, template and count of each entry."""
        return zip(self.window.tolist(), self.template.tolist(), self.count.tolist(), strict=True)


class Signs:
    """``usual`` is what training saw of bad news; ``evidence`` how often a sign would have been new there."""

    name = "signs"

    def __init__(self, usual: Usual, evidence: SignEvidence) -> None:
        self._usual = usual
        self.evidence = evidence
        self._names = {source_id(key): service_of(key) for key in usual.sources}

    @property
    def sources(self) -> tuple[str, ...]:
        """Return the keys of all sources that training saw."""
        return self._usual.sources

    def elsewhere(self) -> "Signs":
        """Return the detector for another cloud: which templates are harmless holds there, sources and rates do not."""
        return Signs(replace(self._usual, noisy=np.empty(0, np.uint32)), SignEvidence({}, 0.0))

    def score(self, features: WindowFeatures) -> F64:
        """Return the sum of the signs (``Sign``) that each window shows; NaN for sessions."""
        lines = SignLines.of(features)
        signs = np.zeros(len(lines), np.int64)
        if lines.level.max(initial=0) >= Level.ERROR or lines.marks.any():
            fresh = self._fresh(lines)
            first = lines.count(fresh)
            signs |= np.where(first > 0, Sign.ERROR, 0)
            signs |= np.where((first >= BURST) | self._many(lines), Sign.BURST, 0)
            signs |= np.where(_sources(lines, fresh) >= SPREAD, Sign.SPREAD, 0)
            signs |= np.where(lines.count(self._fresh_critical(lines)) > 0, Sign.CRITICAL, 0)
            signs[self._refusals(lines).window] |= Sign.REFUSALS
            signs[self._starts(lines).window] |= Sign.RESTARTS
        judged = (lines.group == UNKNOWN) | (lines.group >= SHARED)
        return np.where(judged, signs.astype(np.float64), np.nan)

    def telling(self, features: WindowFeatures) -> BOOL:
        """Return which rows (rows,) the signs of their windows are read from."""
        lines = SignLines.of(features)
        telling: BOOL = self._fresh(lines) | self._fresh_critical(lines)
        repeated = (self._refusals(lines), self._starts(lines))
        pairs = {(window, template) for times in repeated for window, template, _ in times}
        if pairs:
            rows = np.flatnonzero(lines.marks & (RowFlag.CLIENT_FAULT | RowFlag.START) > 0)
            of_rows = zip(lines.window[rows].tolist(), lines.template[rows].tolist(), strict=True)
            telling[rows] |= np.fromiter((pair in pairs for pair in of_rows), np.bool_, len(rows))
        return telling

    def findings(self, features: WindowFeatures, windows: I64, text: TemplateText) -> list[list[Finding]]:
        """Return crashes, then first errors by source, refusals and restarts."""
        del text
        lines, bounds = SignLines.of(features), features.windows.splits
        critical, errors = (
            by_window(np.flatnonzero(fresh), bounds, windows)
            for fresh in (self._fresh_critical(lines), self._fresh(lines))
        )
        repeated: dict[int, list[tuple[FindingKind, int, int]]] = {}
        for kind, times in (
            (FindingKind.REFUSALS, self._refusals(lines)),
            (FindingKind.RESTARTS, self._starts(lines)),
        ):
            for window, template, count in times:
                repeated.setdefault(window, []).append((kind, template, count))
        out = []
        for window, of_crashes, of_errors in zip(windows.tolist(), critical, errors, strict=True):
            key, own = features.windows.keys[window], rows_of(features, window)
            seconds = float(features.windows.end[window] - features.windows.start[window]) / 1e6
            out.append(
                [
                    *self._by_service(lines, key, of_crashes, FindingKind.CRITICAL),
                    *self._by_service(lines, key, of_errors, FindingKind.FIRST_ERRORS),
                    *(
                        Finding(kind, value=float(n), service=self._writer(lines, own, key, template), seconds=seconds)
                        for kind, template, n in repeated.get(window, ())
                    ),
                ]
            )
        return out

    def _fresh(self, lines: SignLines) -> BOOL:
        """Whether each row (rows,) is a first error: of a template, and of a source, without one in training."""
        known = among(lines.template, self._usual.errors) | among(lines.origin, self._usual.noisy)
        fresh: BOOL = lines.trouble & ~known
        return fresh

    def _fresh_critical(self, lines: SignLines) -> BOOL:
        fresh: BOOL = lines.critical & ~among(lines.template, self._usual.criticals)
        return fresh

    def _many(self, lines: SignLines) -> BOOL:
        """Whether each window (n,) holds far more errors than any of training."""
        most = np.where(lines.group >= 0, self._usual.most_errors[lines.group], 0)
        many: BOOL = lines.count(lines.trouble) >= burst_limit(most, KNOWN_BURST)
        return many

    def _refusals(self, lines: SignLines) -> Times:
        times, usual = lines.refusals, self._usual
        limit = usual.limit(usual.refused, usual.most_refused, times.template, REFUSED, KNOWN_BURST)
        return _beyond(times, limit, lines)

    def _starts(self, lines: SignLines) -> Times:
        times, usual = lines.starts, self._usual
        limit = usual.limit(usual.started, usual.most_started, times.template, STARTS, STARTS)
        return _beyond(times, limit, lines)

    def _by_service(self, lines: SignLines, key: str, chosen: I64, kind: FindingKind) -> list[Finding]:
        """A finding for each service that wrote chosen rows (n,) of the window ``key``, those with most first."""
        by_service: dict[str, list[int]] = {}
        for row, origin in zip(chosen.tolist(), lines.origin[chosen].tolist(), strict=True):
            by_service.setdefault(self._service(key, origin), []).append(row)
        ranked = sorted(by_service.items(), key=lambda item: -int(lines.lines[item[1]].sum()))
        return [
            Finding(
                kind,
                value=float(lines.lines[rows].sum()),
                service=service,
                moment=to_millisecond(int(lines.time[rows].min())),
                trained_s=self.evidence.seconds,
            )
            for service, rows in ranked[:_SHOWN]
        ]

    def _service(self, key: str, origin: int) -> str:
        """Service of an origin; "" where a window over everything holds one that training did not meet."""
        return self._names.get(origin, "") if key == ALL_SOURCES else service_of(key)

    def _writer(self, lines: SignLines, rows: slice, key: str, template: int) -> str:
        """Service that wrote a template's first line in the window ``key``, which has these rows."""
        first = int(np.argmax(lines.template[rows] == np.uint64(template)))
        return self._service(key, int(lines.origin[rows][first]))

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
        return cls(usual, SignEvidence(counts, float(np.asarray(arrays["seconds"], np.float64)[0])))


def _sources(lines: SignLines, chosen: BOOL) -> I64:
    """How many sources wrote the chosen rows (rows,) of each window over everything (n,); 0 for others."""
    rows = np.flatnonzero(chosen & (lines.group[lines.window] == SHARED))
    pairs = unique(lines.window[rows] << 32 | lines.origin[rows].astype(np.int64))
    count: I64 = np.bincount(pairs >> 32, minlength=len(lines))
    return count


def _beyond(times: Times, limit: I64, lines: SignLines) -> Times:
    """Those that reach their limit (k,), of services that training saw: of others nobody knows what is usual."""
    chosen = (times.count >= limit) & (lines.group[times.window] != UNKNOWN)
    return Times(times.window[chosen], times.template[chosen], times.count[chosen])
