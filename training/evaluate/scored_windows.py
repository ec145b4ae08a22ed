"""Windows of files with everything that is said of them."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.arrays import splits
from models.bundle import Bundle
from models.calibration.service_state import errors_only
from models.features.sequences import kind_numbers
from models.pipeline import PipelineConfig, scored_files
from models.records import BOOL, F64, I32, I64, Level, WindowBatch
from models.scorer import Decisions, Scorer
from models.windows.scoring import WindowScorer
from models.windows.store import WindowStore


@dataclass(frozen=True, slots=True)
class ScoredWindows:
    """Windows (n,) in the order in which they closed, with the score of the product's own scorer.

    ``strengths`` are those that count, so 0 where a service is not known well enough for its detector to have a say.

    ``errors`` and ``unseen`` are what trivial rules look at: a line of level ERROR or above, a template that is not in
    the table.  ``fired`` names the service that a window speaks of, for those that fire at one false alarm a day.
    """

    tenants: list[str]
    keys: list[str]
    kinds: I32
    start: I64
    end: I64
    score: F64
    strengths: Mapping[str, F64]
    errors: BOOL
    unseen: BOOL
    fired: Mapping[int, str]

    def __len__(self) -> int:
        return len(self.keys)

    @classmethod
    def empty(cls) -> "ScoredWindows":
        """No windows."""
        none, flags = np.zeros(0, np.int64), np.zeros(0, np.bool_)
        return cls([], [], np.zeros(0, np.int32), none, none, np.zeros(0), {}, flags, flags, {})

    def take(self, chosen: I64) -> "ScoredWindows":
        """The windows with these numbers, ascending."""
        position = {window: i for i, window in enumerate(chosen.tolist())}
        return ScoredWindows(
            tenants=[self.tenants[i] for i in position],
            keys=[self.keys[i] for i in position],
            kinds=self.kinds[chosen],
            start=self.start[chosen],
            end=self.end[chosen],
            score=self.score[chosen],
            strengths={name: strength[chosen] for name, strength in self.strengths.items()},
            errors=self.errors[chosen],
            unseen=self.unseen[chosen],
            fired={position[i]: service for i, service in self.fired.items() if i in position},
        )


def pipeline_for(bundle: Bundle, config: PipelineConfig) -> PipelineConfig:
    """How a bundle reads lines: with its own masks and windows."""
    return PipelineConfig(config.decode, bundle.masks, config.rules, bundle.windows)


def score_paths(
    bundle: Bundle,
    paths: Sequence[str | Path],
    config: PipelineConfig,
    count: Callable[[int], None],
    wanted: Callable[[WindowBatch], BOOL] | None = None,
) -> ScoredWindows:
    """Score files as ``tocsin score`` does, and keep the ``wanted`` windows, or all."""
    scorer = WindowScorer(WindowStore(bundle.windows), Scorer(bundle).decide)
    known = np.fromiter(bundle.table, np.uint64, len(bundle.table))
    parts: list[ScoredWindows] = []
    pipeline = pipeline_for(bundle, config)
    processor = pipeline.processor(bundle.table, bundle.detectors.groups.services)
    for decided, processed in scored_files(paths, processor, scorer):
        count(processed.received if processed is not None else 0)
        closed = decided.windows
        if not len(closed):
            continue
        part = ScoredWindows(
            tenants=list(map(sys.intern, closed.tenants)),
            keys=closed.keys,
            kinds=kind_numbers(closed),
            start=closed.start,
            end=closed.end,
            score=decided.score,
            strengths=errors_only(decided.parts, ~decided.errors_only),
            errors=_any(closed, closed.level >= Level.ERROR),
            unseen=_any(closed, ~np.isin(closed.template, known)),
            fired=_services(decided),
        )
        parts.append(part.take(np.flatnonzero(wanted(closed))) if wanted else part)
    return joined(parts)


def joined(parts: Sequence[ScoredWindows]) -> ScoredWindows:
    """One table of several, in order."""
    first = splits(np.array([len(part) for part in parts], np.int64)).tolist()
    names = {name for part in parts for name in part.strengths}

    def strength(part: ScoredWindows, name: str) -> F64:
        return part.strengths.get(name, np.zeros(len(part)))

    if not parts:
        return ScoredWindows.empty()
    arrays = ("kinds", "start", "end", "score", "errors", "unseen")
    return ScoredWindows(
        tenants=[tenant for part in parts for tenant in part.tenants],
        keys=[key for part in parts for key in part.keys],
        strengths={name: np.concatenate([strength(part, name) for part in parts]) for name in sorted(names)},
        fired={
            offset + i: service for offset, part in zip(first, parts, strict=False) for i, service in part.fired.items()
        },
        **{name: np.concatenate([getattr(part, name) for part in parts]) for name in arrays},
    )


def _services(decided: Decisions) -> dict[int, str]:
    """The service of each window that fires, or its key where it has none."""
    fired = np.flatnonzero(decided.fired).tolist()
    verdicts = zip(fired, decided.verdicts(fired), strict=True)
    return {i: (verdict.services or (verdict.key,))[0] for i, verdict in verdicts}


def _any(windows: WindowBatch, flags: BOOL) -> BOOL:
    """Whether any row of each window (n,) is flagged."""
    total = splits(flags.astype(np.int64))
    is_flagged: BOOL = total[windows.splits[1:]] > total[windows.splits[:-1]]
    return is_flagged
