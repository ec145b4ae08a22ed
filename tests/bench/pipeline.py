"""The pure pipeline without a broker: what many keys cost, and where the time goes."""

import statistics
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final

import numpy as np
import orjson

from models.bundle import Bundle
from models.detectors.lstm import LstmDetector
from models.features.window_features import WindowFeatures
from models.pipeline import PipelineConfig
from models.records import EventFrame, RawBatch
from models.scorer import Decisions, Scorer
from models.windows.keys import split_frame
from models.windows.scoring import WindowScorer
from models.windows.store import WindowStore
from stream.wiring.core import DEMO_BUNDLE
from tests.bench.measure import ratio, row, table
from training.simulate import Scenario, stream_records

BATCH: Final = 10_000
START: Final = datetime(2026, 3, 2, 9, tzinfo=UTC)
_TEXTS: Final = (
    "Claim successful on node compute-1",
    "Creating image(s)",
    "Instance spawned successfully.",
    "Took 3.51 seconds to spawn the instance on the hypervisor.",
)


def batches(values: Iterator[bytes]) -> Iterator[RawBatch]:
    """Raw batches as ingest reads them from one partition."""
    held: list[bytes] = []
    offset = 0
    for value in values:
        held.append(value)
        if len(held) == BATCH:
            yield _batch(held, offset)
            offset += BATCH
            held = []
    if held:
        yield _batch(held, offset)


def _batch(values: list[bytes], offset: int) -> RawBatch:
    n = len(values)
    offsets = np.arange(offset, offset + n, dtype=np.int64)
    return RawBatch(values, np.zeros(n, np.int32), offsets, np.full(n, -1, np.int64))


def synthetic(lines: int, sources: int, sessions: int) -> Iterator[bytes]:
    """Lines of so many hosts and requests, 5,000 a second of event time."""
    for n in range(lines):
        at = (START + timedelta(microseconds=200 * n)).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
        request = f"req-{n % sessions:08x}-0000-4000-8000-000000000000"
        line = f"{at} 2931 INFO nova.compute.manager [{request} - - - - -] {_TEXTS[n % len(_TEXTS)]}"
        host = f"compute-{n % sources}"
        yield orjson.dumps({"source": f"{host}/nova-compute", "service": "nova-compute", "host": host, "log": line})


def rate(values: list[bytes], bundle: Bundle | None = None) -> float:
    """Lines a second of processor time of the whole pipeline on one thread."""
    bundle = bundle or Bundle.load(DEMO_BUNDLE)
    processor = PipelineConfig(masks=bundle.masks).processor(bundle.table, bundle.detectors.groups.services)
    windows = WindowScorer(WindowStore(bundle.windows), Scorer(bundle).decide)
    started = time.process_time()
    for batch in batches(iter(values)):
        windows.step(processor.process(batch).frame)
    return len(values) / (time.process_time() - started)


def many_keys(lines: int, turns: int) -> str:
    """Compare few keys with many, in turn."""
    kinds = {
        "1 source, 100 sessions": (1, 100),
        "10,000 sources, 100 sessions": (10_000, 100),
        f"1 source, {lines:,} sessions": (1, lines),
    }
    rates: dict[str, list[float]] = defaultdict(list)
    for _ in range(turns):
        for name, (sources, sessions) in kinds.items():
            rates[name].append(rate(list(synthetic(lines, sources, sessions))))
    out = [f"\nmany keys: pure pipeline on one thread, {lines:,} lines"]
    out += [row(name, values, "lines/s") for name, values in rates.items()]
    few, hosts, requests = rates.values()
    out.append(f"cost of 10,000 sources: {ratio(few, hosts)}; of {lines:,} sessions: {ratio(few, requests)}")
    for name, many in (("source that a batch holds", hosts), ("session", requests)):
        extra = [(1 / slow - 1 / quick) * 1e6 for slow, quick in zip(many, few, strict=True)]
        out.append(f"one more {name}: {statistics.median(extra):.2f} us ({min(extra):.2f} to {max(extra):.2f})")
    return "\n".join(out)


