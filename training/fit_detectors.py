"""Fit the detectors beside the LSTM to windows of normal operation."""

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from models.arrays import ranges
from models.detectors.base import TemplateText
from models.detectors.ensemble import DetectorSet
from models.detectors.error_rate import Levels, errors_of
from models.detectors.first_error import Onset
from models.detectors.missing_followups import FollowUps
from models.detectors.nearest_normal import Nearest
from models.detectors.novelty import Novelty
from models.detectors.number_meaning import duration_floors
from models.detectors.silence import SilenceSamples
from models.detectors.template_rates import Rates
from models.detectors.transitions import Transitions, pairs_of
from models.detectors.value_limits import ValueSamples
from models.features.normal_samples import Samples
from models.features.passing_over import judged
from models.features.sequences import SHARED, SOURCE, kind_numbers
from models.features.usual_pace import PaceSamples
from models.features.vocabulary import SPECIAL, Vocabulary
from models.features.window_features import Groups, WindowFeatures
from models.records import BOOL, F64, I64, Level
from training.fit_signs import SignSamples

WEAK_LEVEL: Final = Level.INFO
"""Level up to which new texts have little weight: a change of configuration or version brings many of them."""


@dataclass(slots=True)
class DetectorTrainer:
    """Collects what the detectors are fitted on, batch by batch."""

    vocabulary: Vocabulary
    groups: Groups
    step: float
    text: TemplateText = lambda _: ""
    """Masked text of a token's template, whose words tell what its numbers are."""
    _samples: Samples = field(init=False)
    _values: ValueSamples = field(init=False)
    _paces: PaceSamples = field(init=False)
    _silences: SilenceSamples = field(init=False)
    _signs: SignSamples = field(default_factory=SignSamples)
    _known: dict[int, I64] = field(default_factory=dict)
    _seen: I64 = field(init=False)
    _pairs: I64 = field(default_factory=lambda: np.zeros(0, np.int64))

    def __post_init__(self) -> None:
        """Start with nothing."""
        self._samples = Samples(self.step)
        self._seen = np.zeros(len(self.groups), np.int64)
        self._values = ValueSamples(len(self.vocabulary))
        texts = ("" if token < SPECIAL else self.text(token) for token in range(len(self.vocabulary)))
        self._paces = PaceSamples([duration_floors(text) for text in texts])
        self._silences = SilenceSamples(self.step)

    def add(self, facts: WindowFeatures, chosen: BOOL, sound: BOOL | None = None) -> None:
        """Learn from the windows that are ``chosen`` (n,).

        Bad news are learnt of all ``sound`` windows (n,), also of those that are held back: how often they were new is
        counted for each stretch of time by the others.
        """
        self._signs.add(facts, np.flatnonzero(chosen if sound is None else sound))
        windows, shown = facts.windows, judged(facts, WEAK_LEVEL)
        self._samples.add(shown, errors_of(facts), np.flatnonzero(chosen))
        entry = np.repeat(chosen, np.diff(facts.token_counts.splits))
        group, token = facts.group[facts.token_counts.window[entry]], facts.token_counts.token[entry]
        for number in np.unique(group[group >= 0]).tolist():
            before = self._known.get(number, np.zeros(0, np.int64))
            self._known[number] = np.union1d(before, token[(group == number) & (token >= SPECIAL)])
        self._silences.add(facts, np.flatnonzero(chosen))
        # Each line once: the newest step of the source that wrote it.
        source = np.flatnonzero(chosen & (kind_numbers(windows) == SOURCE))
        known = facts.group[source][facts.group[source] >= 0]
        self._seen += np.bincount(known, minlength=len(self.groups))
        rows = ranges(windows.splits[source + 1] - windows.new_rows[source], windows.splits[source + 1])
        self._values.add(facts, rows)
        self._paces.add(facts, rows)
        window, packed = pairs_of(shown)
        self._pairs = np.union1d(self._pairs, packed[chosen[window]])

    def fit(self) -> DetectorSet:
        """All detectors."""
        sources = tuple(group for group in self._samples.groups() if group >= SHARED)
        detectors = (
            Nearest.fit(self._samples, binary=True),
            Nearest.fit(self._samples, binary=False),
            Novelty(self._known, WEAK_LEVEL),
            Levels.fit(self._samples, len(self.groups)),
            Onset(),
            Transitions(self._pairs),
            Rates.fit(self._samples, sources),
            FollowUps.fit(self._samples),
            self._values.fit(self.text, self._paces.fit()),
            self._silences.fit(),
            self._signs.fit(len(self.groups)),
        )
        return DetectorSet(self.groups, detectors, self._rarity(), self._home(), self._seen, WEAK_LEVEL)

    def _rarity(self) -> F64:
        """Nats per token: how seldom windows over everything, or where there are none those of sources, hold it."""
        out = np.full(len(self.vocabulary), np.log(2.0))
        count, total = np.zeros(len(self.vocabulary)), 0
        groups = [SHARED] if SHARED in self._samples.groups() else self._samples.groups()
        for group in groups:
            sample = self._samples.of(group)
            if sample is not None:
                count += np.bincount(sample.tally.token, minlength=len(self.vocabulary))
                total += len(sample)
        out = np.log((total + 1.0) / (count + 0.5))
        return np.round(out, 6)

    def _home(self) -> I64:
        """The service that most often holds each token, -1 where none was seen with it.

        What training hardly saw has none: the next unseen template may be anyone's.
        """
        best = np.zeros(len(self.vocabulary))
        home = np.full(len(self.vocabulary), -1, np.int64)
        for group in self._samples.groups():
            sample = self._samples.of(group)
            if sample is None or group <= SHARED:
                continue
            count = np.bincount(sample.tally.token, weights=sample.tally.count, minlength=len(self.vocabulary))
            home[count > best] = group
            best = np.maximum(best, count)
        home[:SPECIAL] = -1
        return home
