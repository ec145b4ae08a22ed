"""Messages that should have followed another one and did not.

From normal windows it is learnt which template nearly always comes with which other one: in the window of a source that
began with it, or in the same session.  Two kinds of rules: the second is *there* whenever the window's oldest step has
the first; and it comes *as often* as the first did before the window's newest step.  A window that breaks a rule is
short of a follow-up.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

import numpy as np

from models.detectors.base import Arrays, TemplateText
from models.features.normal_samples import Samples
from models.features.sequences import SHARED
from models.features.window_features import TokenCounts, WindowFeatures
from models.findings import Finding, FindingKind
from models.records import BOOL, F64, I64

SUPPORT: Final = 15
"""Windows that must have shown the first template, a judgement."""

MISSES: Final = 0.05
"""A rule holds where the second was missing in fewer windows than this share (with half a miss added): a judgement."""

MOST_RULES: Final = 8000
"""Rules kept of a group, the surest ones: a judgement, it bounds the size of a bundle."""

_TOKENS: Final = 600
"""Templates of a group, the most frequent ones, among which rules are looked for: a judgement, it bounds the pairs."""

_ROWS: Final = 256
"""Windows that are checked at once, which bounds memory."""

_SCALE: Final = 1000
"""Squared surprise is kept in thousandths, as whole numbers."""

_DIGITS: Final = 6
"""Decimals of a score: coarser than the rounding errors of different machines."""

_SHOWN: Final = 3
"""Missing templates that are named of a window, a judgement."""


@dataclass(frozen=True, slots=True)
class _Rules:
    """One group: tokens (v,); rules (r,) from one of them to another; the squared surprise of a miss (whole numbers).

    ``counted`` says which rules compare how often, the others compare whether at all.
    """

    tokens: I64
    first: I64
    then: I64
    counted: BOOL
    weight: I64

    def broken(self, early: TokenCounts, begun: TokenCounts, whole: TokenCounts) -> BOOL:
        """Return which rules each window breaks (n, r).

        ``early`` counts the oldest step of the windows, ``begun`` all but the newest, ``whole`` everything.
        """
        there = _counts(whole, self.tokens)
        at_all = np.minimum(_counts(early, self.tokens), 1)[:, self.first] > there[:, self.then]
        as_often = _counts(begun, self.tokens)[:, self.first] > there[:, self.then]
        return np.where(self.counted, as_often, at_all)

    def findings(self, early: I64, begun: I64, there: I64, seconds: float, text: TemplateText) -> list[Finding]:
        """Return the surest rules that one window of so many seconds breaks, by its counts (v,) as in ``broken``."""
        # Only what came can lack what follows, and of hundreds of templates a window has few.
        rules = np.flatnonzero(((begun > 0) | (early > 0))[self.first])
        first, then = self.first[rules], self.then[rules]
        before = np.where(self.counted[rules], begun[first], np.minimum(early[first], 1))
        broken = rules[before > there[then]]
        findings: dict[int, Finding] = {}
        for rule in broken[np.argsort(-self.weight[broken], kind="stable")].tolist():
            cause, follow = int(self.first[rule]), int(self.then[rule])
            if follow in findings:
                continue
            templates = text(int(self.tokens[cause])), text(int(self.tokens[follow]))
            times, usual = float(there[follow]), float(begun[cause])
            findings[follow] = (
                Finding(FindingKind.FEWER_FOLLOW_UPS, *templates, value=times, usual=usual, seconds=seconds)
                if times
                else Finding(FindingKind.MISSING_FOLLOW_UP, *templates, seconds=seconds)
            )
            if len(findings) == _SHOWN:
                break
        return list(findings.values())


class FollowUps:
    """Rules per group."""

    name = "followups"

    def __init__(self, rules: Mapping[int, _Rules], step: float) -> None:
        """``step`` is that of source windows, in seconds."""
        self._rules = dict(rules)
        self._step = step

    def score(self, features: WindowFeatures) -> F64:
        """Return the root of the summed squares of all misses' surprise, in nats; NaN without rules."""
        scores = np.full(len(features.group), np.nan)
        early, begun = features.first_step(self._step), features.before_last_step(self._step)
        for group, rules in self._rules.items():
            windows = np.flatnonzero((features.group == group) & features.complete)
            if not len(windows):
                continue
            parts = (early, begun, features.token_counts)
            hashes = np.stack([counts.take(windows).hashes() for counts in parts], axis=1)
            _, unique, inverse = np.unique(hashes, axis=0, return_index=True, return_inverse=True)
            total = np.zeros(len(unique))
            for start in range(0, len(unique), _ROWS):
                part = windows[unique[start : start + _ROWS]]
                broken = rules.broken(early.take(part), begun.take(part), features.token_counts.take(part))
                # Whole numbers add up exactly, so the score is the same in any batch.
                total[start : start + _ROWS] = broken @ rules.weight
            scores[windows] = np.sqrt(total / _SCALE)[inverse.ravel()]
        return np.asarray(np.round(scores, _DIGITS), np.float64)

    def findings(self, features: WindowFeatures, windows: I64, text: TemplateText) -> list[list[Finding]]:
        """Return the surest rules that were broken, one per missing template."""
        out: list[list[Finding]] = [[] for _ in windows]
        group = features.group[windows]
        early, begun = features.first_step(self._step), features.before_last_step(self._step)
        source_window = features.group >= SHARED
        seconds = np.where(source_window, features.windows.end - features.windows.start, 0) / 1e6
        for number, rules in self._rules.items():
            asked = np.flatnonzero((group == number) & features.complete[windows])
            for start in range(0, len(asked), _ROWS):
                block = asked[start : start + _ROWS]
                chosen = windows[block]
                before = [_counts(part.take(chosen), rules.tokens) for part in (early, begun)]
                there = _counts(features.token_counts.take(chosen), rules.tokens)
                of_block = zip(block.tolist(), *before, there, seconds[chosen].tolist(), strict=True)
                for place, of_early, of_begun, of_all, lasts in of_block:
                    out[place] = rules.findings(of_early, of_begun, of_all, lasts, text)
        return out

    def arrays(self) -> Arrays:
        """Return tokens and rules of each group, and the step."""
        arrays = {"step": np.array([self._step])}
        for group, rules in self._rules.items():
            arrays[f"{group}/tokens"] = rules.tokens
            arrays[f"{group}/rules"] = np.stack([rules.first, rules.then, rules.counted, rules.weight]).astype(np.int32)
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Make a detector of what ``arrays`` returned."""
        rules = {}
        for name in arrays:
            group, _, what = name.partition("/")
            if what == "tokens":
                first, then, counted, weight = np.asarray(arrays[f"{group}/rules"], np.int64)
                rules[int(group)] = _Rules(np.asarray(arrays[name], np.int64), first, then, counted != 0, weight)
        return cls(rules, float(arrays["step"][0]))

    @classmethod
    def fit(cls, samples: Samples) -> Self:
        """Count, per pair of templates of a group, in how many windows the second was missing."""
        rules = {}
        for group in samples.groups():
            sample = samples.of(group)
            if sample is None or len(sample) < SUPPORT:
                continue
            tokens, share = np.unique(sample.tally.token, return_counts=True)
            tokens = np.sort(tokens[np.argsort(-share, kind="stable")[:_TOKENS]])
            there = _counts(sample.tally, tokens)
            at_all = _surprise(np.minimum(_counts(sample.early, tokens), 1), there)
            as_often = _surprise(_counts(sample.begun, tokens), there)
            first, then = np.nonzero(np.maximum(at_all, as_often))
            counted = as_often[first, then] >= at_all[first, then]
            weight = np.maximum(at_all, as_often)[first, then]
            best = np.sort(np.argsort(-weight, kind="stable")[:MOST_RULES])
            if len(best):
                rules[group] = _Rules(tokens, first[best], then[best], counted[best], weight[best])
        return cls(rules, samples.step)


def _surprise(before: I64, there: I64) -> I64:
    """Return the weight of a miss per pair (v, v), from counts (n, v); 0 where no rule holds."""
    support = (before > 0).sum(axis=0).astype(np.float64)
    missed = np.stack([(before[:, [first]] > there).sum(axis=0) for first in range(before.shape[1])])
    share = (missed + 0.5) / (support[:, None] + 1.0)
    holds = (support[:, None] >= SUPPORT) & (share < MISSES)
    surprise = np.round((np.log(MISSES) - np.log(share)) ** 2 * _SCALE)
    return np.where(holds, surprise, 0.0).astype(np.int64)


def _counts(counts: TokenCounts, tokens: I64) -> I64:
    """Return how often each window holds each of the tokens, (n, v)."""
    matrix = np.zeros((len(counts), len(tokens)), np.int64)
    column = np.minimum(np.searchsorted(tokens, counts.token), len(tokens) - 1)
    known = tokens[column] == counts.token
    matrix[counts.window[known], column[known]] = counts.count[known]
    return matrix
