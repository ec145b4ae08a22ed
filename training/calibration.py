"""How strange normal operation is: scores of normal windows → tails of each detector and of their joint strength.

Needs no training library, so a bundle can be calibrated anew wherever it can be used.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from models.bundle import Bundle
from models.calibrate import Calibration, fit_tail
from models.companions import UNITS, Companions
from models.config import PipelineConfig
from models.detectors.lstm import LstmDetector
from models.detectors.onset import Onset
from models.errors import InvalidError
from models.facts import Facts
from models.fusion import Fusion, blocks_of, fit_fused
from models.keytable import SECOND
from models.lifecycle import is_live, limited
from models.records import BOOL, F64, I32, I64, WindowBatch
from models.sequences import kind_numbers
from models.verdicts import time_text
from models.windows import WindowStore
from training.datasets import windows

FEW: Final = 500
"""Fewer windows than this behind a threshold are worth a warning."""

_DAY: Final = 86_400 * SECOND
MIN_DAYS: Final = 1 / 96
"""Less time than this is taken for this much."""


@dataclass(frozen=True, slots=True)
class Held:
    """Windows of normal operation: kinds, blocks, whether their services are live (n,), raw scores (n,) by detector.

    ``grid`` (n,) says which end with a step, and not with an error.
    """

    kinds: I32
    blocks: I64
    live: BOOL
    grid: BOOL
    raws: Mapping[str, F64]

    def __len__(self) -> int:
        return len(self.kinds)

    def told(self) -> str:
        """What people should know of it."""
        return f"calibrated on {len(self):,} windows" + (" (few: thresholds will be rough)" if len(self) < FEW else "")


def score_normal(
    closed: Iterable[tuple[WindowBatch, WindowStore]],
    lstm: LstmDetector,
    companions: Companions,
    held: Callable[[WindowBatch], BOOL],
    count: Callable[[int], None],
) -> Held:
    """Score windows with every detector and keep those that are ``held``.

    Kinds of which none is held are judged by all others: flattering where these were trained on, but not nothing.

    Raises:
        InvalidError: there is no window.
    """
    kinds: list[I32] = []
    tenants: list[str] = []
    ends: list[I64] = []
    chosen: list[BOOL] = []
    live: list[BOOL] = []
    grid: list[BOOL] = []
    raws: dict[str, list[F64]] = {}
    for batch, store in closed:
        scored = lstm.score(batch)
        if scored.surprise is not None:
            store.remember(batch, scored.surprise)
        facts = Facts.of(batch, lstm.vocabulary, companions.groups)
        kinds.append(kind_numbers(batch))
        tenants += batch.tenants
        ends.append(batch.end)
        chosen.append(held(batch))
        live.append(is_live(facts.group, companions.seen))
        grid.append(store.config.on_grid(batch))
        for name, raw in {lstm.name: scored.raw, **companions.score(facts)}.items():
            raws.setdefault(name, []).append(raw)
        count(len(batch))
    if not kinds:
        raise InvalidError("no window to calibrate on; give logs of normal operation that are at least a minute long")
    kind, is_held = np.concatenate(kinds), np.concatenate(chosen)
    at = np.flatnonzero(is_held | ~np.isin(kind, kind[is_held]))
    blocks = blocks_of([tenants[i] for i in at.tolist()], np.concatenate(ends)[at])
    scores = {name: np.concatenate(parts)[at] for name, parts in raws.items()}
    return Held(kind[at], blocks, np.concatenate(live)[at], np.concatenate(grid)[at], scores)


def calibrate(held: Held, days: float) -> Fusion:
    """Tails of each detector per kind of window, and of their joint strength; ``days`` is the time held, per tenant.

    A window at an error is one look more at what the windows around it show, so only their joint strength, of which the
    largest in a block counts, and what asks for them takes them in.
    """
    parts = {}
    for name, raw in held.raws.items():
        tails = {}
        counts = held.live & (held.grid | (name == Onset.name))
        for kind in np.unique(held.kinds).tolist():
            mine = raw[(held.kinds == kind) & counts & ~np.isnan(raw)]
            if len(mine):
                tails[kind] = fit_tail(mine, UNITS[name])
        if tails:
            parts[name] = Calibration(tails)
    strengths = limited(Fusion(parts, {}).strengths(held.kinds, held.raws), held.live)
    return Fusion(parts, fit_fused(held.kinds, held.blocks, strengths, max(days, MIN_DAYS)))


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
    closed = windows(paths, pipeline, bundle.table, bundle.companions.groups.services)
    held = score_normal(closed, LstmDetector(bundle.onnx, bundle.vocabulary), bundle.companions, everything, count)
    if not known:
        raise InvalidError("the bundle knows no line of these logs; train one on them with `tocsin train`")
    fusion = calibrate(held, sum(high - low for low, high in spans.values()) / _DAY)
    say(held.told())
    facts = {
        "recalibrated_from": bundle.id,
        "calibration_windows": len(held),
        "calibration_from": time_text(min(low for low, _ in spans.values())),
        "calibration_to": time_text(max(high for _, high in spans.values())),
    }
    return dataclasses.replace(bundle, calibration=fusion, facts={**bundle.facts, **facts})
