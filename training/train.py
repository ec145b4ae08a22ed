"""Logs → bundle."""

import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np

from models.bundle import Bundle
from models.calibrate import Calibration, fit_tail
from models.config import PipelineConfig
from models.detectors.lstm import LstmDetector
from models.errors import InvalidError
from models.records import WindowBatch
from models.sequences import build, kind_numbers
from models.verdicts import time_text
from training.datasets import Split, Survey, split_of, survey, windows
from training.export import to_onnx
from training.fit import Corpus, FitConfig, fit

FEW: Final = 500
"""Fewer windows than this behind a threshold are worth a warning."""

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
    example: WindowBatch | None = None
    for closed, _ in windows(paths, config.pipeline, found.table):
        chosen = select(closed, np.flatnonzero(split.trained(closed)))
        if len(chosen):
            corpus.add(build(chosen, found.vocabulary))
            example = chosen if example is None or len(chosen) > len(example) else example
        told.count(len(closed))
    if example is None:
        raise InvalidError("no window of these files can be trained on; give logs of at least a few minutes")
    model, loss = fit(corpus, len(found.vocabulary), config.fit, config.seed, told.say)
    probe = build(example, found.vocabulary)[0]
    onnx = to_onnx(model, probe.inputs[:512], probe.targets[:512])
    calibration, samples = calibrate(paths, config, found, split, onnx, told)
    told.say(f"calibrated on {samples:,} windows" + (" (few: thresholds will be rough)" if samples < FEW else ""))
    facts = _facts(config, found, loss, samples)
    return Bundle(
        onnx, found.vocabulary, found.table, config.pipeline.masks, calibration, config.pipeline.windows, facts
    )


def calibrate(  # noqa: PLR0913 - one part of the training each
    paths: Sequence[str | Path], config: TrainConfig, found: Survey, split: Split, onnx: bytes, told: Told
) -> tuple[Calibration, int]:
    """Score the held-back windows and fit the tails; also how many windows stand behind them."""
    detector = LstmDetector(onnx, found.vocabulary)
    raws: dict[int, list[np.ndarray[Any, np.dtype[np.float64]]]] = {}
    everything: dict[int, list[np.ndarray[Any, np.dtype[np.float64]]]] = {}
    for closed, store in windows(paths, config.pipeline, found.table):
        scored = detector.score(closed)
        if scored.surprise is not None:
            store.remember(closed, scored.surprise)
        kinds, held = kind_numbers(closed), split.held(closed)
        for kind in np.unique(kinds).tolist():
            mine = kinds == kind
            everything.setdefault(kind, []).append(scored.raw[mine])
            raws.setdefault(kind, []).append(scored.raw[mine & held])
        told.count(len(closed))
    held_days = max(split.days(found.spans), _MIN_DAYS)
    all_days = max(sum(high - low for low, high in found.spans.values()) / 86_400e6, _MIN_DAYS)
    tails = {}
    for kind, parts in raws.items():
        raw, days = np.concatenate(parts), held_days
        if not len(raw):
            # A kind that the held-back part lacks is judged by what was trained on: flattering, but not nothing.
            raw, days = np.concatenate(everything[kind]), all_days
        tails[kind] = fit_tail(raw, days)
    return Calibration(tails), sum(len(part) for parts in raws.values() for part in parts)


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
