"""Logs → bundle."""

import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import numpy as np

from models.bundle import Bundle
from models.detectors.base import TemplateText
from models.detectors.lstm import LstmDetector
from models.errors import InvalidError
from models.features.sequences import SHARED, build, kind_numbers
from models.features.vocabulary import SPECIAL, Vocabulary
from models.features.window_features import Groups, WindowFeatures
from models.pipeline import PipelineConfig
from models.records import WindowBatch
from models.rfc3339 import time_text
from models.scorer import raw_scores
from training.calibration import calibrate, score_normal
from training.datasets import Survey, scored_windows, select, split_of, survey, windows
from training.export import to_onnx
from training.fault_screening import SuspectBlocks, screen
from training.fit_detectors import DetectorTrainer
from training.fit_lstm import Corpus, FitConfig, fit
from training.report import check_enough, report

_LIBRARIES: Final = ("tensorflow", "keras", "tf2onnx", "onnxruntime", "polars", "numpy")


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """Everything that decides a training but the files.

    ``keep_all`` takes the logs for free of faults: what looks like one is learnt like all else.  ``left_out`` are
    stretches that are known to be faulty (begin and end in microseconds): neither learnt nor calibrated on.
    """

    pipeline: PipelineConfig = field(default_factory=PipelineConfig)
    fit: FitConfig = field(default_factory=FitConfig)
    seed: int = 1
    keep_all: bool = False
    left_out: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class TrainingProgress:
    """Where progress goes: sentences, and lines read."""

    message: Callable[[str], None]
    lines: Callable[[int], None]


def train(paths: Sequence[str | Path], config: TrainConfig, base: Bundle | None, progress: TrainingProgress) -> Bundle:
    """Passes over the files: templates, what looks like faults (two), sequences, calibration.

    Raises:
        InvalidError: the files hold too little to learn from.
    """
    data = survey(paths, config.pipeline, base.table if base else None, progress.lines)
    check_enough(data)
    for sentence in data.describe():
        progress.message(sentence)
    doubtful = SuspectBlocks() if config.keep_all else screen_faults(paths, config.pipeline, data, progress)
    bundle = learn(paths, config, data, replace(doubtful, named=config.left_out), progress)
    for sentence in report(data, bundle):
        progress.message(sentence)
    return bundle


def screen_faults(
    paths: Sequence[str | Path], config: PipelineConfig, data: Survey, progress: TrainingProgress
) -> SuspectBlocks:
    """What looks like faults, named for people; it does not depend on a seed."""
    doubtful = screen(paths, config, data, progress.lines)
    if len(doubtful):
        progress.message(doubtful.describe())
    return doubtful


def learn(
    paths: Sequence[str | Path], config: TrainConfig, data: Survey, doubtful: SuspectBlocks, progress: TrainingProgress
) -> Bundle:
    """The last two passes, from what those before gave; what is held back is ``split_of(found, seed)``.

    Raises:
        InvalidError: the files hold too little to learn from.
    """
    split = split_of(data, config.seed)
    corpus = Corpus()
    groups = Groups(data.services)
    learner = DetectorTrainer(data.vocabulary, groups, config.pipeline.windows.step, _texts(data))
    example: WindowBatch | None = None
    for closed in windows(paths, config.pipeline, data.table):
        sound = config.pipeline.windows.on_grid(closed) & doubtful.outside(closed)
        trained = split.trained(closed) & sound
        learner.add(WindowFeatures.of(closed, data.vocabulary, groups), trained, sound)
        sequences = trained & (kind_numbers(closed) != SHARED)
        chosen = select(closed, np.flatnonzero(sequences))
        if len(chosen):
            corpus.add(build(chosen, data.vocabulary))
            example = chosen if example is None or len(chosen) > len(example) else example
        progress.lines(len(closed))
    if example is None:
        raise InvalidError("no window of these files can be trained on", "give logs of at least a few minutes")
    model, loss = fit(corpus, len(data.vocabulary), config.fit, config.seed, progress.message)
    probe = build(example, data.vocabulary)[0]
    onnx = to_onnx(model, probe.inputs[:512], probe.targets[:512])
    companions = learner.fit()
    score = partial(raw_scores, lstm=LstmDetector(onnx, data.vocabulary), detectors=companions)
    again = scored_windows(paths, config.pipeline, data.table, score)
    scored = score_normal(
        again, config.pipeline.windows, companions, split.held, progress.lines, doubtful.outside_named
    )
    fusion = calibrate(scored, split.days(data.spans), progress.message, companions.evidence)
    return Bundle(
        onnx,
        Vocabulary(data.vocabulary.ids.tolist(), data.rare),
        data.table,
        config.pipeline.masks,
        companions,
        fusion,
        config.pipeline.windows,
        _facts(config, data, len(doubtful), loss, len(scored)),
    )


def _texts(data: Survey) -> TemplateText:
    """Token → masked text of its template."""
    return lambda token: data.table.text(int(data.vocabulary.ids[token - SPECIAL])) or ""


def _facts(config: TrainConfig, data: Survey, left_out: int, loss: float, samples: int) -> dict[str, Any]:
    return {
        "seed": config.seed,
        "lines": data.lines,
        "events": data.events,
        "templates": len(data.table),
        "tenants": len(data.spans),
        "from": time_text(min(low for low, _ in data.spans.values())),
        "to": time_text(max(high for _, high in data.spans.values())),
        "nats_per_event": round(loss, 4),
        "calibration_windows": samples,
        "stretches_left_out": left_out,
        "python": platform.python_version(),
        # Not of the distributions: TensorFlow comes as tensorflow or as tensorflow-cpu.
        "libraries": {name: str(import_module(name).__version__) for name in _LIBRARIES},
    }
