"""Logs → bundle."""

import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import numpy as np

from models.bundle import Bundle
from models.detectors.lstm import LstmDetector
from models.errors import InvalidError
from models.features.sequences import SHARED, build, kind_numbers
from models.features.window_features import Groups, WindowFeatures
from models.pipeline import PipelineConfig
from models.records import WindowBatch
from models.rfc3339 import time_text
from training.calibration import calibrate, score_normal
from training.datasets import Survey, select, split_of, survey, windows
from training.export import to_onnx
from training.fault_screening import SuspectBlocks, screen
from training.fit_detectors import DetectorTrainer
from training.fit_lstm import Corpus, FitConfig, fit

_LIBRARIES: Final = ("tensorflow", "keras", "tf2onnx", "onnxruntime", "polars", "numpy")


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """Everything that decides a training but the files.

    ``keep_all`` takes the logs for free of faults: what looks like one is learnt like all else.
    """

    pipeline: PipelineConfig = field(default_factory=PipelineConfig)
    fit: FitConfig = field(default_factory=FitConfig)
    seed: int = 1
    keep_all: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """Where progress goes: sentences, and lines read."""

    message: Callable[[str], None]
    lines: Callable[[int], None]


def train(paths: Sequence[str | Path], config: TrainConfig, base: Bundle | None, told: Progress) -> Bundle:
    """Passes over the files: templates, what looks like faults (two), sequences, calibration.

    Raises:
        InvalidError: the files hold too little to learn from.
    """
    found = survey(paths, config.pipeline, base.table if base else None, told.lines)
    told.message(
        f"{found.events:,} events of {found.lines:,} lines, {len(found.table):,} templates, {len(found.spans)} tenants"
    )
    doubtful = SuspectBlocks() if config.keep_all else screen_faults(paths, config.pipeline, found, told)
    return learn(paths, config, found, doubtful, told)


def screen_faults(paths: Sequence[str | Path], config: PipelineConfig, found: Survey, told: Progress) -> SuspectBlocks:
    """What looks like faults, named for people; it does not depend on a seed."""
    doubtful = screen(paths, config, found, told.lines)
    if len(doubtful):
        told.message(doubtful.describe())
    return doubtful


def learn(
    paths: Sequence[str | Path], config: TrainConfig, found: Survey, doubtful: SuspectBlocks, told: Progress
) -> Bundle:
    """The last two passes, from what those before gave; what is held back is ``split_of(found, seed)``.

    Raises:
        InvalidError: the files hold too little to learn from.
    """
    split = split_of(found, config.seed)
    corpus = Corpus()
    groups = Groups(found.services)
    learner = DetectorTrainer(found.vocabulary, groups, config.pipeline.windows.step)
    example: WindowBatch | None = None
    for closed, _ in windows(paths, config.pipeline, found.table):
        trained = split.trained(closed) & config.pipeline.windows.on_grid(closed) & doubtful.outside(closed)
        learner.add(WindowFeatures.of(closed, found.vocabulary, groups), trained)
        sequences = trained & (kind_numbers(closed) != SHARED)
        chosen = select(closed, np.flatnonzero(sequences))
        if len(chosen):
            corpus.add(build(chosen, found.vocabulary))
            example = chosen if example is None or len(chosen) > len(example) else example
        told.lines(len(closed))
    if example is None:
        raise InvalidError("no window of these files can be trained on", "give logs of at least a few minutes")
    model, loss = fit(corpus, len(found.vocabulary), config.fit, config.seed, told.message)
    probe = build(example, found.vocabulary)[0]
    onnx = to_onnx(model, probe.inputs[:512], probe.targets[:512])
    companions = learner.fit()
    again = windows(paths, config.pipeline, found.table)
    scored = score_normal(again, LstmDetector(onnx, found.vocabulary), companions, split.held, told.lines)
    fusion = calibrate(scored, split.days(found.spans), told.message)
    return Bundle(
        onnx,
        found.vocabulary,
        found.table,
        config.pipeline.masks,
        companions,
        fusion,
        config.pipeline.windows,
        _facts(config, found, len(doubtful), loss, len(scored)),
    )


def _facts(config: TrainConfig, found: Survey, left_out: int, loss: float, samples: int) -> dict[str, Any]:
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
        "stretches_left_out": left_out,
        "python": platform.python_version(),
        # Not of the distributions: TensorFlow comes as tensorflow or as tensorflow-cpu.
        "libraries": {name: str(import_module(name).__version__) for name in _LIBRARIES},
    }
