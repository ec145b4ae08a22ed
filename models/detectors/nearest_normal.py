"""Distance to the nearest normal window, by what it holds (sets) or how often (counts).

A window is a vector over templates, weighted by how rare each template is and set to unit length; the raw score is one
minus the largest cosine to any window of normal operation of the same group.  Comparing with the nearest window and not
with the average compares like phases of work (event-count vectors: Landauer et al., arXiv 2309.02854, and Lin et al.,
ICSE-SEIP 2016, who weight and cluster them).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

import numpy as np

from models.detectors.base import Arrays, Reason
from models.features.normal_samples import Samples
from models.features.window_features import UNKNOWN, TokenCounts, WindowFeatures
from models.records import F32, F64, I64

REFERENCES: Final = 4000
"""Different windows kept of each group."""

SCALE: Final = 4096
"""Unit vectors are kept as whole numbers of this: their products add up exactly in single precision, in any order, so a
score is the same in any batch."""

BLOCK: Final = 512
CACHED: Final = 50_000
_FEW: Final = 20
_DIGITS: Final = 6
_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class _Reference:
    """One group: tokens (v,) with weights (v,), weight of any other token, and unit vectors (r, v) times SCALE."""

    tokens: I64
    weight: F64
    other: float
    vectors: F32


class Nearest:
    """``binary`` looks at what is there only, else at the logarithm of how often."""

    def __init__(self, name: str, *, binary: bool, references: Mapping[int, _Reference]) -> None:
        self._name = name
        self._binary = binary
        self._references = dict(references)
        self._cache: dict[tuple[int, int], float] = {}

    @property
    def name(self) -> str:
        """``sets`` or ``counts``."""
        return self._name

    def score(self, facts: WindowFeatures) -> F64:
        """One minus the largest cosine, 0 to 1; NaN for unsound windows and groups without reference."""
        out = np.full(len(facts.group), np.nan)
        hashes = facts.token_counts.hashes()
        for group in np.unique(facts.group).tolist():
            reference = self._references.get(group)
            if reference is None or group == UNKNOWN:
                continue
            at = np.flatnonzero((facts.group == group) & facts.complete)
            values, first, inverse = np.unique(hashes[at], return_index=True, return_inverse=True)
            keys = [(group, value) for value in values.tolist()]
            found = np.array([self._cache.get(key, np.nan) for key in keys])
            missing = np.flatnonzero(np.isnan(found))
            if len(missing):
                found[missing] = self._distances(reference, facts.token_counts.take(at[first[missing]]))
                if len(self._cache) > CACHED:
                    self._cache.clear()
                self._cache.update((keys[i], float(found[i])) for i in missing.tolist())
            out[at] = found[inverse]
        return out

    def reasons(self, facts: WindowFeatures, window: int) -> list[Reason]:
        """What the nearest normal window lacks or holds beside this one."""
        reference = self._references.get(int(facts.group[window]))
        if reference is None or not facts.complete[window]:
            return []
        vector = self._vectors(reference, facts.token_counts.take(np.array([window])))
        nearest = reference.vectors[int(np.argmax(reference.vectors @ vector[0]))]
        out = []
        for text, here in (
            ("{0} is missing", nearest * (vector[0] == 0)),
            ("{0} is unusual here", vector[0] * (nearest == 0)),
        ):
            heavy = np.argsort(-here, kind="stable")[:_SHOWN]
            out += [(float(here[i]), Reason(text, (int(reference.tokens[i]),))) for i in heavy.tolist() if here[i] > 0]
        return [reason for _, reason in sorted(out, key=lambda pair: -pair[0])[:_SHOWN]]

    def arrays(self) -> Arrays:
        """Per group: tokens, weights (the last one for any other token) and vectors."""
        out: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]] = {"binary": np.array([self._binary])}
        for group, reference in self._references.items():
            out[f"{group}/tokens"] = reference.tokens.astype(np.int32)
            out[f"{group}/weight"] = np.append(reference.weight, reference.other)
            out[f"{group}/vectors"] = reference.vectors.astype(np.int16)
        return out

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Read what ``arrays`` gave."""
        binary = bool(arrays["binary"][0])
        references = {}
        for name in arrays:
            group, _, what = name.partition("/")
            if what == "tokens":
                weight = np.asarray(arrays[f"{group}/weight"], np.float64)
                references[int(group)] = _Reference(
                    np.asarray(arrays[name], np.int64),
                    weight[:-1],
                    float(weight[-1]),
                    np.asarray(arrays[f"{group}/vectors"], np.float32),
                )
        return cls("sets" if binary else "counts", binary=binary, references=references)

    @classmethod
    def fit(cls, samples: Samples, *, binary: bool) -> Self:
        """Keep the different windows of each group that has at least a few."""
        references = {}
        for group in samples.groups():
            sample = samples.of(group)
            if sample is None or len(sample) < _FEW:
                continue
            tally = sample.tally
            tokens, position = np.unique(tally.token, return_inverse=True)
            share = np.bincount(position, minlength=len(tokens))
            weight = np.log(len(sample) / (1.0 + share)) + 1.0
            empty = _Reference(tokens, weight, float(np.log(len(sample)) + 1.0), np.zeros((0, len(tokens)), np.float32))
            draft = cls("", binary=binary, references={})
            _, first = np.unique(_binary(tally).hashes() if binary else tally.hashes(), return_index=True)
            vectors = draft._vectors(empty, tally.take(np.sort(first)[:REFERENCES]))
            references[group] = _Reference(tokens, weight, empty.other, vectors)
        return cls("sets" if binary else "counts", binary=binary, references=references)

    def _distances(self, reference: _Reference, tally: TokenCounts) -> F64:
        best = np.zeros(len(tally))
        for start in range(0, len(tally), BLOCK):
            vectors = self._vectors(reference, tally.take(np.arange(start, min(start + BLOCK, len(tally)))))
            best[start : start + BLOCK] = (vectors @ reference.vectors.T).max(axis=1).astype(np.float64)
        return np.asarray(np.round(np.maximum(1.0 - best / SCALE**2, 0.0), _DIGITS), np.float64)

    def _vectors(self, reference: _Reference, tally: TokenCounts) -> F32:
        """Unit vectors (n, v) times SCALE."""
        at = np.minimum(np.searchsorted(reference.tokens, tally.token), len(reference.tokens) - 1)
        known = reference.tokens[at] == tally.token
        weight = np.where(known, reference.weight[at], reference.other)
        value = weight * (1.0 if self._binary else np.log1p(tally.count))
        square = np.concatenate([np.zeros(1), np.cumsum(np.round(value**2 * 1e6))])
        length = np.sqrt(np.maximum(square[tally.splits[1:]] - square[tally.splits[:-1]], 1.0) / 1e6)
        out = np.zeros((len(tally), len(reference.tokens)), np.float32)
        window = tally.window
        out[window[known], at[known]] = np.round(value / length[window] * SCALE)[known]
        return out


def _binary(tally: TokenCounts) -> TokenCounts:
    return TokenCounts(tally.splits, tally.token, np.ones_like(tally.count))
