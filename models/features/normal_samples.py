"""Windows of normal operation that the counting detectors are fitted on: at most so many of each group.

Which windows are kept is a matter of their hash, so it neither depends on the order of reading nor favours a time.
"""

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from models.arrays import splits
from models.features.window_features import TokenCounts, WindowFeatures
from models.records import I64, U64

LIMIT: Final = 20_000
"""Windows kept of each group."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Windows of one group: what they hold, in their oldest step, before their newest; how many rows are errors.

    ``end`` (n,) in microseconds since 1970.
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
    """Collects windows; ``step`` in seconds."""

    step: float
    _parts: dict[int, list[tuple[U64, Sample]]] = field(default_factory=dict)

    def add(self, facts: WindowFeatures, errors: I64, at: I64) -> None:
        """Add the sound ones of the windows ``at``; ``errors`` is shaped (windows,)."""
        early, begun = facts.first_step(self.step), facts.before_last_step(self.step)
        at = at[facts.complete[at] & (facts.group[at] >= 0)]
        salt = (facts.windows.end.astype(np.uint64) << np.uint64(20)) ^ facts.token_counts.hashes()
        for group in np.unique(facts.group[at]).tolist():
            mine = at[facts.group[at] == group]
            parts = self._parts.setdefault(group, [])
            sample = Sample(
                facts.token_counts.take(mine), early.take(mine), begun.take(mine), errors[mine], facts.windows.end[mine]
            )
            parts.append((salt[mine], sample))
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
    out: U64 = (salt ^ (salt >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
    return out


def join(tallies: list[TokenCounts]) -> TokenCounts:
    """One tally of several, in order."""
    return TokenCounts(
        splits(np.concatenate([np.diff(tally.splits) for tally in tallies])),
        np.concatenate([tally.token for tally in tallies]),
        np.concatenate([tally.count for tally in tallies]),
    )
