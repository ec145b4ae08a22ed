"""What should have followed and did not.

From normal windows it is learnt which template nearly always comes with which other one: in the window of a source that
began with it, or in the same session.  Two kinds of rules: the second is *there* whenever the window's oldest step has
the first; and it comes *as often* as the first did before the window's newest step.  A window that breaks a rule is
short of a follow-up.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

import numpy as np

from models.detectors.base import Arrays, Reason
from models.features.normal_samples import Samples
from models.features.sequences import SHARED
from models.features.window_features import TokenCounts, WindowFeatures
from models.records import BOOL, F64, I64

SUPPORT: Final = 15
"""Windows that must have shown the first template."""

MISSES: Final = 0.05
"""A rule holds where the second was missing in fewer windows than this share (with half a miss added)."""

MOST_RULES: Final = 8000
"""Rules kept of a group, the surest ones."""

_TOKENS: Final = 600
"""Templates per group among which rules are looked for."""

_ROWS: Final = 256
_SCALE: Final = 1000
_DIGITS: Final = 6
_SHOWN: Final = 3


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

    def broken(self, early: TokenCounts, begun: TokenCounts, tally: TokenCounts) -> BOOL:
        """Which rules each window breaks (n, r): ``early`` is the oldest step, ``begun`` all but the newest."""
        there = _counts(tally, self.tokens)
        at_all = np.minimum(_counts(early, self.tokens), 1)[:, self.first] > there[:, self.then]
        as_often = _counts(begun, self.tokens)[:, self.first] > there[:, self.then]
        return np.where(self.counted, as_often, at_all)


class FollowUps:
    """Rules per group."""

    name = "followups"

    def __init__(self, rules: Mapping[int, _Rules], step: float) -> None:
        """``step`` is that of source windows, in seconds."""
        self._rules = dict(rules)
        self._step = step

    def score(self, facts: WindowFeatures) -> F64:
        """Root of the summed squares of all misses' surprise, in nats; NaN without rules."""
        out = np.full(len(facts.group), np.nan)
        early, begun = facts.first_step(self._step), facts.before_last_step(self._step)
        for group, rules in self._rules.items():
            at = np.flatnonzero((facts.group == group) & facts.complete)
            if not len(at):
                continue
            hashes = np.stack([tally.take(at).hashes() for tally in (early, begun, facts.token_counts)], axis=1)
            _, unique, inverse = np.unique(hashes, axis=0, return_index=True, return_inverse=True)
            total = np.zeros(len(unique))
            for start in range(0, len(unique), _ROWS):
                part = at[unique[start : start + _ROWS]]
                broken = rules.broken(early.take(part), begun.take(part), facts.token_counts.take(part))
                # Whole numbers add up exactly, so the score is the same in any batch.
                total[start : start + _ROWS] = broken @ rules.weight
            out[at] = np.sqrt(total / _SCALE)[inverse.ravel()]
        return np.asarray(np.round(out, _DIGITS), np.float64)

    def reasons(self, facts: WindowFeatures, window: int) -> list[Reason]:
        """The surest rules that were broken, one per missing template."""
        rules = self._rules.get(int(facts.group[window]))
        if rules is None or not facts.complete[window]:
            return []
        at = np.array([window])
        early, begun = facts.first_step(self._step).take(at), facts.before_last_step(self._step).take(at)
        broken = np.flatnonzero(rules.broken(early, begun, facts.token_counts.take(at))[0])
        seconds = (facts.windows.end[window] - facts.windows.start[window]) / 1e6
        where = f"within {seconds:.0f} s" if facts.group[window] >= SHARED else "in the same session"
        told: dict[int, Reason] = {}
        for rule in broken[np.argsort(-rules.weight[broken], kind="stable")].tolist():
            then, first = int(rules.tokens[rules.then[rule]]), int(rules.tokens[rules.first[rule]])
            how = "as often as" if rules.counted[rule] else "with"
            told.setdefault(then, Reason(f"{{0}} usually comes {how} {{1}} {where} and is missing", (then, first)))
        return list(told.values())[:_SHOWN]

    def arrays(self) -> Arrays:
        """Tokens and rules per group."""
        out = {"step": np.array([self._step])}
        for group, rules in self._rules.items():
            out[f"{group}/tokens"] = rules.tokens
            out[f"{group}/rules"] = np.stack([rules.first, rules.then, rules.counted, rules.weight]).astype(np.int32)
        return out

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Read what ``arrays`` gave."""
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
    """Weight of a miss per pair (v, v), from counts (n, v); 0 where no rule holds."""
    support = (before > 0).sum(axis=0).astype(np.float64)
    missed = np.stack([(before[:, [first]] > there).sum(axis=0) for first in range(before.shape[1])])
    share = (missed + 0.5) / (support[:, None] + 1.0)
    holds = (support[:, None] >= SUPPORT) & (share < MISSES)
    surprise = np.round((np.log(MISSES) - np.log(share)) ** 2 * _SCALE)
    return np.where(holds, surprise, 0.0).astype(np.int64)


def _counts(tally: TokenCounts, tokens: I64) -> I64:
    """How often each window holds each of the tokens, (n, v)."""
    out = np.zeros((len(tally), len(tokens)), np.int64)
    at = np.minimum(np.searchsorted(tokens, tally.token), len(tokens) - 1)
    known = tokens[at] == tally.token
    out[tally.window[known], at[known]] = tally.count[known]
    return out
