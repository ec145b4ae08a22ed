"""Windows of normal operation that the counting detectors are fitted on: at most so many of each group.

Which windows are kept is decided by a hash of their contents and end, so it neither depends on the order of reading nor
favours a time.
"""

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from models.arrays import splits, unique
from models.features.window_features import TokenCounts, WindowFeatures
from models.records import I64, U64

LIMIT: Final = 20_000
"""Windows kept of each group; a judgement: it bounds the memory of a training."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Windows (n,) of one group.

    ``tally`` counts all tokens of each window, ``early`` those of its oldest step, ``begun`` those before its newest
    step; ``errors`` are error rows, ``end`` is in microseconds since 1970.
    """

    tally: TokenCounts
    early: TokenCounts
    begun: TokenCounts
    errors: I64
    end: I64

    def __len__(self) -> int:
        return len(self.errors)


@dataclass(slots=True)
class Samples:
    """Collects windows of every group; ``step`` is the length of a step in seconds."""

    step: float
    _parts: dict[int, list[tuple[U64, Sample]]] = field(default_factory=dict)

    def add(self, facts: WindowFeatures, errors: I64, chosen: I64) -> None:
        """Add those of the chosen windows that are complete and of a known group; ``errors`` is (windows,)."""
        early, begun = facts.first_step(self.step), facts.before_last_step(self.step)
        chosen = chosen[facts.complete[chosen] & (facts.group[chosen] >= 0)]
        salt = (facts.windows.end.astype(np.uint64) << np.uint64(20)) ^ facts.token_counts.hashes()
        for group in unique(facts.group[chosen]).tolist():
            of_group = chosen[facts.group[chosen] == group]
            parts = self._parts.setdefault(group, [])
            sample = Sample(
                facts.token_counts.take(of_group),
                early.take(of_group),
                begun.take(of_group),
                errors[of_group],
                facts.windows.end[of_group],
            )
            parts.append((salt[of_group], sample))
            if sum(len(part) for _, part in parts) > 2 * LIMIT:
                self._parts[group] = [_lowest(parts)]

    def of(self, group: int) -> Sample | None:
        """The windows kept of a group, None where there is none."""
        parts = self._parts.get(group)
        return None if not parts else _lowest(parts)[1]

    def groups(self) -> list[int]:
        """Groups with a window."""
        return sorted(self._parts)


def _lowest(parts: list[tuple[U64, Sample]]) -> tuple[U64, Sample]:
    """The LIMIT windows with the lowest hashes."""
    salt = np.concatenate([salt for salt, _ in parts])
    whole = Sample(
        join([part.tally for _, part in parts]),
        join([part.early for _, part in parts]),
        join([part.begun for _, part in parts]),
        np.concatenate([part.errors for _, part in parts]),
        np.concatenate([part.end for _, part in parts]),
    )
    order = np.argsort(_spread(salt), kind="stable")[:LIMIT]
    kept = Sample(
        whole.tally.take(order), whole.early.take(order), whole.begun.take(order), whole.errors[order], whole.end[order]
    )
    return salt[order], kept


def _spread(salt: U64) -> U64:
    """Spread bits (two steps of the finaliser of MurmurHash3)."""
    out: U64 = (salt ^ (salt >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
    return out


def join(tallies: list[TokenCounts]) -> TokenCounts:
    """Join token counts, in order."""
    return TokenCounts(
        splits(np.concatenate([np.diff(tally.splits) for tally in tallies])),
        np.concatenate([tally.token for tally in tallies]),
        np.concatenate([tally.count for tally in tallies]),
    )
