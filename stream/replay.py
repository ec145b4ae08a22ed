"""Decide a stretch of the topics again.

From ``logs.events`` the result is exact: the order of record, the recorded clock and the bundle give the same verdicts
as the first time.  Reading begins ahead of the stretch, so that windows that were open at its begin are whole.  From
``logs.raw`` lines are decoded again, with today's settings; that is exact where each key comes from one raw partition.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Final

from models.errors import InvalidError
from models.pipeline import LineProcessor
from models.records import Verdict
from models.schedule import ScorerSchedule
from models.scorer import Scorer
from models.windows import frame_codec as frames
from models.windows.config import WindowConfig
from models.windows.scoring import WindowScorer
from models.windows.store import WindowStore
from stream.detect.partition_state import PartitionWindows, ReadFrame, decide
from stream.kafka.reader import Bound, Record
from stream.topics.raw_logs import raw_batch

BATCH: Final = 10_000
"""Raw lines that are decoded together; a judgement."""


_MILLISECOND: Final = 1000
"""Microseconds."""


def lead(config: WindowConfig) -> int:
    """How long before a stretch reading must begin (milliseconds), so that its windows hold all their events."""
    return round(1000 * (max(config.age, 2 * config.length) + config.gap + 4 * config.forget))


def earlier(start: Bound, by: int) -> Bound:
    """The bound from which to read for a stretch that begins at ``start``: a time moves, offsets begin at 0."""
    return start - by if isinstance(start, int) else None


def replay_events(
    records: Iterable[Record], start: Bound, schedule: ScorerSchedule, config: WindowConfig
) -> Iterator[Verdict]:
    """Verdicts on the windows that the frames from ``start`` on close; arguments as of ``decided_frames``."""
    for _, verdicts in decided_frames(records, start, schedule, config):
        yield from verdicts


def decided_frames(
    records: Iterable[Record], start: Bound, schedule: ScorerSchedule, config: WindowConfig
) -> Iterator[tuple[Record, list[Verdict]]]:
    """Frames from ``start`` on, with verdicts on the windows that each closes; earlier frames only fill windows.

    It is what the role does, each window with the bundle that was due.

    ``records`` come partition after partition, in the order of offsets.
    """
    for _, of_partition in groupby(records, key=lambda record: record.partition):
        windows = PartitionWindows(config, None)
        for record in of_partition:
            frame, version = frames.decode(record.value or b"")
            read = ReadFrame(record.offset, record.timestamp * _MILLISECOND, frame, version)
            decided = decide(schedule, [(windows, read)])
            if not _is_earlier(record, start):
                yield record, [verdict for decisions, _ in decided for verdict in decisions.verdicts()]


def replay_raw(
    records: Iterable[Record], start: Bound, processor: LineProcessor, scorer: Scorer, config: WindowConfig
) -> Iterator[Verdict]:
    """Verdicts on the windows that the raw lines from ``start`` on close, and on those open at the end.

    ``records`` come in the order in which they are to be read.
    """
    windows = WindowScorer(WindowStore(config), scorer.decide)
    batch: list[Record] = []

    def decide() -> list[Verdict]:
        return windows.step(processor.process(raw_batch(batch)).frame).verdicts()

    is_warming_up = True
    for record in records:
        is_before = _is_earlier(record, start)
        if len(batch) == BATCH or (is_warming_up and not is_before and batch):
            verdicts = decide()
            batch.clear()
            if not is_warming_up:
                yield from verdicts
        is_warming_up = is_warming_up and is_before
        batch.append(record)
    if batch:
        verdicts = decide()
        if not is_warming_up:
            yield from verdicts
    for decided in windows.flush():
        yield from decided.verdicts()


def no_window() -> InvalidError:
    """What to tell where a stretch has none."""
    return InvalidError(
        "no window closes in this range", "look for lines with `tocsin topics cat logs.raw`, or widen it"
    )


def _is_earlier(record: Record, start: Bound) -> bool:
    """Whether a record lies before the stretch that begins at ``start``."""
    if start is None:
        return False
    if isinstance(start, Mapping):
        return record.offset < start.get(record.partition, 0)
    return record.timestamp < start
