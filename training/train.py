"""Logs → bundle."""

import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np

from models.bundle import Bundle
from models.calibrate import Calibration, fit_tail
from models.companions import UNITS, Companions
from models.config import PipelineConfig
from models.detectors.lstm import LstmDetector
from models.errors import InvalidError
from models.facts import Facts, Groups
from models.fusion import Fusion, blocks_of, fit_extremes, joint
from models.records import BOOL, F32, F64, I32, I64, WindowBatch
from models.sequences import SHARED, build, kind_numbers
from models.verdicts import time_text
from training.companions import Learner
from training.datasets import Split, Survey, split_of, survey, windows
from training.export import to_onnx
from training.fit import Corpus, FitConfig, fit

FEW: Final = 500
"""Fewer windows than this behind a threshold are worth a warning."""

FEW_BLOCKS: Final = 6
"""So are fewer blocks of ten minutes: two or three promise so little that a small budget lets hardly anything fire."""

_LIBRARIES: Final = ("tensorflow", "keras", "tf2onnx", "onnxruntime", "polars", "numpy")
_MIN_DAYS: Final = 1 / 96


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """Everything that decides a training but the files."""

    pipeline: PipelineConfig = field(default_factory=PipelineConfig)
    fit: FitConfig = field(default_factory=FitConfig)
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Told:
    """Where progress goes: sentences, and lines read."""

    say: Callable[[str], None]
    count: Callable[[int], None]


def train(paths: Sequence[str | Path], config: TrainConfig, base: Bundle | None, told: Told) -> Bundle:
    """Three passes over the files: templates, sequences, calibration.

    Raises:
        InvalidError: the files hold too little to learn from.
    """
    found = survey(paths, config.pipeline, base.table if base else None, told.count)
    told.say(
        f"{found.events:,} events of {found.lines:,} lines, {len(found.table):,} templates, {len(found.spans)} tenants"
    )
    split = split_of(found)
    corpus = Corpus()
    learner = Learner(found.vocabulary, Groups(found.services), config.pipeline.windows.step)
    example: WindowBatch | None = None
    for closed, _ in windows(paths, config.pipeline, found.table):
        trained = split.trained(closed)
        learner.add(closed, trained)
        sequences = trained & (kind_numbers(closed) != SHARED)
        chosen = select(closed, np.flatnonzero(sequences))
        if len(chosen):
            corpus.add(build(chosen, found.vocabulary))
            example = chosen if example is None or len(chosen) > len(example) else example
        told.count(len(closed))
    if example is None:
        raise InvalidError("no window of these files can be trained on; give logs of at least a few minutes")
    model, loss = fit(corpus, len(found.vocabulary), config.fit, config.seed, told.say)
    probe = build(example, found.vocabulary)[0]
    onnx = to_onnx(model, probe.inputs[:512], probe.targets[:512])
    companions = learner.fit()
    scored = score_held(paths, config, found, split, LstmDetector(onnx, found.vocabulary), companions, told)
    fusion = calibrate(scored, found, split)
    samples = len(scored.kinds)
    few = samples < FEW or max(extremes.blocks for extremes in fusion.fused.values()) < FEW_BLOCKS
    told.say(f"calibrated on {samples:,} windows" + (" (few: at a small budget little will fire)" if few else ""))
    return Bundle(
        onnx,
        found.vocabulary,
        found.table,
        config.pipeline.masks,
        companions,
        fusion,
        config.pipeline.windows,
        _facts(config, found, loss, samples),
    )


@dataclass(frozen=True, slots=True)
class Held:
    """Held-back windows of normal operation: their kinds (n,), blocks (n,) and raw scores (n,) by detector."""

    kinds: I32
    blocks: I64
    raws: Mapping[str, F64]


def score_held(  # noqa: PLR0913 - one part of the training each
    paths: Sequence[str | Path],
    config: TrainConfig,
    found: Survey,
    split: Split,
    lstm: LstmDetector,
    companions: Companions,
    told: Told,
) -> Held:
    """Score the held-back windows with every detector.

    Kinds of which none was held back are judged by what was trained on: flattering, but not nothing.
    """
    kinds: list[I32] = []
    tenants: list[str] = []
    ends: list[I64] = []
    held: list[BOOL] = []
    raws: dict[str, list[F32]] = {}
    for closed, store in windows(paths, config.pipeline, found.table):
        scored = lstm.score(closed)
        if scored.surprise is not None:
            store.remember(closed, scored.surprise)
        kinds.append(kind_numbers(closed))
        tenants += closed.tenants
        ends.append(closed.end)
        held.append(split.held(closed))
        others = companions.score(Facts.of(closed, found.vocabulary, companions.groups))
        for name, raw in {lstm.name: scored.raw, **others}.items():
            raws.setdefault(name, []).append(raw.astype(np.float32))
        told.count(len(closed))
    kind, is_held = np.concatenate(kinds), np.concatenate(held)
    chosen = np.flatnonzero(is_held | ~np.isin(kind, kind[is_held]))
    blocks = blocks_of([tenants[i] for i in chosen.tolist()], np.concatenate(ends)[chosen])
    scores = {name: np.concatenate(parts)[chosen].astype(np.float64) for name, parts in raws.items()}
    return Held(kind[chosen], blocks, scores)


def calibrate(held: Held, found: Survey, split: Split) -> Fusion:
    """Tails of each detector per kind of window, and of their joint strength."""
    days = max(split.days(found.spans), _MIN_DAYS)
    parts = {}
    for name, raw in held.raws.items():
        tails = {}
        for kind in np.unique(held.kinds).tolist():
            mine = raw[(held.kinds == kind) & ~np.isnan(raw)]
            if len(mine):
                tails[kind] = fit_tail(mine, UNITS[name])
        if tails:
            parts[name] = Calibration(tails)
    strength = joint(Fusion(parts, {}).strengths(held.kinds, held.raws), len(held.kinds))
    fused = {}
    for kind in np.unique(held.kinds).tolist():
        mine = held.kinds == kind
        fused[kind] = fit_extremes(strength[mine], held.blocks[mine], days)
    return Fusion(parts, fused)


def select(batch: WindowBatch, at: np.ndarray[Any, np.dtype[np.int64]]) -> WindowBatch:
    """The windows with these numbers."""
    from models.ragged import ranges, splits

    if len(at) == len(batch):
        return batch
    rows = ranges(batch.splits[at], batch.splits[at + 1])
    return WindowBatch(
        tenants=[batch.tenants[i] for i in at.tolist()],
        kinds=batch.kinds[at],
        keys=[batch.keys[i] for i in at.tolist()],
        start=batch.start[at],
        end=batch.end[at],
        splits=splits(batch.splits[at + 1] - batch.splits[at]),
        fresh=batch.fresh[at],
        context=batch.context[at],
        continuations=batch.continuations[at],
        whole=batch.whole[at],
        time=batch.time[rows],
        template=batch.template[rows],
        level=batch.level[rows],
        partition=batch.partition[rows],
        offset=batch.offset[rows],
        values=batch.values[rows],
        surprise=batch.surprise[rows],
        row_ids=batch.row_ids[rows],
    )


def _facts(config: TrainConfig, found: Survey, loss: float, samples: int) -> dict[str, Any]:
    return {
        "seed": config.seed,
        "lines": found.lines,
        "events": found.events,
        "templates": len(found.table),
        "tenants": len(found.spans),
        "from": time_text(min(low for low, _ in found.spans.values())),
        "to": time_text(max(high for _, high in found.spans.values())),
        "nats_per_event": round(loss, 4),
        "calibration_windows": samples,
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in _LIBRARIES},
    }
