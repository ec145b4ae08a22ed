"""Sets of data → all figures, as one plain record."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np

from models.pipeline import PipelineConfig
from training.evaluate.ablations import BUDGET, FUSED, RULES, Variant, variants
from training.evaluate.judges.chains import chain_streams, read_faults
from training.evaluate.judges.runs import RunJudge, read_runs
from training.evaluate.judges.sessions import SESSION_KINDS, SessionJudge, held_threshold, read_labels, worst
from training.evaluate.judges.simulated import FaultJudge, Stream, write_streams
from training.evaluate.judges.timeline import Timeline, peaks
from training.evaluate.measures import Judge, measure
from training.evaluate.ranking_metrics import roc, threshold_at
from training.evaluate.reliability import reliability
from training.evaluate.scored_windows import ScoredWindows, joined, score_paths
from training.evaluate.spec import AnySet, ChainsSet, Model, RunsSet, SessionsSet, Simulated, SimulatorSet
from training.evaluate.told import LabelledLogs, Reviewer
from training.evaluate.trained_bundles import Bundles, HeldOutWindows, Trained
from training.fit_lstm import FitConfig
from training.train import TrainingProgress

SCHEMA: Final = "tocsin.evaluation/1"
DIGITS: Final = 6
"""Decimals of published figures."""


@dataclass(frozen=True, slots=True)
class Options:
    """What does not stand in the list of sets: ``bundle`` replaces all models, ``scratch`` takes simulated logs.

    ``review`` tells what people would have heard; without it only windows are measured.
    """

    seeds: tuple[int, ...]
    bundle: Path | None
    scratch: Path
    pipeline: PipelineConfig = field(default_factory=PipelineConfig)
    review: Reviewer | None = None
    fit: FitConfig = field(default_factory=FitConfig)


def evaluate(sets: Sequence[AnySet], options: Options, progress: TrainingProgress) -> dict[str, Any]:
    """Train, score and measure everything; simulated logs lie in the scratch folder meanwhile.

    Raises:
        InvalidError: a file that a set names cannot be used.
    """
    with TemporaryDirectory(dir=options.scratch) as folder:
        simulator = _Simulator(Path(folder), progress)
        bundles = Bundles(options.pipeline, options.fit, simulator.logs_of, options.bundle, progress)
        results = [_evaluate_set(chosen, bundles, simulator, options, progress) for chosen in sets]
    return {"schema": SCHEMA, "version": version("tocsin"), "sets": results}


def _evaluate_set(
    chosen: AnySet, bundles: Bundles, simulator: "_Simulator", options: Options, progress: TrainingProgress
) -> dict[str, Any]:
    seeds = options.seeds[:1] if bundles.fixed(chosen.model) else options.seeds
    every: dict[str, list[dict[str, float]]] = {}
    groups: dict[str, str] = {}
    ids: list[str] = []
    first: dict[str, Any] = {}
    for seed in seeds:
        trained = bundles.of(chosen.model, seed)
        ids.append(trained.bundle.id)
        progress.message(f"{chosen.name}: scoring with bundle {trained.bundle.id}")
        windows, judge = _judged(chosen, trained, simulator, options.pipeline, progress)
        curves: dict[str, list[tuple[float, float]]] = {}
        for variant in variants(trained, windows):
            groups[variant.name] = variant.group
            thresholds = {**variant.thresholds, "held": _held(chosen, trained.held_out, variant)}
            measures = measure(judge, variant.score, thresholds)
            if variant.name == FUSED:
                measures |= _heard(chosen, trained, simulator, options, progress)
            every.setdefault(variant.name, []).append(measures)
            positive, normal = judge.units(variant.score)
            if not first and len(positive) and len(normal):
                curves[variant.name] = roc(positive, normal)
            if not first and variant.name == FUSED:
                shown = _shown(windows, judge, variant, thresholds)
        first = first or {**shown, "counts": judge.counts, "windows": len(windows), "curves": curves}
    rows = [{"name": name, "group": groups[name], "measures": _spread(measures)} for name, measures in every.items()]
    curves = first.pop("curves")
    return {
        "name": chosen.name,
        "kind": chosen.kind,
        "seeds": [] if bundles.fixed(chosen.model) else list(seeds),
        "bundles": ids,
        "refitted": trained.held_out is not None,
        **first,
        "variants": rows,
        "roc": [{"name": name, "points": curves[name]} for name in _drawn(rows) if name in curves],
    }


def _judged(
    chosen: AnySet, trained: Trained, simulator: "_Simulator", pipeline: PipelineConfig, progress: TrainingProgress
) -> tuple[ScoredWindows, Judge]:
    if isinstance(chosen, SimulatorSet):
        streams = simulator.streams(chosen)
        # Each stream is read by itself: they tell of the same hours.
        parts = [score_paths(trained.bundle, [stream.path], pipeline, progress.lines) for stream in streams]
        windows = joined(parts)
        return windows, FaultJudge(streams, windows)
    windows = score_paths(trained.bundle, chosen.records, pipeline, progress.lines)
    if isinstance(chosen, ChainsSet):
        return windows, FaultJudge(chain_streams(read_faults(chosen.truth), windows), windows)
    if isinstance(chosen, SessionsSet):
        return windows, SessionJudge(read_labels(chosen.labels), windows, chosen.normal_weight)
    return windows, RunJudge(read_runs(chosen.runs), windows.tenants, windows.end, chosen.min_post_s)


def _heard(
    chosen: AnySet, trained: Trained, simulator: "_Simulator", options: Options, progress: TrainingProgress
) -> dict[str, float]:
    """What people would have heard of the faults of a set; nothing where it does not say where they are."""
    if options.review is None:
        return {}
    if isinstance(chosen, SimulatorSet):
        streams = simulator.streams(chosen)
        logs: list[LabelledLogs] = [([stream.path], [fault.record for fault in stream.faults]) for stream in streams]
    elif isinstance(chosen, SessionsSet) or not chosen.truth:
        return {}
    else:
        logs = [(chosen.records, read_faults(chosen.truth))]
    progress.message(f"{chosen.name}: making incidents and alerts with bundle {trained.bundle.id}")
    return dict(options.review(trained.bundle, logs))


def _held(chosen: AnySet, held_out: HeldOutWindows | None, variant: Variant) -> float | None:
    """A quantile of what was held back, cut into units as the set is; None where it has none such."""
    if held_out is None or variant.held_out is None or not held_out.apart.any():
        return None
    rows = np.flatnonzero(held_out.apart)
    if isinstance(chosen, SessionsSet):
        rows = rows[np.isin(held_out.windows.kinds[rows], SESSION_KINDS)]
        if not len(rows):
            return None
        _, of = np.unique([held_out.windows.keys[i] for i in rows.tolist()], return_inverse=True)
        scores = worst(of, variant.held_out[rows], int(of.max()) + 1)
        return held_threshold(scores, chosen.held_quantile, decades=variant.group != "rule")
    if isinstance(chosen, RunsSet) and held_out.split.tenants:
        tenants = [held_out.windows.tenants[i] for i in rows.tolist()]
        timeline = Timeline(tenants, held_out.windows.end[rows])
        scores = peaks(timeline.ordered(variant.held_out[rows]), timeline.places())
        return threshold_at(scores, 1.0 - chosen.held_quantile)
    return None


def _shown(
    windows: ScoredWindows, judge: Judge, fused: Variant, thresholds: Mapping[str, float | None]
) -> dict[str, Any]:
    trace = judge.trace(fused.score, BUDGET)
    known = {name: round(value, DIGITS) for name, value in thresholds.items() if value is not None}
    return {
        "trace": {**asdict(trace), "thresholds": known} if trace else None,
        "reliability": reliability(windows, fused.score, *judge.normal_windows()),
    }


def _drawn(rows: Sequence[dict[str, Any]]) -> list[str]:
    """The fused score, the detector that ranks best alone, and the rules."""
    alone = [row for row in rows if row["group"] == "alone"]
    best = max(alone, key=lambda row: row["measures"].get("auroc", {"mean": 0.0})["mean"], default=None)
    return [FUSED, *([best["name"]] if best else []), *RULES[:2]]


def _spread(seeds: Sequence[dict[str, float]]) -> dict[str, Any]:
    """Each measure over the seeds."""
    names = dict.fromkeys(name for measures in seeds for name in measures)
    out = {}
    for name in names:
        values = [measures[name] for measures in seeds if name in measures]
        mean = round(sum(values) / len(values), DIGITS)
        out[name] = {"mean": mean, "low": min(values), "high": max(values), "values": values}
    return out


class _Simulator:
    """Simulates what sets and models ask for, each once."""

    def __init__(self, folder: Path, progress: TrainingProgress) -> None:
        self._folder = folder
        self._told = progress
        self._streams: dict[Simulated, list[Stream]] = {}

    def streams(self, chosen: SimulatorSet) -> list[Stream]:
        """The streams of a set."""
        return self._made(chosen.streams)

    def logs_of(self, model: Model) -> Sequence[Path]:
        """Files that a model is trained on."""
        return model.paths if model.simulated is None else [stream.path for stream in self._made(model.simulated)]

    def _made(self, simulated: Simulated) -> list[Stream]:
        if simulated not in self._streams:
            self._told.message(f"simulating {simulated.hours:g} hours, {len(simulated.seeds)} times")
            self._streams[simulated] = write_streams(simulated, self._folder, f"cloud{len(self._streams)}")
        return self._streams[simulated]