def storm(lines: int, turns: int, share: float = 0.6) -> str:
    """Compare detect while a share of all windows fires, with their reasons, with quiet times, in turn."""
    bundle = Bundle.load(DEMO_BUNDLE)
    processor = PipelineConfig(masks=bundle.masks).processor(bundle.table, bundle.detectors.groups.services)
    frames = [processor.process(batch).frame for batch in batches(iter(simulated(lines)))]
    scores = np.concatenate([decided.score for decided in _decided(frames, Scorer(bundle))])
    # A window fires where fewer a day are as anomalous as the budget allows.
    budgets = {"quiet": 1.0, f"{share:.0%} of windows fire": float(10.0 ** -np.quantile(scores, 1.0 - share))}
    rates: dict[str, list[float]] = defaultdict(list)
    for _ in range(turns):
        for name, budget in budgets.items():
            started = time.process_time()
            for decided in _decided(frames, Scorer(bundle, budget)):
                decided.verdicts(np.flatnonzero(decided.fired).tolist())
            rates[name].append(lines / (time.process_time() - started))
    out = [f"\nstorm: windows, scores and verdicts on one thread, {lines:,} simulated lines, processor time"]
    return "\n".join(out + [row(name, values, "lines/s") for name, values in rates.items()])


def _decided(frames: list[EventFrame], scorer: Scorer) -> Iterator[Decisions]:
    windows = WindowScorer(WindowStore(Bundle.load(DEMO_BUNDLE).windows), scorer.decide)
    for frame in frames:
        yield windows.step(frame)
    yield from windows.flush()


def simulated(lines: int) -> list[bytes]:
    """So many records of the simulator."""
    records = (record.value for record in stream_records(Scenario(5, START, 10_000_000.0)))
    return list(islice(records, lines))


def all_detectors(lines: int, turns: int) -> str:
    """Compare a bundle that has all detectors with the same that has the LSTM alone, in turn."""
    full = Bundle.load(DEMO_BUNDLE)
    alone = replace(full, detectors=replace(full.detectors, detectors=()))
    values = simulated(lines)
    every, one = [], []
    for _ in range(turns):
        every.append(rate(values, full))
        one.append(rate(values, alone))
    return "\n".join(
        [
            f"\nall detectors: pure pipeline on one thread, {lines:,} simulated lines",
            row("LSTM alone", one, "lines/s"),
            row("LSTM and its companions", every, "lines/s"),
            f"with all detectors on, of the lines a second of the LSTM alone: {ratio(every, one)}",
        ]
    )


def profile(lines: int) -> str:
    """Where the time goes, stage by stage, on simulated lines."""
    bundle = Bundle.load(DEMO_BUNDLE)
    processor = PipelineConfig(masks=bundle.masks).processor(bundle.table, bundle.detectors.groups.services)
    store, lstm = WindowStore(bundle.windows), LstmDetector(bundle.onnx, bundle.vocabulary)
    spent: dict[str, float] = defaultdict(float)
    for batch in batches(iter(simulated(lines))):
        marks = [time.perf_counter()]
        frame = processor.process(batch).frame
        marks.append(time.perf_counter())
        split_frame(frame, 4)
        marks.append(time.perf_counter())
        closed = store.add(frame)
        marks.append(time.perf_counter())
        scored = lstm.score(closed)
        marks.append(time.perf_counter())
        if len(closed):
            bundle.detectors.score(WindowFeatures.of(closed, bundle.vocabulary, bundle.detectors.groups))
        marks.append(time.perf_counter())
        for name, seconds in zip(("ingest", "frames", "windows", "lstm", "others"), np.diff(marks), strict=True):
            spent[name] += float(seconds)
        if scored.surprise is not None:
            store.remember(closed, scored.surprise)
    return f"\n{table('where the time goes, one thread', spent, lines)}"
