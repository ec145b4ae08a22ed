"""What the detectors of a bundle say of logs that were read from files: which lines are unusual, and why."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Self

import numpy as np
import orjson

from index.evidence.fired_windows import FiredWindow
from index.evidence.observable import Observed
from index.lines.log_lines import LogLines
from models.errors import InvalidError
from models.findings import Finding, findings_from_json
from models.pipeline import LineProcessor, raw_spans
from models.records import F64, I64, LOG_SCHEMA, NO_TIME, LogBatch, RawBatch, Verdict
from models.scorer import Scorer
from models.windows.config import WindowConfig
from models.windows.scoring import WindowScorer
from models.windows.store import WindowStore

_CHUNK: Final = 8192
"""Lines that are cut into windows at a time: a bound on the space that they take."""

_POINTER_FALL: Final = 0.25
"""How the lines of a window fall with their rank: the second weighs 1 / 1.25 of the first (a judgement)."""

_REASONS: Final = 8
"""Reasons that are kept (a judgement)."""

_KEPT: Final = 1_000
"""Windows that are kept, the most important (a judgement: a day of trouble, and bounded work)."""


@dataclass(frozen=True, slots=True)
class DetectorScores:
    """``weights`` maps places (partition, offset) to how strongly detectors point at them, from 0 to 1."""

    weights: dict[tuple[int, int], float]
    reasons: tuple[str, ...]
    """Why windows fired, in words, the most important first."""
    windows: int
    fired: int
    findings: tuple[Finding, ...] = ()
    """The same as records."""
    fired_windows: tuple[FiredWindow, ...] = ()
    """The windows themselves, the most important first."""

    def within(self, start: int, end: int, services: Collection[str]) -> Self:
        """Return what windows that overlap a stretch of time (microseconds) say of some services, or of none."""
        kept = tuple(
            window.about(services) for window in self.fired_windows if window.start <= end and window.end >= start
        )
        reasons, findings = _reasons_of(kept)
        pointed = {place for window in kept for place in window.pointers}
        return replace(
            self,
            weights={place: weight for place, weight in self.weights.items() if place in pointed},
            reasons=reasons,
            findings=findings,
            fired_windows=kept,
        )

    def score_at(self, partition: I64, offset: I64) -> F64:
        """Return how strongly detectors point at the lines of these places, shape (lines,), from 0 to 1."""
        places = zip(partition.tolist(), offset.tolist(), strict=True)
        return np.array([self.weights.get(place, 0.0) for place in places], np.float64)

    def to_bytes(self) -> bytes:
        """Return all of it as JSON."""
        places = [[*place, weight] for place, weight in self.weights.items()]
        return orjson.dumps(
            {
                "pointed": places,
                "reasons": self.reasons,
                "windows": self.windows,
                "fired": self.fired,
                "findings": [finding.to_json() for finding in self.findings],
                "fired_windows": [_to_json(window) for window in self.fired_windows],
            }
        )

    @classmethod
    def from_bytes(cls, data: memoryview) -> Self:
        """Read the bytes of ``to_bytes``.

        Raises:
            InvalidError: they are something else.
        """
        try:
            table: Any = orjson.loads(data)
            weights = {(int(p), int(o)): float(weight) for p, o, weight in table["pointed"]}
            findings = findings_from_json(table["findings"])
            windows = tuple(map(_from_json, table["fired_windows"]))
            return cls(weights, tuple(table["reasons"]), int(table["windows"]), int(table["fired"]), findings, windows)
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
            raise InvalidError(f"this is no judgement of detectors ({error})", "make it again") from error


def judge(  # noqa: PLR0913 - what judges comes in three parts
    material: LogLines,
    processor: LineProcessor,
    scorer: Scorer,
    windows: WindowConfig,
    *,
    complete: bool = True,
    progress: Callable[[int], None] = lambda _: None,
) -> DetectorScores:
    """Cut lines into windows and score them, as ``tocsin score`` does.

    What detectors report counts only where the lines bear it out; ``complete`` says whether the lines are of all the
    services that the detectors know.
    """
    lines = material.lines.sort("time", maintain_order=True).select(*LOG_SCHEMA)
    scored = WindowScorer(WindowStore(windows), scorer.decide)
    verdicts: list[Verdict] = []
    for start in range(0, len(lines), _CHUNK):
        part = lines[start : start + _CHUNK]
        size = len(part)
        raw = RawBatch(
            [b""] * size,
            part["partition"].to_numpy(),
            part["offset"].to_numpy(),
            np.full(size, NO_TIME, np.int64),
        )
        processed = processor.keyed(LogBatch(part, (), {}, {}), raw_spans(raw, {}))
        verdicts += scored.step(processed.frame).verdicts()
        progress(size)
    for decided in scored.flush():
        verdicts += decided.verdicts()
    return _judged(verdicts, Observed.of(material, complete=complete))


def _judged(verdicts: Sequence[Verdict], observed: Observed) -> DetectorScores:
    restricted = (observed.restrict(verdict) for verdict in verdicts if verdict.fired)
    fired = sorted(
        (verdict for verdict in restricted if verdict is not None),
        key=lambda verdict: (-verdict.importance, verdict.start, verdict.key),
    )
    weights: dict[tuple[int, int], float] = {}
    for verdict in fired:
        for rank, line in enumerate(verdict.lines):
            place = (line.partition, line.offset)
            weights[place] = max(weights.get(place, 0.0), verdict.importance / (1 + _POINTER_FALL * rank))
    windows = tuple(map(FiredWindow.from_verdict, fired[:_KEPT]))
    reasons, findings = _reasons_of(windows)
    return DetectorScores(weights, reasons, len(verdicts), len(fired), findings, windows)


def _reasons_of(windows: Sequence[FiredWindow]) -> tuple[tuple[str, ...], tuple[Finding, ...]]:
    """Return the first reasons of windows, each once, in words and as records."""
    by_reason: dict[str, Finding] = {}
    for window in windows:
        for reason, finding in zip(window.reasons, window.findings, strict=False):
            by_reason.setdefault(reason, finding)
    return tuple(by_reason)[:_REASONS], tuple(by_reason.values())[:_REASONS]


def _to_json(window: FiredWindow) -> list[Any]:
    return [
        *(window.tenant, window.key, window.kind, window.start, window.end, window.services, window.reasons),
        *(window.importance, window.pointers, [finding.to_json() for finding in window.findings]),
    ]


def _from_json(row: Sequence[Any]) -> FiredWindow:
    tenant, key, kind, start, end, services, reasons, importance, pointers, findings = row
    return FiredWindow(
        tenant=str(tenant),
        key=str(key),
        kind=str(kind),
        start=int(start),
        end=int(end),
        services=tuple(map(str, services)),
        reasons=tuple(map(str, reasons)),
        importance=float(importance),
        pointers=tuple((int(partition), int(offset)) for partition, offset in pointers),
        findings=findings_from_json(findings),
    )
