"""Pairs of successive events that training never saw in this group (short n-grams: Forrest et al., S&P 1996).

Sources of everything are left out: how their lines interleave is chance.
"""

from typing import Final, Self

import numpy as np

from models.detectors.base import Arrays, Reason
from models.features.sequences import SHARED
from models.features.vocabulary import END, NEW, START
from models.features.window_features import WindowFeatures
from models.records import BOOL, F64, I64, KeyKind

_BITS: Final = 20
_MASK: Final = (1 << _BITS) - 1


def pairs_of(facts: WindowFeatures) -> tuple[I64, I64]:
    """Window and packed pair (group, token, next token) of each pair of successive rows, in order.

    A session begins with START and ends with END; pairs with an unseen template say no more than that.
    """
    windows = facts.windows
    session = windows.kinds == KeyKind.SESSION
    size = np.diff(windows.splits)
    filled = size > 0
    first, last = windows.splits[:-1][filled & session], windows.splits[1:][filled & session] - 1
    inside = np.flatnonzero(facts.window[1:] == facts.window[:-1])
    row = np.concatenate([first, inside, last])
    before = np.concatenate([np.full(len(first), START), facts.tokens[inside], facts.tokens[last]])
    after = np.concatenate([facts.tokens[first], facts.tokens[inside + 1], np.full(len(last), END)])
    window = facts.window[row]
    group = facts.group[window]
    kept = (group >= 0) & (group != SHARED) & (before != NEW) & (after != NEW)
    window, packed = window[kept], (group << 2 * _BITS | before << _BITS | after)[kept]
    order = np.lexsort((packed, window))
    return window[order], packed[order]


class Transitions:
    """``known``: sorted packed pairs."""

    name = "transitions"

    def __init__(self, known: I64) -> None:
        self._known = known
        self._groups = np.unique(known >> 2 * _BITS)

    def score(self, facts: WindowFeatures) -> F64:
        """Number of different new pairs; NaN for the source of everything and groups that training did not see."""
        window, packed = pairs_of(facts)
        new = self._new(window, packed)
        out = np.bincount(window[new], minlength=len(facts.group)).astype(np.float64)
        out[~np.isin(facts.group, self._groups)] = np.nan
        return out

    def reasons(self, facts: WindowFeatures, window: int) -> list[Reason]:
        """The new pairs."""
        if facts.group[window] not in self._groups:
            return []
        at, packed = pairs_of(facts)
        new = packed[self._new(at, packed) & (at == window)][:3]
        out = []
        for pair in new.tolist():
            before, after = pair >> _BITS & _MASK, pair & _MASK
            if before == START:
                out.append(Reason("it begins with {0}, which never began one", (after,)))
            elif after == END:
                out.append(Reason("it ends after {0}, where none ended before", (before,)))
            else:
                out.append(Reason("{1} right after {0}, never seen before", (before, after)))
        return out

    def _new(self, window: I64, packed: I64) -> BOOL:
        if not len(self._known):
            return np.zeros(len(packed), np.bool_)
        at = np.minimum(np.searchsorted(self._known, packed), len(self._known) - 1)
        new: BOOL = self._known[at] != packed
        new[1:] &= (packed[1:] != packed[:-1]) | (window[1:] != window[:-1])
        return new

    def arrays(self) -> Arrays:
        """The pairs."""
        return {"known": self._known}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Read what ``arrays`` gave."""
        return cls(np.asarray(arrays["known"], np.int64))
