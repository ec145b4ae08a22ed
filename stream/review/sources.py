"""Windows in the order in which the stream would have closed them, with the time at which it would have."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby, pairwise
from pathlib import Path
from typing import Final

import numpy as np

from models.decode.file_merge import merged
from models.pipeline import LineProcessor
from models.records import I32, I64, NO_TIME, EventFrame, LogBatch, RawSpan, Verdict
from models.rfc3339 import SECOND
from models.scorer import Scorer
from models.templates.matcher import NewTemplate
from models.windows.config import WindowConfig
from models.windows.scoring import WindowScorer
from models.windows.store import WindowStore
from stream.kafka.reader import Bound, Record
from stream.replay import decided_frames

PACE_US: Final = SECOND
"""Microseconds of lines that are taken together: a judgement.  The roles take a quarter of a second; windows close two
seconds after their end, on a grid of 15 seconds, so that their order is the same."""


@dataclass(frozen=True, slots=True)
class ClosedTogether:
    """Verdicts on windows that close together; ``time`` is when, in microseconds.

    ``new`` are the templates that were first seen meanwhile.  ``lines`` (3, n) are file, number in it and time
    (microseconds) of lines that were read.  Both are of files only.
    """

    time: int
    verdicts: Sequence[Verdict]
    new: Sequence[NewTemplate] = ()
    lines: I64 = field(default_factory=lambda: np.zeros((3, 0), np.int64))


def windows_of_files(
    paths: Sequence[str | Path], processor: LineProcessor, scorer: Scorer, config: WindowConfig
) -> Iterator[ClosedTogether]:
    """Windows of files, merged by time; what is open at the end closes there, in the order of the windows' ends.

    Raises:
        InvalidError: a file cannot be read.
    """
    windows = WindowScorer(WindowStore(config), scorer.decide)
    now = 0
    for logs, spans in merged(paths, processor.decoder):
        processed = processor.keyed(replace(logs, lines=processor.clocks.settle(logs.lines)), spans)
        yield ClosedTogether(now, (), processed.new, _places(processed.logs))
        for frame in _paced(processed.frame):
            now = max(now, int(frame.rows["time"].max()))  # type: ignore[arg-type]  # of integers
            yield ClosedTogether(now, windows.step(frame).verdicts())
    left = [verdict for decided in windows.flush() for verdict in decided.verdicts()]
    for end, verdicts in groupby(sorted(left, key=lambda verdict: verdict.end), key=lambda verdict: verdict.end):
        now = max(now, end)
        yield ClosedTogether(now, list(verdicts))


def windows_of_events(
    records: Iterable[Record], start: Bound, scorer: Scorer, config: WindowConfig
) -> Iterator[ClosedTogether]:
    """Windows that frames of ``logs.events`` from ``start`` on close, in the order in which the frames were written.

    Frames before ``start`` only fill windows; ``records`` come partition after partition, in the order of offsets.
    """
    closed = [
        ClosedTogether(record.timestamp * 1000, verdicts)
        for record, verdicts in decided_frames(records, start, scorer, config)
        if verdicts
    ]
    yield from sorted(closed, key=lambda windows: windows.time)


def _places(logs: LogBatch) -> I64:
    columns = (logs.lines[name].to_numpy().astype(np.int64) for name in ("partition", "offset", "time"))
    return np.stack(list(columns))


def _paced(frame: EventFrame) -> Iterator[EventFrame]:
    """Cut a frame where ``PACE_US`` of time has passed."""
    rows = frame.rows
    paces = np.maximum.accumulate(rows["time"].to_numpy()) // PACE_US
    cuts = [0, *(np.flatnonzero(np.diff(paces)) + 1).tolist(), len(rows)]
    for first, stop in pairwise(cuts):
        part = rows[first:stop]
        if len(part):
            yield EventFrame(frame.keys, part, _spans(part["partition"].to_numpy(), part["offset"].to_numpy()))


def _spans(partitions: I32, offsets: I64) -> dict[int, RawSpan]:
    """Return what part of each file some rows (n,) cover."""
    files = {number: offsets[partitions == number] for number in np.unique(partitions).tolist()}
    return {number: RawSpan(int(of_file.min()), int(of_file.max()), NO_TIME) for number, of_file in files.items()}
