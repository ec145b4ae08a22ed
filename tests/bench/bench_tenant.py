"""Windows over everything of a tenant that writes thousands of lines a second: how many are whole, and what they cost.

``python -m tests.bench.bench_tenant [--rates 100 5000 20000 60000]`` takes three minutes of a simulated cloud of 200
hosts as keyed events, copies each line until the tenant writes so many lines a second of event time, and has the demo
bundle judge the windows over everything.  One process, no broker, and no other windows.
"""

import argparse
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

import numpy as np
import polars as pl

from models.bundle import Bundle
from models.pipeline import PipelineConfig
from models.records import ALL_SOURCES, NO_TIME, EventFrame, RawSpan
from models.rfc3339 import SECOND
from models.scorer import Decisions, Scorer
from models.windows.scoring import WindowScorer
from models.windows.store import WindowStore
from stream.wiring.core import DEMO_BUNDLE
from tests.bench.measure import peak_mb
from tests.bench.pipeline import batches
from training.simulate import Scenario, stream_records

START: Final = datetime(2026, 3, 2, 9, tzinfo=UTC)
SECONDS: Final = 180
FRAME: Final = 20_000
HOSTS: Final = 200
SPREAD_US: Final = SECOND
"""Copies of a line are written within so many microseconds of it."""


def everything(bundle: Bundle) -> EventFrame:
    """Three minutes of the cloud, as rows of its source of everything alone."""
    processor = PipelineConfig(masks=bundle.masks).processor(bundle.table, bundle.detectors.groups.services)
    records = (record.value for record in stream_records(Scenario(5, START, SECONDS, rate=20.0, computes=HOSTS)))
    rows, keys = [], pl.DataFrame()
    for batch in batches(records):
        frame = processor.process(batch).frame
        keys = frame.keys.with_row_index("number").filter(pl.col("key") == ALL_SOURCES)
        rows.append(frame.rows.filter(pl.col("key") == keys["number"][0]))
    return EventFrame(keys.drop("number"), pl.concat(rows).with_columns(key=pl.lit(0, pl.UInt32)), {})


def copies(cloud: EventFrame, lines_per_second: float) -> Iterator[EventFrame]:
    """Frames of a tenant that writes so much."""
    most = round(lines_per_second * SECONDS)
    rng = np.random.default_rng(1)
    chosen = np.sort(np.arange(most) % len(cloud.rows))
    time = cloud.rows["time"].to_numpy()[chosen] + rng.integers(0, SPREAD_US, most)
    order = np.argsort(time, kind="stable")
    for start in range(0, most, FRAME):
        part = order[start : start + FRAME]
        offset = np.arange(start, start + len(part))
        rows = cloud.rows[chosen[part]].with_columns(time=time[part], offset=offset)
        yield EventFrame(cloud.keys, rows, {0: RawSpan(start, start + len(part) - 1, NO_TIME)})


def measure(cloud: EventFrame, bundle: Bundle, lines_per_second: float) -> str:
    """Judge the tenant's windows; a line of the report."""
    scorer = WindowScorer(WindowStore(bundle.windows), Scorer(bundle).decide)
    grid = round(bundle.windows.step * SECOND)
    whole: list[bool] = []
    rows, spent = 0, 0.0

    def note(decided: Decisions) -> None:
        nonlocal rows
        windows = decided.windows
        whole.extend(windows.complete[windows.end % grid == 0].tolist())
        rows = max(rows, int(np.diff(windows.splits).max(initial=0)))

    for frame in copies(cloud, lines_per_second):
        begin = time.process_time()
        note(scorer.step(frame))
        spent += time.process_time() - begin
    for decided in scorer.flush():
        note(decided)
    # The first windows of a source that is new are never whole.
    settled = whole[round(2 * bundle.windows.length / bundle.windows.step) - 1 :]
    per_100k = spent / (lines_per_second * SECONDS) * 1e5
    return (
        f"{lines_per_second:>9,.0f}  {sum(settled)} of {len(settled)} whole  {rows:>9,} rows at most"
        f"  {per_100k:6.2f} s per 100,000 lines  peak {peak_mb(os.getpid()):,.0f} MB"
    )


def main() -> None:
    """Measure rate after rate."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rates", type=float, nargs="+", default=[100, 5000, 20_000, 60_000])
    arguments = parser.parse_args()
    bundle = Bundle.load(DEMO_BUNDLE)
    cloud = everything(bundle)
    print(f"{len(cloud.rows):,} lines of {HOSTS} hosts in {SECONDS} s, copied")
    for lines_per_second in arguments.rates:
        print(measure(cloud, bundle, lines_per_second), flush=True)


if __name__ == "__main__":
    main()
