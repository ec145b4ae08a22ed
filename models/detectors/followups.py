"""What should have followed and did not.

From normal windows it is learnt which template nearly always comes with which other one: in the window of a source that
begins with it, or in the same session.  A window that has the first and lacks the second is short of a follow-up.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

import numpy as np

from models.detectors.base import Arrays, Reason
from models.facts import Facts, Tally
from models.records import F64, I64
from models.samples import Samples
from models.sequences import SHARED

SUPPORT: Final = 15
"""Windows that must have shown the first template."""

MISSES: Final = 0.05
"""A rule holds where the second was missing in fewer windows than this share (with half a miss added)."""

_TOKENS: Final = 600
"""Templates per group among which rules are looked for."""

_SCALE: Final = 1000
_DIGITS: Final = 6
_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class _Rules:
    """One group: tokens (v,) and, per pair (v, v), the squared surprise of a miss as whole thousandths of nats."""

    tokens: I64
    weight: F64


class FollowUps:
    """Rules per group; ``step`` in seconds is what a source window begins with."""

    name = "followups"

    def __init__(self, rules: Mapping[int, _Rules], step: float) -> None:
        self._rules = dict(rules)
        self._step = step

    def score(self, facts: Facts) -> F64:
        """Root of the summed squares of all misses' surprise, in nats; NaN without rules."""
        out = np.full(len(facts.group), np.nan)
        begun = facts.begun(self._step)
        for group, rules in self._rules.items():
            at = np.flatnonzero((facts.group == group) & facts.sound)
            if len(at):
                # Whole numbers add up exactly, so the score is the same in any batch.
                first, there = _present(begun.take(at), rules.tokens), _present(facts.tally.take(at), rules.tokens)
                out[at] = np.sqrt(((first @ rules.weight) * (1.0 - there)).sum(axis=1) / _SCALE)
        return np.round(out, _DIGITS)

    def reasons(self, facts: Facts, window: int) -> list[Reason]:
        """The surest rules that were broken."""
        rules = self._rules.get(int(facts.group[window]))
        if rules is None or not facts.sound[window]:
            return []
        at = np.array([window])
        first = _present(facts.begun(self._step).take(at), rules.tokens)[0]
        missing = 1.0 - _present(facts.tally.take(at), rules.tokens)[0]
        broken = rules.weight * first[:, None] * missing
        seconds = (facts.windows.end[window] - facts.windows.start[window]) / 1e6
        where = f"within {seconds:.0f} s" if facts.group[window] >= SHARED else "in the same session"
        best = broken.max(axis=0)
        return [
            Reason(
                f"{{0}} usually comes with {{1}} {where} and is missing",
                (int(rules.tokens[i]), int(rules.tokens[int(broken[:, i].argmax())])),
            )
            for i in np.argsort(-best, kind="stable")[:_SHOWN].tolist()
            if best[i] > 0
        ]

    def arrays(self) -> Arrays:
        """Tokens and weights per group."""
        out = {"step": np.array([self._step])}
        for group, rules in self._rules.items():
            out[f"{group}/tokens"] = rules.tokens
            out[f"{group}/weight"] = rules.weight.astype(np.int32)
        return out

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Read what ``arrays`` gave."""
        rules = {}
        for name in arrays:
            group, _, what = name.partition("/")
            if what == "tokens":
                weight = np.asarray(arrays[f"{group}/weight"], np.float64)
                rules[int(group)] = _Rules(np.asarray(arrays[name], np.int64), weight)
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
            support = np.zeros(len(tokens))
            together = np.zeros((len(tokens), len(tokens)))
            for start in range(0, len(sample), 1000):
                at = np.arange(start, min(start + 1000, len(sample)))
                first, there = _present(sample.begun.take(at), tokens), _present(sample.tally.take(at), tokens)
                support += first.sum(axis=0)
                together += first.T @ there
            missed = (support[:, None] - together + 0.5) / (support[:, None] + 1.0)
            holds = (support[:, None] >= SUPPORT) & (missed < MISSES)
            weight = np.where(holds, np.round((np.log(missed) - np.log(MISSES)) ** 2 * _SCALE), 0.0)
            if weight.any():
                rules[group] = _Rules(tokens, weight)
        return cls(rules, samples.step)


def _present(tally: Tally, tokens: I64) -> F64:
    """Which of the tokens (v,) each window holds: 0 or 1, shape (n, v)."""
    out = np.zeros((len(tally), len(tokens)))
    at = np.minimum(np.searchsorted(tokens, tally.token), len(tokens) - 1)
    known = tokens[at] == tally.token
    out[tally.window[known], at[known]] = 1.0
    return out
