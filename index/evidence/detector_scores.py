"""What the detectors of a bundle say of logs that were read from files: which lines are odd, and why."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import orjson

from index.lines.log_lines import LogLines
from models.errors import InvalidError
from models.pipeline import LineProcessor, raw_spans
from models.records import F64, I64, LOG_SCHEMA, NO_TIME, Level, LogBatch, RawBatch, Verdict
from models.scorer import Scorer
from models.templates.matcher import TemplateTable
from models.windows.config import WindowConfig
from models.windows.scoring import WindowScorer
from models.windows.store import WindowStore

FITS: Final = 0.8
"""Share of the lines that a bundle's templates must know, errors aside, for what it says to mean something."""

_CHUNK: Final = 8192
"""Lines that are keyed and scored together; a judgement."""

_FALL: Final = 0.25
"""A verdict's n-th line (from 0) gets its importance divided by 1 + 0.25 n; a judgement."""

_REASONS: Final = 8
"""Sentences that are kept; a judgement."""


@dataclass(frozen=True, slots=True)
class DetectorScores:
    """``pointed`` maps places (partition, offset) to how strongly detectors point at them, from 0 to 1."""

    pointed: dict[tuple[int, int], float]
    reasons: tuple[str, ...]
    """Why windows fired, in words, the most important first."""
    windows: int
    fired: int

    def score_at(self, partition: I64, offset: I64) -> F64:
        """How odd each line at these places is."""
        places = zip(partition.tolist(), offset.tolist(), strict=True)
        return np.array([self.pointed.get(place, 0.0) for place in places], np.float64)

    def to_bytes(self) -> bytes:
        """JSON."""
        places = [[*place, weight] for place, weight in self.pointed.items()]
        return orjson.dumps({"pointed": places, "reasons": self.reasons, "windows": self.windows, "fired": self.fired})

    @classmethod
    def from_bytes(cls, data: memoryview) -> Self:
        """Read what ``to_bytes`` gave; raises InvalidError where it is something else."""
        try:
            table: Any = orjson.loads(data)
            pointed = {(int(p), int(o)): float(weight) for p, o, weight in table["pointed"]}
            return cls(pointed, tuple(table["reasons"]), int(table["windows"]), int(table["fired"]))
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
            raise InvalidError(f"this is no judgement of detectors ({error})", "make it again") from error


def fits(material: LogLines, table: TemplateTable) -> bool:
    """Tell whether most lines below ERROR are of templates that a training has seen."""
    lines = material.lines
    calm = lines["level"].to_numpy() < Level.ERROR
    template = lines["template"].to_numpy()[calm]
    known = np.array(list(table), np.uint64)
    return len(template) > 0 and float(np.isin(template, known).mean()) >= FITS


def judge(
    material: LogLines,
    processor: LineProcessor,
    scorer: Scorer,
    windows: WindowConfig,
    progress: Callable[[int], None] = lambda _: None,
) -> DetectorScores:
    """Cut material into windows and decide them, as ``tocsin score`` does."""
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
    verdicts += scored.flush().verdicts()
    return _judged(verdicts)


def _judged(verdicts: Sequence[Verdict]) -> DetectorScores:
    fired = sorted(
        (verdict for verdict in verdicts if verdict.fired),
        key=lambda verdict: (-verdict.importance, verdict.start, verdict.key),
    )
    pointed: dict[tuple[int, int], float] = {}
    for verdict in fired:
        for rank, line in enumerate(verdict.lines):
            pointer = (line.partition, line.offset)
            pointed[pointer] = max(pointed.get(pointer, 0.0), verdict.importance / (1 + _FALL * rank))
    reasons = tuple(dict.fromkeys(reason for verdict in fired for reason in verdict.reasons))[:_REASONS]
    return DetectorScores(pointed, reasons, len(verdicts), len(fired))
