"""How long evidence and a diagnosis by rules take.

``python -m tests.bench.bench_explain [--lines 50000] [--turns 7]`` gathers from and diagnoses simulated lines, of which
one service loses its message queue in the last third.  Wall time and the time of the processor: on a busy machine only
the second says what the work costs.
"""

import stream.runtime.native_threads  # noqa: F401 - before NumPy and Polars: one thread each

# isort: split
import argparse
import time
from datetime import UTC, datetime
from itertools import islice
from typing import Final

import numpy as np

from index.diagnosis.known_failures import shipped
from index.diagnosis.rule_based import diagnose
from index.evidence.fired_windows import FiredWindow
from index.evidence.gather import EvidenceLimits, gather
from index.lines.log_lines import LogLines
from models.decode.decoder import DecodeConfig, Decoder
from models.records import ALL_SOURCES, NO_TIME, RawBatch
from models.rfc3339 import SECOND
from models.templates.masks import Masks
from models.templates.matcher import TemplateLimits, TemplateMatcher, TemplateTable
from tests.bench.measure import row
from training.simulate import Fault, FaultKind, Scenario, stream_records

START: Final = datetime(2026, 3, 2, 9, tzinfo=UTC)
FAULT_S: Final = 2_400.0


def simulated(lines: int) -> LogLines:
    """So many lines; ``neutron-server`` loses its queue after forty minutes."""
    first = round(START.timestamp()) * SECOND
    begin = first + round(FAULT_S * SECOND)
    fault = Fault(FaultKind.RETRIES, "controller-1/neutron-server", begin, begin + 600 * SECOND, "")
    records = stream_records(Scenario(1, START, 24 * 3600, faults=(fault,)))
    values = [record.value for record in islice(records, lines)]
    raw = RawBatch(
        values,
        np.zeros(lines, np.int32),
        np.arange(lines, dtype=np.int64),
        np.full(lines, NO_TIME, np.int64),
    )
    matcher = TemplateMatcher(TemplateTable([]), Masks.default(), TemplateLimits())
    return LogLines.of(raw, Decoder(DecodeConfig()).decode(raw), matcher, "logs.raw")


def main() -> None:
    """Print wall time and processor time of both steps."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=50_000)
    parser.add_argument("--turns", type=int, default=7)
    args = parser.parse_args()
    material = simulated(args.lines)
    times = material.lines["time"].to_numpy()
    begin = int(times[0]) + round(FAULT_S * SECOND)
    ask = [FiredWindow("default", ALL_SOURCES, "source", begin, begin + 60 * SECOND)]
    quiet = material.lines["template"].to_numpy()[times < begin]
    known = frozenset(np.unique(quiet).tolist())
    limits = EvidenceLimits(before_s=1e9, after_s=1e9)
    shipped()
    wall: dict[str, list[float]] = {"gather": [], "diagnose": []}
    spent: dict[str, list[float]] = {"gather": [], "diagnose": []}
    for _ in range(args.turns):
        marks = [(time.perf_counter(), time.process_time())]
        evidence = gather(material, ask, known=known, limits=limits)
        marks.append((time.perf_counter(), time.process_time()))
        found = diagnose(evidence)
        marks.append((time.perf_counter(), time.process_time()))
        for name, before, after in zip(wall, marks[:-1], marks[1:], strict=True):
            wall[name].append(1000 * (after[0] - before[0]))
            spent[name].append(1000 * (after[1] - before[1]))
    print(f"{args.lines} lines → {len(evidence.lines)} lines of evidence; {found.summary}")
    for name, values in wall.items():
        print(row(f"{name}, wall", values, "ms"))
        print(row(f"{name}, processor", spent[name], "ms"))


if __name__ == "__main__":
    main()
