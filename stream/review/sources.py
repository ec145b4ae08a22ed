"""Windows in the order in which the stream would have closed them, with the time at which it would have."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path

import numpy as np
import orjson

from models.arrays import unique
from models.decode.file_merge import merged
from models.pipeline import LineProcessor
from models.records import ALL_SOURCES, I64, LogBatch, Verdict
from models.schedule import ScorerSchedule
from models.scorer import Scorer
from models.templates.matcher import NewTemplate
from models.windows.config import WindowConfig, microseconds
from models.windows.scoring import WindowScorer
from models.windows.store import WindowStore
from stream.kafka.reader import Bound, Record
from stream.replay import decided_frames


@dataclass(frozen=True, slots=True)
class ClosedTogether:
    """Verdicts on windows that close together; ``time`` is when, in microseconds; 0 of files as they are read.

    ``new`` are the templates that were first seen meanwhile.  ``lines`` (3, n) are file, number in it and time
    (microseconds) of lines that were read, ``unknown`` how many of them have a text that training has not seen.  All
    are of files only.
    """

    time: int
    verdicts: Sequence[Verdict]
    new: Sequence[NewTemplate] = ()
    lines: I64 = field(default_factory=lambda: np.zeros((3, 0), np.int64))
    unknown: int = 0
    templates: frozenset[int] = frozenset()
    """Those of the lines."""


def windows_of_files(
    paths: Sequence[str | Path], processor: LineProcessor, scorer: Scorer, config: WindowConfig
) -> Iterator[ClosedTogether]:
    """Windows of files, merged by time, as they are worked out: ``in_order`` brings them in the order of the stream.

    Files have no recorded clock, so that windows over everything wait for many lines that might belong to them.

    Raises:
        InvalidError: a file cannot be read.
    """
    windows = WindowScorer(WindowStore(config), scorer.decide)
    for logs, spans in merged(paths, processor.decoder):
        processed = processor.keyed(replace(logs, lines=processor.clocks.settle(logs.lines)), spans)
        verdicts = windows.step(processed.frame).verdicts()
        unknown = int(processed.is_unknown.sum())
        templates = frozenset(unique(processed.templates).tolist())
        yield ClosedTogether(0, verdicts, processed.new, _places(processed.logs), unknown, templates)
    for decided in windows.flush():
        yield ClosedTogether(0, decided.verdicts())


def in_order(verdicts: Iterable[Verdict], config: WindowConfig) -> Iterator[ClosedTogether]:
    """Verdicts on windows of files in the order, and at the times, at which the stream would have closed them."""

    def closed(verdict: Verdict) -> int:
        return closes_at(verdict.end, verdict.key, config, is_session=verdict.kind == "session")

    for time, together in groupby(sorted(verdicts, key=closed), key=closed):
        yield ClosedTogether(time, list(together))


def closes_at(end: int, key: str, config: WindowConfig, *, is_session: bool) -> int:
    """Return when no line that would have belonged to a window could have come any more (microseconds)."""
    if is_session:
        return end + microseconds(config.gap + config.shared_lateness)
    return end + microseconds(config.shared_lateness if key == ALL_SOURCES else config.lateness)


def windows_of_events(
    records: Iterable[Record], start: Bound, schedule: ScorerSchedule, config: WindowConfig
) -> Iterator[ClosedTogether]:
    """Windows that frames of ``logs.events`` from ``start`` on close, in the order in which the frames were written.

    Frames before ``start`` only fill windows; ``records`` come partition after partition, in the order of offsets.
    """
    closed = [
        ClosedTogether(record.timestamp * 1000, verdicts)
        for record, verdicts in decided_frames(records, start, schedule, config)
        if verdicts
    ]
    yield from sorted(closed, key=lambda windows: windows.time)


def record_of(line: bytes, source: str) -> bytes:
    """A line of a plain file as the record that a shipper would have sent."""
    return orjson.dumps({"log": line.decode(errors="replace"), "source": source})


def _places(logs: LogBatch) -> I64:
    columns = (logs.lines[name].to_numpy().astype(np.int64) for name in ("partition", "offset", "time"))
    return np.stack(list(columns))
