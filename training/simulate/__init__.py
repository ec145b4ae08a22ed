"""A simulator of OpenStack services: their logs as Fluent Bit ships them, with faults to find.

Pure Python without any machine-learning library: the demo of a serving install uses it.
"""

from training.simulate.faults import plan_crowd, plan_faults
from training.simulate.record_stream import open_stream, stream_records, write_jsonl
from training.simulate.scenario import OF_ONE_SERVICE, Fault, FaultKind, Scenario, SimRecord

__all__ = [
    "OF_ONE_SERVICE",
    "Fault",
    "FaultKind",
    "Scenario",
    "SimRecord",
    "open_stream",
    "plan_crowd",
    "plan_faults",
    "stream_records",
    "write_jsonl",
]
