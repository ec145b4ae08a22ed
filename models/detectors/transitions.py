"""Pairs of successive events that training never saw in this group (short n-grams: Forrest et al., S&P 1996).

Windows over everything are left out: how the lines of different sources interleave is chance.
"""

from typing import Final, Self

import numpy as np

from models.arrays import among, unique
from models.detectors.base import Arrays, TemplateText
from models.features.sequences import SHARED
from models.features.vocabulary import END, NEW, START
from models.features.window_features import WindowFeatures
from models.findings import Finding, FindingKind
from models.records import BOOL, F64, I64, KeyKind

_BITS: Final = 20
"""Bits of a token in a packed pair: a vocabulary of a million templates, and a group beside two of them in 63 bits."""

_MASK: Final = (1 << _BITS) - 1

_SHOWN: Final = 3
"""New pairs that are named, a judgement."""


def pairs_of(features: WindowFeatures) -> tuple[I64, I64]:
    """Return window and packed pair (group, token, next token) of each pair of successive rows, in order.

    A session begins with START and ends with END; pairs with an unseen template mean no more than that it is unseen.
    """
    windows = features.windows
    session = windows.kinds == KeyKind.SESSION
    filled = np.diff(windows.splits) > 0
    first, last = windows.splits[:-1][filled & session], windows.splits[1:][filled & session] - 1
    inside = np.flatnonzero(features.window[1:] == features.window[:-1])
    row = np.concatenate([first, inside, last])
    before = np.concatenate([np.full(len(first), START), features.tokens[inside], features.tokens[last]])
    after = np.concatenate([features.tokens[first], features.tokens[inside + 1], np.full(len(last), END)])
    window = features.window[row]
    group = features.group[window]
    kept = (group >= 0) & (group != SHARED) & (before != NEW) & (after != NEW)
    window, packed = window[kept], (group << 2 * _BITS | before << _BITS | after)[kept]
    order = np.lexsort((packed, window))
    return window[order], packed[order]


class Transitions:
    """``known``: sorted packed pairs."""

    name = "transitions"

    def __init__(self, known: I64) -> None:
        self._known = known
        self._groups = unique(known >> 2 * _BITS)

    def score(self, features: WindowFeatures) -> F64:
        """Return the number of different new pairs; NaN for windows over everything and groups without a baseline."""
        window, packed = pairs_of(features)
        new = self._new(window, packed)
        scores = np.bincount(window[new], minlength=len(features.group)).astype(np.float64)
        scores[~among(features.group, self._groups)] = np.nan
        return scores

    def findings(self, features: WindowFeatures, windows: I64, text: TemplateText) -> list[list[Finding]]:
        """Return the first new pairs, in the order of their tokens."""
        window, packed = pairs_of(features)
        new = self._new(window, packed) & among(features.group, self._groups)[window]
        window, packed = window[new], packed[new]
        first, last = (np.searchsorted(window, windows, side).tolist() for side in ("left", "right"))
        return [
            [_finding(pair >> _BITS & _MASK, pair & _MASK, text) for pair in packed[start:stop][:_SHOWN].tolist()]
            for start, stop in zip(first, last, strict=True)
        ]

    def _new(self, window: I64, packed: I64) -> BOOL:
        """Whether each pair is new; of equal ones in a window the first only."""
        if not len(self._known):
            return np.zeros(len(packed), np.bool_)
        index = np.minimum(np.searchsorted(self._known, packed), len(self._known) - 1)
        new: BOOL = self._known[index] != packed
        new[1:] &= (packed[1:] != packed[:-1]) | (window[1:] != window[:-1])
        return new

    def arrays(self) -> Arrays:
        """Return the pairs."""
        return {"known": self._known}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Make a detector of what ``arrays`` returned."""
        return cls(np.asarray(arrays["known"], np.int64))


def _finding(before: int, after: int, text: TemplateText) -> Finding:
    if before == START:
        return Finding(FindingKind.UNUSUAL_BEGIN, text(after))
    if after == END:
        return Finding(FindingKind.UNUSUAL_END, text(before))
    return Finding(FindingKind.UNUSUAL_ORDER, text(before), text(after))
