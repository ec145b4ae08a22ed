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
from training.evaluate.judges.runs import RunJudge, read_runs
from training.evaluate.judges.sessions import SESSION_KINDS, SessionJudge, held_threshold, read_labels, worst
from training.evaluate.judges.simulated import FaultJudge, Stream, write_streams
from training.evaluate.judges.timeline import Timeline, peaks
from training.evaluate.measures import Judge, measure
from training.evaluate.ranking_metrics import roc, threshold_at
from training.evaluate.reliability import reliability
from training.evaluate.scored_windows import ScoredWindows, joined, score_paths
from training.evaluate.spec import AnySet, Model, RunsSet, SessionsSet, Simulated, SimulatorSet
from training.evaluate.trained_bundles import Bundles, HeldOutWindows, Trained
from training.fit_lstm import FitConfig
from training.train import Progress

SCHEMA: Final = "tocsin.evaluation/1"
DIGITS: Final = 6


@dataclass(frozen=True, slots=True)
class Options:
    """What does not stand in the list of sets: ``bundle`` replaces all models, ``scratch`` takes simulated logs."""

    seeds: tuple[int, ...]
    bundle: Path | None
    scratch: Path
    pipeline: PipelineConfig = field(default_factory=PipelineConfig)
    fit: FitConfig = field(default_factory=FitConfig)


def evaluate(sets: Sequence[AnySet], options: Options, told: Progress) -> dict[str, Any]:
    """Train, score and measure everything; simulated logs lie in the scratch folder meanwhile.

    Raises:
        InvalidError: a file that a set names cannot be used.
    """
    with TemporaryDirectory(dir=options.scratch) as folder:
        simulator = _Simulator(Path(folder), told)
        bundles = Bundles(options.pipeline, options.fit, simulator.logs_of, options.bundle, told)
        found = [_evaluate_set(each, bundles, simulator, options, told) for each in sets]
    return {"schema": SCHEMA, "version": version("tocsin"), "sets": found}


def _evaluate_set(
    chosen: AnySet, bundles: Bundles, simulator: "_Simulator", options: Options, told: Progress
) -> dict[str, Any]:
    seeds = options.seeds[:1] if bundles.fixed(chosen.model) else options.seeds
    every: dict[str, list[dict[str, float]]] = {}
    groups: dict[str, str] = {}
    ids: list[str] = []
    first: dict[str, Any] = {}
    for seed in seeds:
        trained = bundles.of(chosen.model, seed)
        ids.append(trained.bundle.id)
        told.message(f"{chosen.name}: scoring with bundle {trained.bundle.id}")
        windows, judge = _judged(chosen, trained, simulator, options.pipeline, told)
        curves: dict[str, list[tuple[float, float]]] = {}
        for variant in variants(trained, windows):
            groups[variant.name] = variant.group
            thresholds = {**variant.thresholds, "held": _held(chosen, trained.held, variant)}
            every.setdefault(variant.name, []).append(measure(judge, variant.score, thresholds))
            positive, normal = judge.units(variant.score)
            if not first and len(positive) and len(normal):
                curves[variant.name] = roc(positive, normal)
            if not first and variant.name == FUSED:
                shown = _shown(windows, judge, variant, thresholds)
        first = first or {**shown, "counts": judge.counts, "windows": len(windows), "curves": curves}
    rows = [{"name": name, "group": groups[name], "measures": _spread(found)} for name, found in every.items()]
    curves = first.pop("curves")
    return {
        "name": chosen.name,
        "kind": chosen.kind,
        "seeds": [] if bundles.fixed(chosen.model) else list(seeds),
        "bundles": ids,
        "refitted": trained.held is not None,
        **first,
        "variants": rows,
        "roc": [{"name": name, "points": curves[name]} for name in _drawn(rows) if name in curves],
    }


def _judged(
    chosen: AnySet, trained: Trained, simulator: "_Simulator", pipeline: PipelineConfig, told: Progress
) -> tuple[ScoredWindows, Judge]:
    if isinstance(chosen, SimulatorSet):
        streams = simulator.streams(chosen)
        # Each stream is read by itself: they tell of the same hours.
        parts = [score_paths(trained.bundle, [stream.path], pipeline, told.lines) for stream in streams]
        windows = joined(parts)
        return windows, FaultJudge(streams, windows)
    windows = score_paths(trained.bundle, chosen.records, pipeline, told.lines)
    if isinstance(chosen, SessionsSet):
        return windows, SessionJudge(read_labels(chosen.labels), windows, chosen.normal_weight)
    return windows, RunJudge(read_runs(chosen.runs), windows.tenants, windows.end, chosen.min_post_s)


def _held(chosen: AnySet, held: HeldOutWindows | None, variant: Variant) -> float | None:
    """A quantile of what was held back, cut into units as the set is; None where it has none such."""
    if held is None or variant.held is None or not held.apart.any():
        return None
    at = np.flatnonzero(held.apart)
    if isinstance(chosen, SessionsSet):
        at = at[np.isin(held.windows.kinds[at], SESSION_KINDS)]
        if not len(at):
            return None
        _, of = np.unique([held.windows.keys[i] for i in at.tolist()], return_inverse=True)
        scores = worst(of, variant.held[at], int(of.max()) + 1)
        return held_threshold(scores, chosen.held_quantile, decades=variant.group != "rule")
    if isinstance(chosen, RunsSet) and held.split.tenants:
        tenants = [held.windows.tenants[i] for i in at.tolist()]
        timeline = Timeline(tenants, held.windows.end[at])
        scores = peaks(timeline.ordered(variant.held[at]), timeline.places())
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


def _spread(found: Sequence[dict[str, float]]) -> dict[str, Any]:
    """Each measure over the seeds."""
    names = dict.fromkeys(name for each in found for name in each)
    out = {}
    for name in names:
        values = [each[name] for each in found if name in each]
        mean = round(sum(values) / len(values), DIGITS)
        out[name] = {"mean": mean, "low": min(values), "high": max(values), "values": values}
    return out


class _Simulator:
    """Simulates what sets and models ask for, each once."""

    def __init__(self, folder: Path, told: Progress) -> None:
        self._folder = folder
        self._told = told
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
