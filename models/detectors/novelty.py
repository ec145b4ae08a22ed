"""Templates never seen before, or never in this group.

A template without a token counts 1, one that training met elsewhere but never in windows of this group 0.5.
"""

from collections.abc import Mapping
from typing import Final, Self

import numpy as np

from models.arrays import splits
from models.detectors.base import Arrays, Reason
from models.features.vocabulary import NEW
from models.features.window_features import WindowFeatures
from models.records import BOOL, F64, I64

ELSEWHERE: Final = 0.5


class Novelty:
    """``known`` maps a group to the tokens that it was seen with."""

    name = "novelty"

    def __init__(self, known: Mapping[int, I64]) -> None:
        self._known = dict(known)

    def score(self, facts: WindowFeatures) -> F64:
        """Weighted number of different new templates; never NaN: what is new needs no baseline."""
        tally = facts.token_counts
        total = splits(self._foreign(facts).astype(np.int64))
        foreign = total[tally.splits[1:]] - total[tally.splits[:-1]]
        unseen = facts.unseen()
        out: F64 = ELSEWHERE * foreign.astype(np.float64)
        out[unseen.window] += unseen.count
        return out

    def reasons(self, facts: WindowFeatures, window: int) -> list[Reason]:
        """New templates have no token, so only their number is said."""
        count = int(facts.unseen().take(np.array([window])).count.sum())
        out = []
        if count:
            out.append(Reason(f"{count} template{'s' if count > 1 else ''} never seen in training"))
        entries = slice(int(facts.token_counts.splits[window]), int(facts.token_counts.splits[window + 1]))
        foreign = facts.token_counts.token[entries][self._foreign(facts)[entries]]
        return out + [Reason("{0} is new here", (token,)) for token in foreign.tolist()[:3]]

    def _foreign(self, facts: WindowFeatures) -> BOOL:
        """Whether each entry of the tally is known, but not to its group."""
        tally = facts.token_counts
        group = facts.group[tally.window]
        out = np.zeros(len(tally.token), np.bool_)
        for number, known in self._known.items():
            mine = np.flatnonzero(group == number)
            out[mine] = ~np.isin(tally.token[mine], known)
        kept: BOOL = out & (tally.token != NEW)
        return kept

    def arrays(self) -> Arrays:
        """Tokens per group."""
        return {str(group): known.astype(np.int32) for group, known in self._known.items()}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Read what ``arrays`` gave."""
        return cls({int(group): np.asarray(known, np.int64) for group, known in arrays.items()})
