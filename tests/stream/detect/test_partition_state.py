"""What detect holds of one partition: its commit is enough to go on as if nothing had happened."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import orjson
import pytest

from models.errors import FatalError
from models.pipeline import PipelineConfig
from models.records import I64, EventFrame, RawBatch, RawSpan
from models.schedule import OneScorer
from models.scorer import Decisions, Scorer
from models.verdicts import to_json
from models.windows.config import WindowConfig
from models.windows.store import RestartMark
from stream.detect.partition_state import SCHEMA, PartitionCheckpoint, PartitionWindows, ReadFrame, decide
from tests.models.bundles import TEXTS, bundle

BUNDLE = bundle()
CONFIG = WindowConfig(idle=20.0, forget=40.0)
START = datetime(2026, 3, 3, 8, 0, tzinfo=UTC)
STEP_S = 10
FRAMES = 60


def stream_of_frames(seed: int = 1) -> list[EventFrame]:
    """Frames of ten seconds each, as ingest makes them of one raw partition; some are ticks."""
    rng = random.Random(seed)
    processor = PipelineConfig(windows=CONFIG).processor(BUNDLE.table)
    frames: list[EventFrame] = []
    offset = 0
    for number in range(FRAMES):
        begin = START + timedelta(seconds=STEP_S * number)
        clock = round((begin.timestamp() + STEP_S) * 1_000_000)
        count = rng.choice([0, 0, 5, 20])
        if not count:
            frames.append(EventFrame.empty({0: RawSpan(0, -1, clock)}))
            continue
        moments = sorted(begin + timedelta(seconds=rng.uniform(0, STEP_S)) for _ in range(count))
        values = [_line(rng, moment) for moment in moments]
        raw = RawBatch(
            values,
            np.zeros(count, np.int32),
            np.arange(offset, offset + count, dtype=np.int64),
            np.full(count, clock, np.int64),
        )
        offset += count
        frames.append(processor.process(raw, {0: "/var/log/nova/nova-compute.log"}, {0: clock}).frame)
    return frames


def _line(rng: random.Random, moment: datetime) -> bytes:
    """One line of one of the last few requests."""
    number = int((moment - START).total_seconds()) // 15 + rng.randrange(2)
    stamp = f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03d}"
    text = rng.choice([*TEXTS, "kernel panic"])
    return f"{stamp} 7 INFO nova.compute [req-{number:08d}-0000-0000-0000-000000000000 - -] {text}".encode()


def said(decided: Sequence[tuple[Decisions, I64]]) -> list[bytes]:
    """Verdicts as published."""
    return [
        orjson.dumps(to_json(verdict)) for decisions, due in decided for verdict in decisions.verdicts(due.tolist())
    ]


def take(scorer: Scorer, shard: PartitionWindows, frames: Sequence[EventFrame], first: int) -> list[bytes]:
    """Give a shard frames from an offset on; returns the verdicts as published, those of one frame in a fixed order."""
    out: list[bytes] = []
    for offset, frame in enumerate(frames[first:], first):
        decided = decide(OneScorer(scorer), [(shard, ReadFrame(offset, 0, frame))])
        out += sorted(said(decided))
    return out


@pytest.fixture(scope="module")
def stream() -> list[EventFrame]:
    """Give one stream for all tests."""
    return stream_of_frames()


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    """Give a scorer."""
    return Scorer(BUNDLE)


def test_a_shard_that_goes_on_from_its_commit_says_the_rest_and_nothing_twice(
    stream: list[EventFrame], scorer: Scorer
) -> None:
    """Killed behind every third frame: what is said before and after is together what is said without a kill."""
    whole = take(scorer, PartitionWindows(CONFIG, None), stream, 0)
    assert len(whole) > 50
    begins = set()
    for last in range(1, FRAMES, 3):
        before = PartitionWindows(CONFIG, None)
        said = take(scorer, before, stream[:last], 0)
        state = before.state()
        assert state is not None
        after = PartitionWindows(CONFIG, PartitionCheckpoint.restore(state.mark.offset, state.metadata()))
        assert after.next == state.mark.offset
        begins.add(after.next)
        assert said + take(scorer, after, stream, after.next) == whole
    assert len(begins) > 3, "the place from which to read again moves on"


def test_a_second_kill_while_rebuilding_says_nothing_twice_either(stream: list[EventFrame], scorer: Scorer) -> None:
    """A commit that is made before the rebuilt frames are passed still knows which verdicts are out."""
    whole = take(scorer, PartitionWindows(CONFIG, None), stream, 0)
    first = PartitionWindows(CONFIG, None)
    said = take(scorer, first, stream[:50], 0)
    state = first.state()
    assert state is not None
    assert state.mark.offset < 48
    second = PartitionWindows(CONFIG, PartitionCheckpoint.restore(state.mark.offset, state.metadata()))
    assert take(scorer, second, stream[: state.mark.offset + 2], state.mark.offset) == []
    again = second.state()
    assert again is not None
    assert again.done == 50
    third = PartitionWindows(CONFIG, PartitionCheckpoint.restore(again.mark.offset, again.metadata()))
    assert said + take(scorer, third, stream, third.next) == whole


def test_a_new_shard_has_nothing_to_commit() -> None:
    """Before the first frame there is no place to go back to."""
    shard = PartitionWindows(CONFIG, None)
    assert shard.state() is None
    assert shard.next == 0
    assert shard.counts.rows == 0


def test_a_frame_that_closes_nothing_gives_no_decisions(stream: list[EventFrame], scorer: Scorer) -> None:
    """The first lines open windows only; the shard moves on all the same."""
    shard = PartitionWindows(CONFIG, None)
    full = next(frame for frame in stream if len(frame.rows))
    assert decide(OneScorer(scorer), [(shard, ReadFrame(7, 0, full))]) == []
    assert shard.next == 8
    assert shard.counts.rows == len(full.rows)
    assert len(shard.store) > 0


def test_shards_that_are_scored_together_say_what_they_say_alone(scorer: Scorer) -> None:
    """Frames of three partitions in one batch, though rows of all have the same numbers."""
    streams = [stream_of_frames(seed) for seed in (1, 2, 3)]
    alone = sorted(text for frames in streams for text in take(scorer, PartitionWindows(CONFIG, None), frames, 0))
    shards = [PartitionWindows(CONFIG, None) for _ in streams]
    together: list[bytes] = []
    for offset in range(FRAMES):
        turn = [(shard, ReadFrame(offset, 0, frames[offset])) for shard, frames in zip(shards, streams, strict=True)]
        together += said(decide(OneScorer(scorer), turn))
    assert sorted(together) == alone


def test_metadata_tells_the_state_again() -> None:
    """Through the commit and back."""
    state = PartitionCheckpoint(
        RestartMark(100, 1_700_000_000_000_000, {0: (41, 1_700_000_000_000_000), 7: (-1, -1)}), 130
    )
    assert PartitionCheckpoint.restore(100, state.metadata()) == state


def test_metadata_of_eighty_raw_partitions_fits_into_a_commit() -> None:
    """Kafka takes 4,096 bytes."""
    raw = {p: (10**9 + p, 1_700_000_000_000_000 + p) for p in range(80)}
    assert len(PartitionCheckpoint(RestartMark(10**9, 1_700_000_000_000_000, raw), 10**9).metadata()) < 4096


def test_without_a_commit_there_is_no_state() -> None:
    """Kafka tells a negative offset then, with whatever metadata."""
    assert PartitionCheckpoint.restore(-1001, "") is None


@pytest.mark.parametrize(
    "metadata",
    [
        "",
        "some text",
        "[]",
        "{}",
        '{"schema": "another/1", "done": 5, "clock": 1, "raw": {}}',
        f'{{"schema": "{SCHEMA}", "done": 5, "clock": 1}}',
        f'{{"schema": "{SCHEMA}", "done": "x", "clock": 1, "raw": {{}}}}',
        f'{{"schema": "{SCHEMA}", "done": 5, "clock": 1, "raw": {{"0": 3}}}}',
        f'{{"schema": "{SCHEMA}", "done": 5, "clock": 1, "raw": [1]}}',
        f'{{"schema": ["{SCHEMA}"], "done": 5, "clock": 1, "raw": {{}}}}',
    ],
)
def test_a_commit_of_another_program_stops_the_role_with_advice(metadata: str) -> None:
    """Going on from it would lose windows without a word."""
    with pytest.raises(FatalError, match=r"offset 12 .*TOCSIN_TOPIC_PREFIX"):
        PartitionCheckpoint.restore(12, metadata)
