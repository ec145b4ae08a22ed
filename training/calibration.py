"""How strange normal operation is: scores of normal windows → tails of each detector and of their joint strength.

Needs no training library, so a bundle can be calibrated anew wherever it can be used.
"""

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from models.bundle import Bundle
from models.calibration.fusion import Fusion, blocks_of, fit_fused, usual_scores
from models.calibration.service_state import errors_only, is_live
from models.calibration.sign_rates import SignRates
from models.detectors.ensemble import DetectorSet
from models.detectors.lstm import LstmDetector
from models.detectors.signs import Sign, SignEvidence, Signs
from models.errors import InvalidError
from models.features.sequences import kind_numbers
from models.pipeline import PipelineConfig
from models.records import BOOL, F64, I32, I64, WindowBatch
from models.rfc3339 import time_text
from models.scorer import WindowScores, raw_scores
from models.windows.config import WindowConfig
from training.datasets import DAY_US, scored_windows, total_us
from training.held_out import HeldOutScores, suspect_blocks, tails

FEW: Final = 500
"""Fewer windows than this behind a threshold are worth a warning."""

MIN_DAYS: Final = 1 / 96
"""Less time than this is taken for this much."""


def score_normal(  # noqa: PLR0913 - one function a question
    scored: Iterable[WindowScores],
    config: WindowConfig,
    companions: DetectorSet,
    is_held_out: Callable[[WindowBatch], BOOL],
    count: Callable[[int], None],
    is_usable: Callable[[WindowBatch], BOOL] = lambda batch: np.ones(len(batch), np.bool_),
) -> HeldOutScores:
    """Keep those scored windows that are ``is_held_out`` for calibration, of those that are ``is_usable`` at all.

    Kinds of which none is held are judged by all others: flattering where these were trained on, but not nothing.

    Raises:
        InvalidError: there is no window.
    """
    kinds: list[I32] = []
    tenants: list[str] = []
    ends: list[I64] = []
    usable: list[BOOL] = []
    chosen: list[BOOL] = []
    live: list[BOOL] = []
    grid: list[BOOL] = []
    raws: dict[str, list[F64]] = {}
    for scores in scored:
        batch = scores.windows
        kinds.append(kind_numbers(batch))
        tenants += batch.tenants
        ends.append(batch.end)
        usable.append(is_usable(batch))
        chosen.append(is_held_out(batch) & usable[-1])
        live.append(is_live(scores.facts.group, companions.windows_seen))
        grid.append(config.on_grid(batch))
        for name, raw in scores.raws.items():
            raws.setdefault(name, []).append(raw)
        count(len(batch))
    if not any(part.any() for part in usable):
        raise InvalidError("no window to calibrate on", "give logs of normal operation that are at least a minute long")
    kind, is_held = np.concatenate(kinds), np.concatenate(chosen)
    rows = np.flatnonzero(np.concatenate(usable) & (is_held | ~np.isin(kind, kind[is_held])))
    blocks = blocks_of([tenants[i] for i in rows.tolist()], np.concatenate(ends)[rows])
    kept = {name: np.concatenate(parts)[rows] for name, parts in raws.items()}
    return HeldOutScores(kind[rows], blocks, np.concatenate(live)[rows], np.concatenate(grid)[rows], kept)


def calibrate(
    scores: HeldOutScores, days: float, say: Callable[[str], None], evidence: SignEvidence | None = None
) -> Fusion:
    """Tails of each detector per kind of window, and of their joint strength; ``days`` is the time held, per tenant.

    Tails leave out what looks like faults.  Their joint strength takes all in: its quartiles know how to.  How often
    signs of failure were new in training is ``evidence``; without it, these windows say how often they show.
    """
    days = max(days, MIN_DAYS)
    suspects = suspect_blocks(scores, days)
    parts = tails(scores, suspects)
    strengths = errors_only(Fusion(parts, {}).strengths(scores.kinds, scores.raws), scores.live)
    say(_told(scores, len(suspects)))
    signs = None
    if Signs.name in scores.raws:
        signs = SignRates.of(evidence or shown_signs(scores, days))
    fusion = Fusion(parts, fit_fused(scores.kinds, scores.blocks, strengths, days), signs)
    return dataclasses.replace(fusion, usual=_usual(fusion, scores))


def _usual(fusion: Fusion, scores: HeldOutScores) -> dict[int, tuple[tuple[float, float], ...]]:
    """Which scores windows have in normal operation: what drift is measured against."""
    strengths = errors_only(fusion.strengths(scores.kinds, scores.raws), scores.live)
    score = -fusion.false_alarms(scores.kinds, strengths)
    return usual_scores(scores.kinds[scores.grid], score[scores.grid])


def shown_signs(scores: HeldOutScores, days: float) -> SignEvidence:
    """In how many blocks windows show each sign of failure."""
    shown = np.nan_to_num(scores.raws[Signs.name]).astype(np.int64)
    counts = {sign: len(np.unique(scores.blocks[shown & sign > 0])) for sign in Sign}
    return SignEvidence(counts, days * DAY_US / 1e6)


def _told(scores: HeldOutScores, left_out: int) -> str:
    few = " (few: thresholds will be rough)" if len(scores) < FEW else ""
    out = f"; {left_out} stretches that look like faults set no tail" if left_out else ""
    return f"calibrated on {len(scores):,} windows{few}{out}"


def recalibrate(
    paths: Sequence[str | Path],
    config: PipelineConfig,
    bundle: Bundle,
    say: Callable[[str], None],
    count: Callable[[int], None],
) -> Bundle:
    """The bundle with thresholds from these logs of normal operation; what it learnt of logs stays as it is.

    What has become usual since the training, such as the templates of a new version, then fires no more.

    Raises:
        InvalidError: the logs hold no window, or no template that the bundle knows.
    """
    spans: dict[str, tuple[int, int]] = {}
    known = 0

    def everything(batch: WindowBatch) -> BOOL:
        nonlocal known
        for tenant, start, end in zip(batch.tenants, batch.start.tolist(), batch.end.tolist(), strict=True):
            low, high = spans.get(tenant, (start, end))
            spans[tenant] = (min(low, start), max(high, end))
        known += int(np.isin(batch.template, bundle.vocabulary.ids).sum())
        return np.ones(len(batch), np.bool_)

    pipeline = dataclasses.replace(config, masks=bundle.masks, windows=bundle.windows)
    score = partial(raw_scores, lstm=LstmDetector(bundle.network, bundle.vocabulary), detectors=bundle.detectors)
    scored = scored_windows(paths, pipeline, bundle.table, score, bundle.detectors.groups.services)
    scores = score_normal(scored, pipeline.windows, bundle.detectors, everything, count)
    if not known:
        raise InvalidError("the bundle knows no line of these logs", "train one on them with `tocsin train`")
    fusion = calibrate(scores, total_us(spans) / DAY_US, say)
    facts = {
        "recalibrated_from": bundle.id,
        "calibration_windows": len(scores),
        "calibration_from": time_text(min(low for low, _ in spans.values())),
        "calibration_to": time_text(max(high for _, high in spans.values())),
    }
    return dataclasses.replace(bundle, calibration=fusion, facts={**bundle.facts, **facts})
