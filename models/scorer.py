"""Decides windows: raw scores of all detectors, one calibrated importance made of them, the lines that weigh most."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from models.arrays import ranges, splits
from models.bundle import Bundle
from models.calibration.service_state import ServiceState, errors_only, is_live, state_of
from models.detectors.ensemble import DetectorSet, Whereabouts
from models.detectors.lstm import LstmDetector
from models.detectors.sentences import sentence
from models.detectors.signs import Signs
from models.features.window_features import WindowFeatures
from models.findings import Finding
from models.records import BOOL, F32, F64, I64, NO_TIME, KeyKind, Pointer, Verdict, WindowBatch
from models.verdicts import window_id

LINES: Final = 10
"""Raw lines that a verdict points to; a judgement: what a reader looks at."""

REASONS: Final = 5
"""Findings of a verdict, a judgement."""

FIRES_AT: Final = 0.5
"""Importance at which the expected false alarms are exactly the budget."""

KIND_NAMES: Final = {KeyKind.SOURCE: "source", KeyKind.SESSION: "session"}
_DIGITS: Final = 6
"""Decimals of score and importance: so that the same window gives the same text on every machine."""

_LOG_WINDOWS: Final = 3.76
"""log10 of the windows a day of one key: one each 15 s."""

_REPORTED_FROM: Final = 1.0
"""Strength of a part from which its findings are reported: one window in ten is as unusual.  A judgement."""


@dataclass(frozen=True, slots=True)
class Decisions:
    """What was decided of a batch of windows, in columns of shape (windows,); ``surprise`` (rows,) in nats.

    ``score`` is -log10 of how many windows a day, at least so anomalous, a tenant shows in normal operation;
    ``importance`` (0 to 1) sets it against the budget of false alarms, and a window has ``fired`` where it is at least
    FIRES_AT.  ``parts`` maps each detector to its strengths: -log10 of the share of normal windows of the kind that are
    at least as strange.  ``facts`` are None where there is no window.
    """

    windows: WindowBatch
    score: F64
    importance: F64
    fired: BOOL
    parts: Mapping[str, F64]
    surprise: F32
    facts: WindowFeatures | None
    bundle: Bundle

    def verdicts(self, numbers: Iterable[int] | None = None) -> list[Verdict]:
        """Verdicts on the windows with these numbers, or on all: an object each, so best for the few that matter."""
        chosen = np.arange(len(self.windows)) if numbers is None else np.fromiter(numbers, np.int64)
        if not len(chosen):
            return []
        # Columns become Python's own numbers in one go: one by one they would take longer than the detectors.
        parts = [(name, part[chosen].tolist()) for name, part in self.parts.items()]
        heaviest = list(self._heaviest(chosen))
        reasons = self._reasons(chosen, heaviest)
        columns = (self.windows.start, self.windows.end, self.windows.events, self.score, self.importance)
        rows = zip(chosen.tolist(), heaviest, *(column[chosen].tolist() for column in columns), strict=True)
        return [
            self._verdict(reasons.get(n), {name: values[n] for name, values in parts if values[n]}, *row)
            for n, row in enumerate(rows)
        ]

    def _verdict(  # noqa: PLR0913 - a row of columns
        self,
        reasons: "_Reasons | None",
        parts: Mapping[str, float],
        i: int,
        heaviest: I64,
        start: int,
        end: int,
        events: int,
        score: float,
        importance: float,
    ) -> Verdict:
        windows = self.windows
        kind = KIND_NAMES[KeyKind(int(windows.kinds[i]))]
        tenant, key = windows.tenants[i], windows.keys[i]
        pointers = zip(windows.partition[heaviest].tolist(), windows.offset[heaviest].tolist(), strict=True)
        return Verdict(
            window_id=window_id(tenant, kind, key, start),
            tenant=tenant,
            kind=kind,
            key=key,
            start=start,
            end=end,
            events=events,
            score=score,
            importance=importance,
            fired=bool(self.fired[i]),
            parts=parts,
            lines=tuple(Pointer(*pointer) for pointer in pointers),
            services=reasons.where.services if reasons else (),
            reasons=tuple(reasons.findings) if reasons else (),
            findings=tuple(reasons.findings.values()) if reasons else (),
            state=self.state(i),
            templates=tuple(self._templates(heaviest)) if self.fired[i] else (),
            places=reasons.where.places if reasons else (),
        )

    @property
    def errors_only(self) -> BOOL:
        """Whether only the errors of each window (n,) count."""
        if self.facts is None:
            return np.zeros(len(self.windows), np.bool_)
        return ~is_live(self.facts.group, self.bundle.detectors.windows_seen)

    def state(self, i: int) -> ServiceState:
        """How far the service of window ``i`` is known."""
        return (
            state_of(int(self.facts.group[i]), self.bundle.detectors.windows_seen) if self.facts else ServiceState.LIVE
        )

    def _heaviest(self, chosen: I64) -> Iterator[I64]:
        """Rows of each window's LINES heaviest lines, heaviest first; ties in the order of rows.

        A line weighs its surprise; where no line of a window has one, what the other detectors make of it.
        """
        bounds = self.windows.splits
        surprise = self.surprise.astype(np.float64)
        scored_before = splits(~np.isnan(surprise))
        sort_key = -np.nan_to_num(surprise, copy=False, nan=0.0)
        unscored = chosen[scored_before[bounds[chosen + 1]] == scored_before[bounds[chosen]]]
        if self.facts is not None and len(unscored):
            weights = self.bundle.detectors.weights(self.facts.take(unscored))
            sort_key[ranges(bounds[unscored], bounds[unscored + 1])] = -np.nan_to_num(weights, nan=0.0)
        for low, high in zip(bounds[chosen].tolist(), bounds[chosen + 1].tolist(), strict=True):
            heaviest: I64 = np.argsort(sort_key[low:high], kind="stable")[:LINES] + low
            yield heaviest

    def _templates(self, rows: I64) -> Iterable[str]:
        """Template ids of rows, each once, in their order."""
        return dict.fromkeys(f"{template:016x}" for template in self.windows.template[rows].tolist())

    def _reasons(self, chosen: I64, heaviest: Sequence[I64]) -> "dict[int, _Reasons]":
        """Why those of the chosen windows (n,) fired that did, by their places among these; for all at once.

        ``heaviest`` are the rows of each that weigh most.
        """
        fired = np.flatnonzero(self.fired[chosen])
        if self.facts is None or not len(fired):
            return {}
        windows = chosen[fired]
        own = self.facts.take(windows)
        parts = {name: part[windows] for name, part in self.parts.items()}
        reported = {name: part >= _REPORTED_FROM for name, part in parts.items()}
        moved = own.windows.splits[:-1] - self.windows.splits[windows]
        rows = [heaviest[n] + by for n, by in zip(fired.tolist(), moved.tolist(), strict=True)]
        where = self.bundle.detectors.whereabouts(own, rows, reported)
        reasons = map(_Reasons, self._findings(own, parts, reported), where)
        return dict(zip(fired.tolist(), reasons, strict=True))

    def _findings(
        self, own: WindowFeatures, parts: Mapping[str, F64], reported: Mapping[str, BOOL]
    ) -> list[dict[str, Finding]]:
        """Findings by their sentences on each window of ``own`` (n,), the strongest first.

        They are of the detectors by whose ``parts`` (n,) the window is unusual, as ``reported`` (n,) says.
        """
        detectors = self.bundle.detectors
        views = detectors.views(own)
        ranked: list[list[tuple[float, int, Finding]]] = [[] for _ in own.group]
        for detector in detectors.detectors:
            windows = np.flatnonzero(reported.get(detector.name, ()))
            if not len(windows):
                continue
            # Bad news first: it is what people look for, however unusual all else is.
            is_news = detector.name == Signs.name
            weights = [np.inf] * len(windows) if is_news else parts[detector.name][windows].tolist()
            findings = detector.findings(views[detector.name], windows, self.bundle.template_of)
            for window, weight, of_window in zip(windows.tolist(), weights, findings, strict=True):
                ranked[window] += [(-weight, rank, finding) for rank, finding in enumerate(of_window)]
        return [_by_sentence(sorted(entries, key=lambda entry: entry[:2])) for entries in ranked]


@dataclass(frozen=True, slots=True)
class _Reasons:
    """Why a window fired: findings by their sentences, and where they are from."""

    findings: Mapping[str, Finding]
    where: Whereabouts


def _by_sentence(ranked: Iterable[tuple[float, int, Finding]]) -> dict[str, Finding]:
    """The first REASONS findings that say different things, by their sentences."""
    by_sentence: dict[str, Finding] = {}
    for _, _, finding in ranked:
        by_sentence.setdefault(sentence(finding), finding)
        if len(by_sentence) == REASONS:
            break
    return by_sentence


@dataclass(frozen=True, slots=True)
class WindowScores:
    """Raw scores of a batch of windows by every detector, before calibration.

    ``raws`` maps the name of a detector to its scores (windows,); ``surprise`` (rows,) is the LSTM's, in nats.
    """

    windows: WindowBatch
    facts: WindowFeatures
    raws: Mapping[str, F64]
    surprise: F32 | None


def raw_scores(windows: WindowBatch, lstm: LstmDetector, detectors: DetectorSet) -> WindowScores:
    """Score a batch of windows with every detector, as serving and calibration both do."""
    facts = WindowFeatures.of(windows, lstm.vocabulary, detectors.groups)
    scored = lstm.score(windows, detectors.passed_over(facts))
    return WindowScores(windows, facts, {lstm.name: scored.raw, **detectors.score(facts)}, scored.surprise)


class Scorer:
    """Decides windows with one bundle; what it says of a window depends on that window only."""

    def __init__(self, bundle: Bundle, false_alarms_per_day: float = 1.0) -> None:
        """Load the bundle's network; ``false_alarms_per_day`` is the budget per tenant."""
        self.bundle_id = bundle.id
        self.templates_version = bundle.templates_version
        self._bundle = bundle
        self._log_budget = float(np.log10(false_alarms_per_day))
        self._lstm = LstmDetector(bundle.network, bundle.vocabulary)

    def warm(self) -> None:
        """Make ready for the first window; raises as ``LstmDetector.warm`` does."""
        self._lstm.warm()

    @property
    def bundle(self) -> Bundle:
        """The bundle that it decides with."""
        return self._bundle

    def decide(self, windows: WindowBatch, foreign_until: int | I64 = NO_TIME) -> Decisions:
        """Score a batch of windows and decide which of them fire.

        Of windows that begin by ``foreign_until`` (microseconds; one time, or one for each window) only errors count:
        events up to then may have the template ids of another bundle, which this one does not know.
        """
        bundle = self._bundle
        if not len(windows):
            empty = np.zeros(0)
            return Decisions(windows, empty, empty, empty > 0, {}, np.zeros(0, np.float32), None, bundle)
        scored = raw_scores(windows, self._lstm, bundle.detectors)
        kinds = scored.facts.kinds
        parts = bundle.calibration.strengths(kinds, scored.raws)
        live = is_live(scored.facts.group, bundle.detectors.windows_seen) & (windows.start > foreign_until)
        log_rate = bundle.calibration.false_alarms(kinds, errors_only(parts, live))
        known = bundle.detectors.log_per_day(scored.facts, scored.raws)
        for name, per_day in known.items():
            # After little training calibration takes nothing for rare; some detectors know better by themselves.
            alone = np.where(live, per_day + np.log10(len(known)), np.nan)
            log_rate = np.fmin(log_rate, alone)
            strength = parts.get(name, np.zeros(len(live)))
            rare = np.round(_LOG_WINDOWS - alone, _DIGITS)
            parts[name] = np.where(alone <= self._log_budget, np.fmax(strength, rare), strength)
        score = np.round(-log_rate, _DIGITS) + 0.0
        importance = np.round(1.0 / (1.0 + 10.0 ** -np.clip(score + self._log_budget, -300, 300)), _DIGITS)
        surprise = scored.surprise if scored.surprise is not None else windows.surprise
        return Decisions(windows, score, importance, importance >= FIRES_AT, parts, surprise, scored.facts, bundle)
