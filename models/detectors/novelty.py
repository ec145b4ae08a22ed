"""Templates never seen before, or never in this group.

A template without a token counts 1, one that training met elsewhere but never in windows of this group 0.5.

New texts of little weight (``models.features.passing_over``) are one remark, however many there are: somebody upgraded.
Those of level DEBUG count nothing: somebody switched them on.
"""

from collections.abc import Mapping
from typing import Final, Self

import numpy as np

from models.arrays import among, splits, unique
from models.detectors.base import Arrays, TemplateText, by_window
from models.features.passing_over import is_weak
from models.features.vocabulary import NEW
from models.features.window_features import WindowFeatures
from models.findings import Finding, FindingKind, to_millisecond
from models.records import BOOL, F64, I64, Level

ELSEWHERE: Final = 0.5
"""What a template counts that training met in another group only: a judgement, half of one that it never met."""

REMARK: Final = 0.25
"""What all new texts of little weight of a window count together: a judgement."""

_WEAK_LEVEL: Final = "weak_level"
"""Name of the array that holds the level; older bundles have none, and weigh all levels alike."""

_SHOWN: Final = 3
"""Templates of other groups that are named, a judgement."""


class Novelty:
    """``known`` maps a group to the tokens that it was seen with; new texts up to ``weak_level`` have little weight."""

    name = "novelty"

    def __init__(self, known: Mapping[int, I64], weak_level: int = Level.UNKNOWN) -> None:
        self._known = {group: np.sort(tokens) for group, tokens in known.items()}
        self._weak_level = weak_level

    def score(self, features: WindowFeatures) -> F64:
        """Return the weighted number of different new templates; never NaN, as what is new needs no baseline."""
        counts = features.token_counts
        total = splits(self._foreign(features).astype(np.int64))
        foreign = total[counts.splits[1:]] - total[counts.splits[:-1]]
        weak = is_weak(features, self._weak_level)
        unseen = features.unseen(weak)
        scores: F64 = ELSEWHERE * foreign.astype(np.float64)
        scores[unseen.window] += unseen.count
        scores[unique(features.window[weak & (features.windows.level != Level.DEBUG)])] += REMARK
        return scores

    def findings(self, features: WindowFeatures, windows: I64, text: TemplateText) -> list[list[Finding]]:
        """Return how many templates have no token, hence no text; and the first that are new to this group."""
        template, counts = features.windows.template, features.token_counts
        new = np.flatnonzero(features.tokens == NEW)
        new = new[~features.vocabulary.is_rare(template[new])]
        foreign = np.flatnonzero(self._foreign(features))
        out: list[list[Finding]] = []
        for rows, entries in zip(
            by_window(new, features.windows.splits, windows), by_window(foreign, counts.splits, windows), strict=True
        ):
            findings = []
            if len(rows):
                first = to_millisecond(int(features.windows.time[rows].min()))
                findings.append(Finding(FindingKind.NEW_MESSAGE, count=len(unique(template[rows])), moment=first))
            tokens = counts.token[entries[:_SHOWN]].tolist()
            findings += [Finding(FindingKind.NEW_HERE, text(token)) for token in tokens]
            out.append(findings)
        return out

    def _foreign(self, features: WindowFeatures) -> BOOL:
        """Whether each entry of the token counts is known, but not to its group."""
        counts = features.token_counts
        group = features.group[counts.window]
        foreign = np.zeros(len(counts.token), np.bool_)
        for number, known in self._known.items():
            entries = np.flatnonzero(group == number)
            foreign[entries] = ~among(counts.token[entries], known)
        with_token: BOOL = foreign & (counts.token != NEW)
        return with_token

    def arrays(self) -> Arrays:
        """Return the tokens of each group."""
        known = {str(group): known.astype(np.int32) for group, known in self._known.items()}
        weak = {_WEAK_LEVEL: np.array([self._weak_level], np.int32)} if self._weak_level else {}
        return known | weak

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Make a detector of what ``arrays`` returned."""
        known = {int(group): np.asarray(known, np.int64) for group, known in arrays.items() if group != _WEAK_LEVEL}
        return cls(known, int(arrays[_WEAK_LEVEL][0]) if _WEAK_LEVEL in arrays else Level.UNKNOWN)
