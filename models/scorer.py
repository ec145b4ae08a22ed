"""Windows → decisions: detectors, one calibrated importance made of their parts, and the lines that weigh most."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Final

import numpy as np

from models.bundle import Bundle
from models.calibration.service_state import ServiceState, errors_only, is_live, state_of
from models.detectors.lstm import LstmDetector
from models.detectors.sentences import sentence
from models.features.sequences import kind_numbers
from models.features.window_features import WindowFeatures
from models.findings import Finding
from models.records import BOOL, F32, F64, I64, KeyKind, Pointer, Verdict, WindowBatch
from models.verdicts import window_id

LINES: Final = 10
"""Raw lines that a verdict points to."""

REASONS: Final = 5
"""Findings of a verdict, a judgement."""

FIRES_AT: Final = 0.5
"""Importance at which the expected false alarms are exactly the budget."""

KIND_NAMES: Final = {KeyKind.SOURCE: "source", KeyKind.SESSION: "session"}
_DIGITS: Final = 6
_REPORTED_FROM: Final = 1.0
"""Strength of a part from which its findings are reported: one window in ten is as unusual.  A judgement."""


@dataclass(frozen=True, slots=True)
class Decisions:
    """What was decided of a batch of windows, in columns of shape (windows,); ``surprise`` is (rows,).

    ``score`` is -log10 of the windows a day that a tenant would show in normal operation and that are at least so
    anomalous; ``importance`` sets it against the budget.  ``parts`` are the detectors' strengths: -log10 of how often a
    normal window of the kind is as strange.
    """

    windows: WindowBatch
    score: F64
    importance: F64
    fired: BOOL
    parts: Mapping[str, F64]
    surprise: F32
    facts: WindowFeatures | None
    bundle: Bundle

    def verdicts(self, at: Iterable[int] | None = None) -> list[Verdict]:
        """Verdicts on the windows with these numbers, or on all: an object each, so best for the few that matter."""
        chosen = list(range(len(self.windows)) if at is None else at)
        if not chosen:
            return []
        # Columns become Python's own numbers in one go: one by one they would take longer than the detectors.
        parts = [(name, part[chosen].tolist()) for name, part in self.parts.items()]
        views = self.bundle.detectors.views(self.facts) if self.facts and self.fired[chosen].any() else {}
        columns = (self.windows.start, self.windows.end, np.diff(self.windows.splits), self.score, self.importance)
        rows = zip(chosen, self._heaviest(chosen), *(column[chosen].tolist() for column in columns), strict=True)
        return [
            self._verdict({name: values[n] for name, values in parts if values[n]}, views, *row)
            for n, row in enumerate(rows)
        ]

    def _verdict(  # noqa: PLR0913 - a row of columns
        self,
        parts: Mapping[str, float],
        views: Mapping[str, WindowFeatures],
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
        findings = self._findings(i, views) if fired else {}
        places = zip(windows.partition[heaviest].tolist(), windows.offset[heaviest].tolist(), strict=True)
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
            lines=tuple(Pointer(*place) for place in places),
            services=self.bundle.detectors.services(self.facts, i, heaviest) if fired and self.facts else (),
            reasons=tuple(findings),
            findings=tuple(findings.values()),
            state=self.state(i),
            templates=tuple(self._templates(heaviest)) if fired else (),
        )

    @property
    def errors_only(self) -> BOOL:
        """Whether only the errors of each window (n,) count."""
        if self.facts is None:
            return np.zeros(len(self.windows), np.bool_)
        return ~is_live(self.facts.group, self.bundle.detectors.windows_seen)

    def state(self, i: int) -> ServiceState:
        """How far the window's service is known."""
        return (
            state_of(int(self.facts.group[i]), self.bundle.detectors.windows_seen) if self.facts else ServiceState.LIVE
        )

    def _heaviest(self, chosen: Iterable[int]) -> Iterator[I64]:
        """Rows of each window's most telling lines, most telling first; ties in the order of rows."""
        weight = self.surprise.astype(np.float64)
        judged = np.concatenate(([0], np.cumsum(~np.isnan(weight))))
        lightest_last = -np.nan_to_num(weight, copy=False, nan=0.0)
        for i in chosen:
            low, high = int(self.windows.splits[i]), int(self.windows.splits[i + 1])
            negative = lightest_last[low:high]
            if self.facts is not None and judged[high] == judged[low]:
                negative = -np.nan_to_num(self.bundle.detectors.weights(self.facts, i), nan=0.0)
            order: I64 = np.argsort(negative, kind="stable")[:LINES] + low
            yield order

    def _templates(self, rows: I64) -> Iterable[str]:
        """Template ids of rows, each once, in their order."""
        return dict.fromkeys(f"{template:016x}" for template in self.windows.template[rows].tolist())

    def _findings(self, i: int, views: Mapping[str, WindowFeatures]) -> dict[str, Finding]:
        """Findings by their sentences, of the detectors for which the window is unusual, the strongest first."""
        if not views:
            return {}
        ranked: list[tuple[float, int, Finding]] = []
        for detector in self.bundle.detectors.detectors:
            strength = float(self.parts[detector.name][i]) if detector.name in self.parts else 0.0
            if strength >= _REPORTED_FROM:
                findings = detector.findings(views[detector.name], i, self.bundle.template_of)
                ranked += [(-strength, rank, finding) for rank, finding in enumerate(findings)]
        ranked.sort(key=lambda entry: entry[:2])
        by_sentence: dict[str, Finding] = {}
        for _, _, finding in ranked:
            by_sentence.setdefault(sentence(finding), finding)
        return dict(islice(by_sentence.items(), REASONS))


class Scorer:
    """Decides windows with one bundle; a pure function of each window."""

    def __init__(self, bundle: Bundle, false_alarms_per_day: float = 1.0) -> None:
        """``false_alarms_per_day`` is the budget per tenant."""
        self.bundle_id = bundle.id
        self._bundle = bundle
        self._log_budget = float(np.log10(false_alarms_per_day))
        self._lstm = LstmDetector(bundle.onnx, bundle.vocabulary)

    def decide(self, windows: WindowBatch) -> Decisions:
        """Score a batch of windows."""
        bundle = self._bundle
        if not len(windows):
            none = np.zeros(0)
            return Decisions(windows, none, none, none > 0, {}, np.zeros(0, np.float32), None, bundle)
        facts = WindowFeatures.of(windows, bundle.vocabulary, bundle.detectors.groups)
        scored = self._lstm.score(windows, bundle.detectors.passed_over(facts))
        raws = {self._lstm.name: scored.raw, **bundle.detectors.score(facts)}
        kinds = kind_numbers(windows)
        parts = bundle.calibration.strengths(kinds, raws)
        counted = errors_only(parts, is_live(facts.group, bundle.detectors.windows_seen))
        score = np.round(-bundle.calibration.false_alarms(kinds, counted), _DIGITS) + 0.0
        importance = np.round(1.0 / (1.0 + 10.0 ** -np.clip(score + self._log_budget, -300, 300)), _DIGITS)
        surprise = scored.surprise if scored.surprise is not None else windows.surprise
        return Decisions(windows, score, importance, importance >= FIRES_AT, parts, surprise, facts, bundle)
