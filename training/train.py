"""Logs → bundle."""

import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np

from models.bundle import Bundle
from models.config import PipelineConfig
from models.detectors.lstm import LstmDetector
from models.errors import InvalidError
from models.facts import Groups
from models.records import Heard, WindowBatch
from models.sequences import SHARED, build, kind_numbers
from models.verdicts import time_text
from training.calibration import calibrate, score_normal
from training.companions import Learner
from training.datasets import Survey, split_of, survey, windows
from training.export import to_onnx
from training.fit import Corpus, FitConfig, fit

_LIBRARIES: Final = ("tensorflow", "keras", "tf2onnx", "onnxruntime", "polars", "numpy")


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
    return learn(paths, config, found, told)


def learn(paths: Sequence[str | Path], config: TrainConfig, found: Survey, told: Told) -> Bundle:
    """The passes after the first one, ``found`` being what that gave; what is held back is ``split_of(found)``.

    Raises:
        InvalidError: the files hold too little to learn from.
    """
    split = split_of(found)
    corpus = Corpus()
    learner = Learner(found.vocabulary, Groups(found.services), config.pipeline.windows.step)
    example: WindowBatch | None = None
    for closed, _ in windows(paths, config.pipeline, found.table):
        trained = split.trained(closed) & config.pipeline.windows.on_grid(closed)
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
    again = windows(paths, config.pipeline, found.table)
    scored = score_normal(again, LstmDetector(onnx, found.vocabulary), companions, split.held, told.count)
    fusion = calibrate(scored, split.days(found.spans))
    told.say(scored.told())
    return Bundle(
        onnx,
        found.vocabulary,
        found.table,
        config.pipeline.masks,
        companions,
        fusion,
        config.pipeline.windows,
        _facts(config, found, loss, len(scored)),
    )


def select(batch: WindowBatch, at: np.ndarray[Any, np.dtype[np.int64]]) -> WindowBatch:
    """The windows with these numbers, and nothing of who wrote before them: no sequence tells."""
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
        origin=batch.origin[rows],
        level=batch.level[rows],
        partition=batch.partition[rows],
        offset=batch.offset[rows],
        values=batch.values[rows],
        surprise=batch.surprise[rows],
        row_ids=batch.row_ids[rows],
        heard=Heard.nothing(batch.start[at]),
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
