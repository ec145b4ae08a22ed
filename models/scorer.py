"""Decides windows: raw scores of all detectors, one calibrated importance made of them, the lines that weigh most."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Final

import numpy as np

from models.bundle import Bundle
from models.calibration.service_state import ServiceState, errors_only, is_live, state_of
from models.detectors.ensemble import DetectorSet
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
        chosen = list(range(len(self.windows)) if numbers is None else numbers)
        if not chosen:
            return []
        # Columns become Python's own numbers in one go: one by one they would take longer than the detectors.
        parts = [(name, part[chosen].tolist()) for name, part in self.parts.items()]
        columns = (self.windows.start, self.windows.end, self.windows.events, self.score, self.importance)
        rows = zip(chosen, self._heaviest(chosen), *(column[chosen].tolist() for column in columns), strict=True)
        return [
            self._verdict({name: values[n] for name, values in parts if values[n]}, *row) for n, row in enumerate(rows)
        ]

    def _verdict(  # noqa: PLR0913 - a row of columns
        self,
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
        tenant, key, fired = windows.tenants[i], windows.keys[i], bool(self.fired[i])
        # What a window is about is read from it alone: in a storm most of a batch fires.
        own = self.facts.only(i) if fired and self.facts else None
        reported = [name for name, part in parts.items() if part >= _REPORTED_FROM] if own else []
        findings = self._findings(i, own, reported) if own else {}
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
            fired=fired,
            parts=parts,
            lines=tuple(Pointer(*pointer) for pointer in pointers),
            services=self.bundle.detectors.services(own, 0, heaviest - int(windows.splits[i])) if own else (),
            reasons=tuple(findings),
            findings=tuple(findings.values()),
            state=self.state(i),
            templates=tuple(self._templates(heaviest)) if fired else (),
            places=self.bundle.detectors.places(own, 0, reported) if own else (),
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

    def _heaviest(self, chosen: Iterable[int]) -> Iterator[I64]:
        """Rows of each window's LINES heaviest lines, heaviest first; ties in the order of rows.

        A line weighs its surprise; where no line of a window has one, what the other detectors make of it.
        """
        surprise = self.surprise.astype(np.float64)
        scored_before = np.concatenate(([0], np.cumsum(~np.isnan(surprise))))
        negated = -np.nan_to_num(surprise, copy=False, nan=0.0)
        for i in chosen:
            low, high = int(self.windows.splits[i]), int(self.windows.splits[i + 1])
            sort_key = negated[low:high]
            if self.facts is not None and scored_before[high] == scored_before[low]:
                sort_key = -np.nan_to_num(self.bundle.detectors.weights(self.facts, i), nan=0.0)
            heaviest: I64 = np.argsort(sort_key, kind="stable")[:LINES] + low
            yield heaviest

    def _templates(self, rows: I64) -> Iterable[str]:
        """Template ids of rows, each once, in their order."""
        return dict.fromkeys(f"{template:016x}" for template in self.windows.template[rows].tolist())

    def _findings(self, i: int, own: WindowFeatures, reported: Collection[str]) -> dict[str, Finding]:
        """Findings by their sentences on window ``i``, whose features are ``own``, the strongest first.

        They are of the ``reported`` detectors (names), for which the window is unusual.
        """
        views = self.bundle.detectors.views(own)
        ranked: list[tuple[float, int, Finding]] = []
        for detector in self.bundle.detectors.detectors:
            if detector.name in reported:
                findings = detector.findings(views[detector.name], 0, self.bundle.template_of)
                # Bad news first: it is what people look for, however unusual all else is.
                weight = np.inf if detector.name == Signs.name else float(self.parts[detector.name][i])
                ranked += [(-weight, rank, finding) for rank, finding in enumerate(findings)]
        ranked.sort(key=lambda entry: entry[:2])
        by_sentence: dict[str, Finding] = {}
        for _, _, finding in ranked:
            by_sentence.setdefault(sentence(finding), finding)
        return dict(islice(by_sentence.items(), REASONS))


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
        self._bundle = bundle
        self._log_budget = float(np.log10(false_alarms_per_day))
        self._lstm = LstmDetector(bundle.network, bundle.vocabulary)

    def decide(self, windows: WindowBatch, foreign_until: int = NO_TIME) -> Decisions:
        """Score a batch of windows and decide which of them fire.

        Of windows that begin by ``foreign_until`` (microseconds) only errors count: events up to then may have the
        template ids of another bundle, which this one does not know.
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
