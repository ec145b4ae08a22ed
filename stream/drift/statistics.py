"""The statistics of drift: is it more than chance, and how far have scores moved?"""

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from models.records import F64

LEAST_SHARE: Final = 1e-4
"""Share that an empty bin counts as, so that the index stays finite: a judgement."""


def binomial_tail(count: int, trials: int, share: float) -> float:
    """Return the probability that at least ``count`` of ``trials`` come, where each does with this ``share``."""
    if count <= 0:
        return 1.0
    log_terms = [
        math.lgamma(trials + 1)
        - math.lgamma(k + 1)
        - math.lgamma(trials - k + 1)
        + k * math.log(share)
        + (trials - k) * math.log1p(-share)
        for k in range(count, trials + 1)
    ]
    return min(sum(map(math.exp, log_terms)), 1.0)


def stability_index(usual: Sequence[tuple[float, float]], scores: F64) -> float:
    """Return the population stability index of scores (n,) against what is usual.

    ``usual`` are ascending scores, each with the share of normal ones at or below it.  Source: Siddiqi, Credit Risk
    Scorecards (2006): below 0.1 nothing has moved, above 0.25 much has.
    """
    edges, at_most = np.array(usual).T
    share = np.searchsorted(np.sort(scores), edges, "right") / len(scores)
    expected, actual = (
        np.maximum(np.diff(np.concatenate([[0.0], below, [1.0]])), LEAST_SHARE) for below in (at_most, share)
    )
    return float(((actual - expected) * np.log(actual / expected)).sum())
