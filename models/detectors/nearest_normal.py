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

from models.arrays import unique
from models.detectors.base import Arrays, TemplateText
from models.features.normal_samples import Samples
from models.features.window_features import UNKNOWN, TokenCounts, WindowFeatures
from models.findings import Finding, FindingKind
from models.records import F32, F64, I64

REFERENCES: Final = 4000
"""Different windows kept of each group: a judgement, it bounds memory and the cost of a product of matrices."""

SCALE: Final = 4096
"""Unit vectors are kept as whole numbers of this: their products add up exactly in single precision, in any order, so a
score is the same in any batch."""

BLOCK: Final = 512
"""Windows that are compared with all references in one product of matrices, which bounds its memory."""

CACHED: Final = 50_000
"""Distances that are remembered: a judgement, some megabytes."""

_FEW: Final = 20
"""Windows that a group needs for a reference, a judgement."""

_DIGITS: Final = 6
"""Decimals of a score: coarser than the rounding errors of different machines."""

_SHOWN: Final = 3
"""Templates that are named of a window, a judgement."""


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

    def score(self, features: WindowFeatures) -> F64:
        """Return one minus the largest cosine, 0 to 1; NaN for incomplete windows and groups without reference."""
        scores = np.full(len(features.group), np.nan)
        hashes = features.token_counts.hashes()
        for group in unique(features.group).tolist():
            reference = self._references.get(group)
            if reference is None or group == UNKNOWN:
                continue
            windows = np.flatnonzero((features.group == group) & features.complete)
            values, first, inverse = np.unique(hashes[windows], return_index=True, return_inverse=True)
            keys = [(group, value) for value in values.tolist()]
            distances = np.array([self._cache.get(key, np.nan) for key in keys])
            missing = np.flatnonzero(np.isnan(distances))
            if len(missing):
                distances[missing] = self._distances(reference, features.token_counts.take(windows[first[missing]]))
                if len(self._cache) > CACHED:
                    self._cache.clear()
                self._cache.update((keys[i], float(distances[i])) for i in missing.tolist())
            scores[windows] = distances[inverse]
        return scores

    def findings(self, features: WindowFeatures, windows: I64, text: TemplateText) -> list[list[Finding]]:
        """Return what the nearest normal window holds and this one lacks, and the other way round."""
        out: list[list[Finding]] = [[] for _ in windows]
        group = np.where(features.complete[windows], features.group[windows], UNKNOWN)
        for number, reference in self._references.items():
            asked = np.flatnonzero(group == number)
            for start in range(0, len(asked), BLOCK):
                block = asked[start : start + BLOCK]
                vectors = self._vectors(reference, features.token_counts.take(windows[block]))
                nearest = reference.vectors[(vectors @ reference.vectors.T).argmax(axis=1)]
                for place, vector, normal in zip(block.tolist(), vectors, nearest, strict=True):
                    out[place] = _differences(reference.tokens, vector, normal, text)
        return out

    def arrays(self) -> Arrays:
        """Return tokens, weights (the last one for any other token) and vectors of each group."""
        arrays: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]] = {"binary": np.array([self._binary])}
        for group, reference in self._references.items():
            arrays[f"{group}/tokens"] = reference.tokens.astype(np.int32)
            arrays[f"{group}/weight"] = np.append(reference.weight, reference.other)
            arrays[f"{group}/vectors"] = reference.vectors.astype(np.int16)
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Make a detector of what ``arrays`` returned."""
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
        """Keep the different windows of each group that has at least ``_FEW`` windows."""
        references = {}
        for group in samples.groups():
            sample = samples.of(group)
            if sample is None or len(sample) < _FEW:
                continue
            counts = sample.tally
            tokens, position = np.unique(counts.token, return_inverse=True)
            share = np.bincount(position, minlength=len(tokens))
            weight = np.log(len(sample) / (1.0 + share)) + 1.0
            empty = _Reference(tokens, weight, float(np.log(len(sample)) + 1.0), np.zeros((0, len(tokens)), np.float32))
            draft = cls("", binary=binary, references={})
            _, first = np.unique(_binary(counts).hashes() if binary else counts.hashes(), return_index=True)
            vectors = draft._vectors(empty, counts.take(np.sort(first)[:REFERENCES]))
            references[group] = _Reference(tokens, weight, empty.other, vectors)
        return cls("sets" if binary else "counts", binary=binary, references=references)

    def _distances(self, reference: _Reference, counts: TokenCounts) -> F64:
        best = np.zeros(len(counts))
        for start in range(0, len(counts), BLOCK):
            vectors = self._vectors(reference, counts.take(np.arange(start, min(start + BLOCK, len(counts)))))
            best[start : start + BLOCK] = (vectors @ reference.vectors.T).max(axis=1).astype(np.float64)
        return np.asarray(np.round(np.maximum(1.0 - best / SCALE**2, 0.0), _DIGITS), np.float64)

    def _vectors(self, reference: _Reference, counts: TokenCounts) -> F32:
        """Return unit vectors (n, v) times SCALE."""
        column = np.minimum(np.searchsorted(reference.tokens, counts.token), len(reference.tokens) - 1)
        known = reference.tokens[column] == counts.token
        weight = np.where(known, reference.weight[column], reference.other)
        value = weight * (1.0 if self._binary else np.log1p(counts.count))
        square = np.concatenate([np.zeros(1), np.cumsum(np.round(value**2 * 1e6))])
        length = np.sqrt(np.maximum(square[counts.splits[1:]] - square[counts.splits[:-1]], 1.0) / 1e6)
        vectors = np.zeros((len(counts), len(reference.tokens)), np.float32)
        window = counts.window
        vectors[window[known], column[known]] = np.round(value / length[window] * SCALE)[known]
        return vectors


def _differences(tokens: I64, vector: F32, nearest: F32, text: TemplateText) -> list[Finding]:
    """Return the heaviest tokens (v,) that only one of two vectors (v,) has."""
    weighted: list[tuple[float, FindingKind, int]] = []
    for kind, weight in (
        (FindingKind.ABSENT, nearest * (vector == 0)),
        (FindingKind.UNEXPECTED, vector * (nearest == 0)),
    ):
        columns = np.flatnonzero(weight > 0)
        heaviest = columns[np.argsort(-weight[columns], kind="stable")[:_SHOWN]]
        weighted += [
            (share, kind, token)
            for share, token in zip(weight[heaviest].tolist(), tokens[heaviest].tolist(), strict=True)
        ]
    weighted.sort(key=lambda entry: -entry[0])
    return [Finding(kind, text(token)) for _, kind, token in weighted[:_SHOWN]]


def _binary(counts: TokenCounts) -> TokenCounts:
    return TokenCounts(counts.splits, counts.token, np.ones_like(counts.count))
