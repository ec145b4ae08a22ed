"""Streams with known faults: each fault is a unit, and so is every stretch of quiet time as long as one.

A fault counts as found by a window that ends after its begin and up to GRACE_S after its end, when its consequences
have died away.  What fires outside of that is a false alarm.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np

from models.records import F64, I64
from models.rfc3339 import SECOND
from training.evaluate.ablations import BUDGET
from training.evaluate.judges.timeline import ScoreTrace, Timeline, TimelineMark, TimelineSpan, alarms, highest, peaks
from training.evaluate.scored_windows import ScoredWindows
from training.evaluate.spec import Simulated
from training.simulate import Scenario, plan_faults, write_jsonl
from training.simulate.record_stream import fault_record

GRACE_S: Final = 180.0
"""An instance waits up to two minutes for its network, and its end stands in windows for another."""

QUIET_PIECE_S: Final = 600.0
"""Length of a stretch where there is no fault to be as long as."""


@dataclass(frozen=True, slots=True)
class StreamFault:
    """A fault from ``start`` to ``end`` (microseconds); ``record`` is it as a list of known faults has it."""

    kind: str
    start: int
    end: int
    record: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Stream:
    """One tenant: its records, its faults, its begin and end (microseconds)."""

    name: str
    path: Path
    faults: tuple[StreamFault, ...]
    start: int
    end: int


def write_streams(simulated: Simulated, folder: Path, name: str) -> list[Stream]:
    """Simulate a stream per seed into files of a folder."""
    out = []
    for seed in simulated.seeds:
        tenant = f"{name}-{seed}"
        planned = plan_faults(simulated.start, simulated.hours * 3600, seed) if simulated.faults else ()
        scenario = Scenario(seed, simulated.start, simulated.hours * 3600, faults=planned, tenant=tenant)
        path = folder / f"{tenant}.jsonl"
        write_jsonl(scenario, path, None)
        faults = tuple(
            StreamFault(str(fault.kind), fault.start, fault.end, fault_record(fault) | {"tenant": tenant})
            for fault in planned
        )
        out.append(Stream(tenant, path, faults, scenario.first, scenario.end))
    return out


class FaultJudge:
    """Measures of any score over the windows of streams."""

    weight = 1.0

    def __init__(self, streams: Sequence[Stream], windows: ScoredWindows) -> None:
        self._streams = streams
        self._fired: Mapping[int, str] = windows.fired
        self._own = windows.score
        self.timeline = Timeline(windows.tenants, windows.end)
        grace = round(GRACE_S * SECOND)
        self.faults = [(stream, fault) for stream in streams for fault in stream.faults]
        self._faults = [
            self.timeline.place(TimelineSpan(stream.name, fault.start + 1, fault.end + grace))
            for stream, fault in self.faults
        ]
        lengths = [fault.end + grace - fault.start for _, fault in self.faults]
        piece = int(np.median(lengths)) if lengths else round(QUIET_PIECE_S * SECOND)
        quiet = [span for stream in streams for span in quiet_spans(stream, grace)]
        self._hours = sum(span.high - span.low + 1 for span in quiet) / SECOND / 3600
        self._quiet = [self.timeline.place(span) for span in quiet]
        self._pieces = [self.timeline.place(span) for whole in quiet for span in pieces(whole, piece)]

    @property
    def counts(self) -> dict[str, int]:
        """Units of each sort."""
        kinds = Counter(fault.kind for _, fault in self.faults)
        return {"faults": len(self.faults), "quiet_stretches": len(self._pieces), **dict(sorted(kinds.items()))}

    def units(self, score: F64) -> tuple[F64, F64]:
        """Scores of the faults and of the quiet stretches."""
        ordered = self.timeline.ordered(score)
        return peaks(ordered, self._faults), peaks(ordered, self._pieces)

    def normal_windows(self) -> tuple[I64, float]:
        """Windows of quiet time, and how many days it is."""
        return np.concatenate([self.timeline.order[windows] for windows in self._quiet]), self._hours / 24

    def trace(self, score: F64, threshold: float) -> ScoreTrace | None:
        """The first stream: the highest score of each minute."""
        del threshold
        stream = self._streams[0]
        windows = self.timeline.place(TimelineSpan(stream.name, stream.start, stream.end))
        minute = (self.timeline.end[windows] - stream.start) // (60 * SECOND)
        marks = [
            TimelineMark((fault.start - stream.start) / SECOND, (fault.end - stream.start) / SECOND, fault.kind)
            for fault in stream.faults
        ]
        return ScoreTrace(stream.name, highest(minute, self.timeline.ordered(score)[windows], 60.0), tuple(marks))

    def ranking(self, score: F64) -> dict[str, float | None]:
        """Nothing beyond the units."""
        del score
        return {}

    def at(self, score: F64, threshold: float) -> dict[str, float | None]:
        """Alarms in quiet time, and per kind of fault how many were found and how soon."""
        ordered = self.timeline.ordered(score)
        false = sum(alarms(self.timeline.end[windows], ordered[windows], threshold) for windows in self._quiet)
        out: dict[str, float | None] = {"false_alarms_per_hour": false / self._hours if self._hours else None}
        if self.faults:
            delays = self._delays(ordered, threshold)
            out |= _found("", delays)
            for kind in sorted({fault.kind for _, fault in self.faults}):
                of_kind = [d for d, (_, fault) in zip(delays, self.faults, strict=True) if fault.kind == kind]
                out |= _found(f":{kind}", of_kind)
            return out
        out["fired_windows"] = float((score > threshold).sum())
        # Which service a window speaks of is known of the product's own decisions only.
        if score is self._own and threshold == BUDGET:
            out["fired_of_a_service"] = float(max(Counter(self._fired.values()).values(), default=0))
        return out

    def _delays(self, ordered: F64, threshold: float) -> list[float | None]:
        out: list[float | None] = []
        for (_, fault), windows in zip(self.faults, self._faults, strict=True):
            moments = self.timeline.end[windows][ordered[windows] > threshold]
            out.append((int(moments[0]) - fault.start) / SECOND if len(moments) else None)
        return out


def _found(suffix: str, delays: Sequence[float | None]) -> dict[str, float | None]:
    detected = sorted(delay for delay in delays if delay is not None)
    share = {f"recall{suffix}": len(detected) / len(delays)} if suffix else {}
    return share | {f"delay_median_s{suffix}": detected[len(detected) // 2] if detected else None}


def quiet_spans(stream: Stream, grace: int) -> list[TimelineSpan]:
    """The time of a stream outside its faults and ``grace`` (microseconds) after each."""
    out, low = [], stream.start
    for fault in sorted(stream.faults, key=lambda fault: fault.start):
        out.append(TimelineSpan(stream.name, low, fault.start))
        low = max(low, fault.end + grace + 1)
    out.append(TimelineSpan(stream.name, low, stream.end))
    return [span for span in out if span.high > span.low]


def pieces(whole: TimelineSpan, length: int) -> list[TimelineSpan]:
    """A span cut into pieces of about this length (microseconds), at least one."""
    count = max(1, round((whole.high - whole.low + 1) / length))
    bounds = np.linspace(whole.low, whole.high + 1, count + 1).astype(np.int64).tolist()
    return [replace(whole, low=low, high=high - 1) for low, high in pairwise(bounds)]
