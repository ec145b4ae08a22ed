"""Which stretches of the training logs look like faults, so that nothing is learnt from them.

The detectors beside the LSTM are fitted to two thirds of the logs and judge the last third, in turn (cross-fitting, as
in Chernozhukov et al. 2018): a fault then is as strange as it will be in serving, and not known from itself.
"""

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from models.calibration.fusion import BLOCK_US, blocks_of
from models.features.sequences import SHARED, kind_numbers
from models.features.window_features import Groups, WindowFeatures
from models.pipeline import PipelineConfig
from models.records import BOOL, F64, I64, WindowBatch
from models.rfc3339 import time_text
from training.datasets import DAY_US, HELD_BACK, Survey, select, total_us, windows
from training.fit_detectors import DetectorTrainer
from training.held_out import MIN_BLOCKS, HeldOutScores, suspect_blocks

FOLDS: Final = 3
"""Parts of the logs; two thirds judge the last, in turn."""
_TOLD: Final = 5
"""Suspect stretches that are named one by one; the rest is counted."""


@dataclass(frozen=True, slots=True)
class SuspectBlocks:
    """Stretches of ten minutes by tenant: their numbers since 1970, ascending; ``of`` is how many were looked at.

    ``named`` are stretches of all tenants that somebody named as faulty: begin and end in microseconds.
    """

    numbers: Mapping[str, I64] = field(default_factory=dict)
    of: int = 0
    named: tuple[tuple[int, int], ...] = ()

    def __len__(self) -> int:
        return sum(map(len, self.numbers.values()))

    def outside(self, batch: WindowBatch) -> BOOL:
        """Whether each window (n,) has no part in any of them."""
        out = self.outside_named(batch)
        if not self.numbers:
            return out
        tenants = np.array(batch.tenants)
        for tenant, numbers in self.numbers.items():
            of_tenant = np.flatnonzero(tenants == tenant)
            first = np.searchsorted(numbers, batch.start[of_tenant] // BLOCK_US)
            out[of_tenant] &= first == np.searchsorted(numbers, batch.end[of_tenant] // BLOCK_US, side="right")
        return out

    def outside_named(self, batch: WindowBatch) -> BOOL:
        """Whether each window (n,) has no part in a stretch that was named."""
        out = np.ones(len(batch), np.bool_)
        for begin, end in self.named:
            out &= (batch.end < begin) | (batch.start > end)
        return out

    def describe(self) -> str:
        """What people should know of it."""
        begins = sorted((number * BLOCK_US, tenant) for tenant, of in self.numbers.items() for number in of.tolist())
        named = ", ".join(f"{time_text(begin)} of {tenant}" for begin, tenant in begins[:_TOLD])
        more = f" and {len(begins) - _TOLD} more" if len(begins) > _TOLD else ""
        return (
            f"left out {len(begins)} of {self.of:,} stretches of ten minutes that look like faults: {named}{more}; "
            "if they are normal, train with --keep-all"
        )


def screen(
    paths: Sequence[str | Path], config: PipelineConfig, data: Survey, count: Callable[[int], None]
) -> SuspectBlocks:
    """Two more passes over the files; nothing is found where they are too short to tell (three hours or so)."""
    span = total_us(data.spans)
    if span < MIN_BLOCKS * BLOCK_US:
        return SuspectBlocks()
    groups = Groups(data.services)
    learners = [DetectorTrainer(data.vocabulary, groups, config.windows.step) for _ in range(FOLDS)]
    for facts, fold in _everything(paths, config, data, groups):
        for number, learner in enumerate(learners):
            learner.add(facts, fold != number)
        count(len(fold))
    fitted = [learner.fit() for learner in learners]
    tenants: list[str] = []
    ends: list[I64] = []
    raws: dict[str, list[F64]] = {}
    for facts, fold in _everything(paths, config, data, groups):
        scores = [companions.score(facts) for companions in fitted]
        tenants += facts.windows.tenants
        ends.append(facts.windows.end)
        for name in scores[0]:
            raws.setdefault(name, []).append(np.choose(fold, [score[name] for score in scores]))
        count(len(fold))
    n = len(tenants)
    if not n:
        return SuspectBlocks()
    end, every = np.concatenate(ends), np.ones(n, np.bool_)
    blocks = blocks_of(tenants, end)
    joined = {name: np.concatenate(parts) for name, parts in raws.items()}
    shared = HeldOutScores(np.full(n, SHARED, np.int32), blocks, every, every, joined)
    numbers: dict[str, set[int]] = {}
    for i in np.flatnonzero(np.isin(blocks, suspect_blocks(shared, span / DAY_US))).tolist():
        numbers.setdefault(tenants[i], set()).add(int(end[i]) // BLOCK_US)
    return SuspectBlocks(
        {tenant: np.array(sorted(of), np.int64) for tenant, of in numbers.items()}, int(blocks.max()) + 1
    )


def _everything(
    paths: Sequence[str | Path], config: PipelineConfig, data: Survey, groups: Groups
) -> Iterator[tuple[WindowFeatures, I64]]:
    """Windows over everything that end with a step, and the fold of each (n,): by tenant, or of few by time.

    Folds are drawn by hash: in turn, every stretch with the hourly job would fall into the same one.
    """
    by_tenant = len(data.spans) >= HELD_BACK
    for closed in windows(paths, config, data.table):
        rows = np.flatnonzero((kind_numbers(closed) == SHARED) & config.windows.on_grid(closed))
        if not len(rows):
            continue
        chosen = select(closed, rows)
        names = chosen.tenants if by_tenant else map(str, (chosen.end // BLOCK_US).tolist())
        fold = np.fromiter((zlib.crc32(name.encode()) % FOLDS for name in names), np.int64, len(chosen))
        yield WindowFeatures.of(chosen, data.vocabulary, groups), fold
