"""What scores a set: a bundle, and the windows of normal logs that it was not trained on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from models.bundle import Bundle
from models.calibration.fusion import blocks_of
from models.features.sequences import kind_numbers
from models.pipeline import PipelineConfig
from models.records import BOOL, I64, WindowBatch
from training.calibration import MIN_DAYS
from training.datasets import Split, Survey, split_of, survey
from training.evaluate.scored_windows import ScoredWindows, pipeline_for, score_paths
from training.evaluate.spec import Model
from training.fault_screening import SuspectBlocks
from training.fit_lstm import FitConfig
from training.train import TrainConfig, TrainingProgress, learn, screen_faults


@dataclass(frozen=True, slots=True)
class HeldOutWindows:
    """Windows of normal logs as a calibration sees them.

    ``apart`` (n,) says which were truly held back: kinds of window of which none was are represented by what was
    trained on.  ``blocks`` (n,) numbers stretches of time, ``days`` is the time that they stand for.
    """

    windows: ScoredWindows
    apart: BOOL
    blocks: I64
    days: float
    split: Split


@dataclass(frozen=True, slots=True)
class Trained:
    """A bundle ready to score; ``held_out`` is None where no normal logs are known."""

    bundle: Bundle
    held_out: HeldOutWindows | None


@dataclass(slots=True)
class Bundles:
    """Trains or loads what sets name, each once per seed; ``logs_of`` gives the files that a model is trained on.

    ``given`` replaces every model: what they would be trained on still serves as normal logs.
    """

    config: PipelineConfig
    fit: FitConfig
    logs_of: Callable[[Model], Sequence[Path]]
    given: Path | None
    progress: TrainingProgress
    _ready: dict[tuple[Model, int], Trained] = field(default_factory=dict)
    _surveys: dict[Model, Survey] = field(default_factory=dict)
    _doubtful: dict[Model, SuspectBlocks] = field(default_factory=dict)

    def fixed(self, model: Model) -> bool:
        """Whether a seed would change nothing."""
        return self.given is not None or model.bundle is not None

    def of(self, model: Model, seed: int) -> Trained:
        """Bundle and held-back windows; ``seed`` means nothing to a model that is fixed."""
        key = (model, 0 if self.fixed(model) else seed)
        if key not in self._ready:
            self._ready[key] = self._make(model, seed)
        return self._ready[key]

    def _make(self, model: Model, seed: int) -> Trained:
        logs = self.logs_of(model)
        path = self.given or model.bundle
        if path is not None:
            bundle = Bundle.load(path)
        else:
            self.progress.message(f"training with seed {seed} on {', '.join(log.name for log in logs)}")
            config = TrainConfig(self.config, self.fit, seed)
            data = self._survey(model, logs, self.config)
            if model not in self._doubtful:
                self._doubtful[model] = screen_faults(logs, self.config, data, self.progress)
            bundle = learn(logs, config, data, self._doubtful[model], self.progress)
        if not logs:
            return Trained(bundle, None)
        data = self._survey(model, logs, pipeline_for(bundle, self.config))
        return Trained(bundle, held_out_windows(bundle, logs, self.config, data, self.progress))

    def _survey(self, model: Model, logs: Sequence[Path], config: PipelineConfig) -> Survey:
        if model not in self._surveys:
            self._surveys[model] = survey(logs, config, None, self.progress.lines)
        return self._surveys[model]


def held_out_windows(
    bundle: Bundle, paths: Sequence[Path], config: PipelineConfig, data: Survey, progress: TrainingProgress
) -> HeldOutWindows:
    """Score what a training on these files holds back."""
    split = split_of(data, int(bundle.facts.get("seed", 1)))
    kinds: set[int] = set()
    flags: list[BOOL] = []

    def wanted(windows: WindowBatch) -> BOOL:
        held_out, kind = split.held(windows), kind_numbers(windows)
        kinds.update(kind[held_out].tolist())
        chosen: BOOL = held_out | ~np.isin(kind, list(kinds))
        flags.append(held_out[chosen])
        return chosen

    kept = score_paths(bundle, paths, config, progress.lines, wanted)
    apart = np.concatenate(flags) if flags else np.zeros(0, np.bool_)
    # Others were kept until the first held-back window of their kind.
    rows = np.flatnonzero(apart | ~np.isin(kept.kinds, list(kinds)))
    windows = kept.take(rows)
    days = max(split.days(data.spans), MIN_DAYS)
    return HeldOutWindows(windows, apart[rows], blocks_of(windows.tenants, windows.end), days, split)
