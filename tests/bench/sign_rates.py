"""How often signs of failure show in normal operation, by a training of minutes: where the prior rates come from.

For each pair of a training and normal logs (files of raw records) it learns what is usual from the former and counts,
in the latter, the stretches of ten minutes that show each sign, as calibration counts them:

    python -m tests.bench.sign_rates TRAIN.jsonl NORMAL.jsonl [TRAIN.jsonl NORMAL.jsonl …]
"""

import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from models.calibration.fusion import blocks_of
from models.calibration.sign_rates import PRIOR
from models.detectors.signs import Sign, Signs
from models.features.window_features import Groups, WindowFeatures
from models.pipeline import PipelineConfig
from models.records import I64
from training.datasets import DAY_US, Survey, survey, windows
from training.fit_signs import SignSamples

CONFIG: Final = PipelineConfig()
MINUTE_US: Final = 60_000_000
"""Microseconds: time is counted in minutes with a line."""


@dataclass(frozen=True, slots=True)
class Trained:
    """What was learnt: the detector, templates and tokens, services."""

    signs: Signs
    data: Survey
    groups: Groups


def trained(path: Path) -> Trained:
    """Learn what is usual."""
    data = survey([path], CONFIG, None, lambda _: None)
    groups = Groups(data.services)
    samples = SignSamples()
    for closed in windows([path], CONFIG, data.table):
        on_grid = np.flatnonzero(CONFIG.windows.on_grid(closed))
        samples.add(WindowFeatures.of(closed, data.vocabulary, groups), on_grid)
    return Trained(samples.fit(len(groups)), data, groups)


def shown(path: Path, by: Trained) -> tuple[Counter[Sign], float]:
    """In how many blocks each sign shows, and in how many days of logs of all tenants."""
    tenants: list[str] = []
    ends: list[I64] = []
    raws: list[I64] = []
    for closed in windows([path], CONFIG, by.data.table, by.groups.services):
        tenants += closed.tenants
        ends.append(closed.end)
        raw = by.signs.score(WindowFeatures.of(closed, by.data.vocabulary, by.groups))
        raws.append(np.nan_to_num(raw).astype(np.int64))
    end, signs = np.concatenate(ends), np.concatenate(raws)
    blocks = blocks_of(tenants, end)
    minutes = set(zip(tenants, (end // MINUTE_US).tolist(), strict=True))
    return Counter({sign: len(np.unique(blocks[signs & sign > 0])) for sign in Sign}), len(minutes) * MINUTE_US / DAY_US


def main(names: list[str]) -> None:
    """Print the counts of each pair, and the rates of all together beside the prior."""
    total: Counter[Sign] = Counter()
    days = 0.0
    for train, normal in zip(names[::2], names[1::2], strict=True):
        counts, span = shown(Path(normal), trained(Path(train)))
        total += counts
        days += span
        listed = ", ".join(f"{str(sign.name).lower()} {counts[sign]}" for sign in Sign)
        print(f"{normal} after {train}: {span * 24:.1f} h: {listed}")
    for sign in Sign:
        rate = (total[sign] + 0.5) / days
        print(f"{str(sign.name).lower()}: {total[sign]} in {days:.2f} days, {rate:.2f} a day; prior {PRIOR[sign]}")


if __name__ == "__main__":
    main(sys.argv[1:])
