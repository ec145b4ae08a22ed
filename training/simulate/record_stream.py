"""A simulated cloud's log records as one stream, or as files."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from models.rfc3339 import SECOND
from training.simulate.faults import plan_faults, start_faults
from training.simulate.openstack import SimulatedCloud
from training.simulate.scenario import Fault, Scenario, SimRecord
from training.simulate.workload import populate


def stream_records(scenario: Scenario) -> Iterator[SimRecord]:
    """Records in order of time, made as they are taken: memory does not grow with the scenario's length.

    Raises InvalidError where the scenario's start has no zone or a fault names a service that does not exist.
    """
    cloud = SimulatedCloud(scenario)
    start_faults(cloud)
    populate(cloud)
    return cloud.engine.run(scenario.end)


def open_stream(seed: int, start: datetime, duration_s: float) -> tuple[Iterator[SimRecord], tuple[Fault, ...]]:
    """A stream with one fault of each kind, and the faults: what the demo shows."""
    faults = plan_faults(start, duration_s, seed)
    return stream_records(Scenario(seed, start, duration_s, faults=faults)), faults


def write_jsonl(scenario: Scenario, out_path: Path, truth_path: Path | None) -> int:
    """Write the records, one a line, and the faults as a JSON list; returns how many records there are."""
    count = 0
    with out_path.open("wb") as out:
        for record in stream_records(scenario):
            out.write(record.value + b"\n")
            count += 1
    if truth_path is not None:
        truth_path.write_text(json.dumps([fault_record(fault) for fault in scenario.faults], indent=2) + "\n")
    return count


def fault_record(fault: Fault) -> dict[str, str]:
    """Return a fault as a list of known faults has it."""
    return asdict(fault) | {"start": _rfc3339(fault.start), "end": _rfc3339(fault.end)}


def _rfc3339(micros: int) -> str:
    moment = datetime.fromtimestamp(micros // SECOND, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{micros % SECOND // 1000:03d}Z"
