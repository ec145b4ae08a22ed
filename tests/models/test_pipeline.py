"""The pipeline: raw messages to keyed events, and files to verdicts."""

from collections import Counter
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.pipeline import LineProcessor, PipelineConfig, Processed, raw_spans, score_files, scored_files
from models.records import ALL_SOURCES, NO_TIME, EventFrame, KeyKind, RawBatch, RawSpan, RowFlag, Verdict
from models.scorer import Scorer
from models.templates.matcher import mine, template_id
from models.windows.batches import concat
from models.windows.frame_codec import decode, encode
from models.windows.scoring import WindowScorer
from models.windows.store import WindowStore
from tests.models.bundles import TEXTS, bundle
from training.simulate import Scenario, stream_records

RECORDS = [record.value for record in stream_records(Scenario(3, datetime(2026, 3, 2, 9, tzinfo=UTC), 90.0))][:300]
TABLE = mine({"GET <*> status": 1})
BUNDLE = bundle()
SCORER = Scorer(BUNDLE, 1e9)


def raw(values: list[bytes], first: int = 0, partition: int = 2) -> RawBatch:
    """Messages of one raw partition, one after the other."""
    size = len(values)
    return RawBatch(
        values,
        np.full(size, partition, np.int32),
        np.arange(first, first + size, dtype=np.int64),
        np.full(size, NO_TIME, np.int64),
    )


def processor() -> LineProcessor:
    """One with an empty memory."""
    return PipelineConfig().processor(TABLE)


def keyed(frame: EventFrame) -> list[tuple[object, ...]]:
    """Rows of a frame with the names of their keys."""
    keys = frame.keys.select("tenant", "kind", "key").rows()
    columns = ("key", "time", "template", "level", "flags", "partition", "offset")
    return [(*keys[key], *rest) for key, *rest in frame.rows.select(columns).rows()]


@given(st.lists(st.integers(0, len(RECORDS)), max_size=6))
@settings(max_examples=10, deadline=None)
def test_how_messages_are_cut_into_batches_changes_no_event(cuts: list[int]) -> None:
    """Keys, times, templates, levels and places of all rows are those of one batch."""
    whole = keyed(processor().process(raw(RECORDS)).frame)
    one, found = processor(), []
    edges = sorted({0, *cuts, len(RECORDS)})
    for low, high in pairwise(edges):
        found += keyed(one.process(raw(RECORDS[low:high], low)).frame)
    assert sorted(found, key=repr) == sorted(whole, key=repr)
    assert len(whole) > 2 * len(RECORDS)


def oslo(second: float, text: str, level: str = "INFO") -> str:
    """Return a line of Nova's, so many seconds after eight."""
    minutes, rest = divmod(second, 60)
    return f"2026-03-02 08:{int(minutes):02d}:{rest:06.3f} 7 {level} nova.compute.manager [-] {text}\n"


def test_parts_of_another_line_are_no_texts_that_training_has_not_seen() -> None:
    """Neither a traceback's nor the line of code beneath a warning whose service last wrote a minute before."""
    lines = [
        oslo(1, "instance started"),
        "Traceback (most recent call last):",
        "ValueError",
        "/usr/lib/nova/compute.py:7: DeprecationWarning: use the other",
        "  return self.one()",
    ]
    read = [0, 0, 0, 60, 60]
    values = [
        orjson.dumps(
            {
                "log": line.rstrip(),
                "path": "/var/log/nova/nova-compute.log",
                "@timestamp": f"2026-03-02T08:{1 + second // 60:02d}:00Z",
            }
        )
        for line, second in zip(lines, read, strict=True)
    ]
    processed = processor().process(raw(values))
    assert processed.continuations == 2
    assert processed.is_unknown.tolist() == [True, False, False, True, False]


def test_every_message_is_accounted_for() -> None:
    """Events, lines that belong to one, rejects and drops add up to what went in."""
    lines = [
        b"",
        oslo(1, "instance started").encode().strip(),
        b"Traceback (most recent call last):",
        b'  File "x.py", line 1, in <module>',
        b"ValueError",
        b'{"log": 5}',
        oslo(2, "instance stopped").encode().strip(),
    ]
    done = processor().process(raw(lines), {2: "/var/log/nova/nova-compute.log"})
    assert (done.received, done.events, done.continuations) == (7, 2, 3)
    assert len(done.logs.rejects) + sum(done.logs.drops.values()) == 2
    sources = [row for row in keyed(done.frame) if row[1] == KeyKind.SOURCE]
    assert Counter(row[2] for row in sources) == {"nova-compute": 5, ALL_SOURCES: 5}


def test_new_templates_are_told_once_and_have_the_id_of_their_text() -> None:
    """With the service that wrote them; what the table knows is not told."""
    one = PipelineConfig().processor(mine({"instance started": 1}))
    lines = [oslo(n, text).encode().strip() for n, text in enumerate(["instance started", "port bound", "port bound"])]
    told: list[Processed] = [
        one.process(raw(lines, 3 * turn), {2: "/var/log/nova/nova-compute.log"}) for turn in (0, 1)
    ]
    assert [(new.id, new.text, new.service) for new in told[0].new] == [
        (template_id("port bound"), "port bound", "nova-compute")
    ]
    assert told[1].new == []


@given(st.lists(st.integers(0, 3), max_size=20), st.dictionaries(st.integers(0, 5), st.integers(0, 99), max_size=4))
@settings(max_examples=60)
def test_spans_cover_what_was_read_of_each_partition(partitions: list[int], clocks: dict[int, int]) -> None:
    """First and last offset of each, its clock, and ticks of partitions that only moved on in time."""
    batch = RawBatch(
        [b""] * len(partitions),
        np.array(partitions, np.int32),
        np.arange(10, 10 + len(partitions), dtype=np.int64),
        np.full(len(partitions), NO_TIME, np.int64),
    )
    expected = {number: RawSpan(0, -1, clock) for number, clock in clocks.items()}
    for number in set(partitions):
        mine_at = [10 + n for n, each in enumerate(partitions) if each == number]
        expected[number] = RawSpan(mine_at[0], mine_at[-1], clocks.get(number, NO_TIME))
    assert raw_spans(batch, clocks) == expected


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Eight minutes of a service, an event every two seconds, but for a minute in which all is strange."""
    texts = list(TEXTS)
    lines = []
    for n in range(240):
        strange = 150 <= n < 180
        lines.append(oslo(2.0 * n, "kernel panic" if strange else texts[n % 4], "ERROR" if strange else "INFO"))
    path = tmp_path / "nova" / "nova-compute.log"
    path.parent.mkdir()
    path.write_text("".join(lines))
    return path


def score(*paths: Path) -> list[Verdict]:
    """All verdicts on files."""
    one = PipelineConfig().processor(BUNDLE.table)
    said = score_files(paths, one, SCORER, WindowStore(BUNDLE.windows))
    return [verdict for verdicts, _ in said for verdict in verdicts]


def test_files_give_a_verdict_on_every_window_and_the_strange_one_stands_out(log: Path) -> None:
    """One a step of the source and one of everything, one more at the first error of a step; the trouble is highest."""
    verdicts = [verdict for verdict in score(log) if verdict.key == "nova-compute"]
    assert [verdict.end - verdict.start for verdict in verdicts] == [60_000_000] * len(verdicts)
    grid = [verdict.start for verdict in verdicts if verdict.start % 15_000_000 == 0]
    assert np.unique(np.diff(grid)).tolist() == [15_000_000]
    assert len(grid) == 480 // 15
    assert len(verdicts) - len(grid) == 60 // 15
    worst = max(verdicts, key=lambda verdict: verdict.score)
    begin = verdicts[0].end - 15_000_000
    assert worst.start < begin + 360_000_000
    assert worst.end > begin + 300_000_000
    text = log.read_text().splitlines()
    assert all("kernel panic" in text[line.offset] for line in worst.lines)
    assert any("error lines (usually" in reason for reason in worst.reasons)


def test_a_line_weighs_the_same_in_every_window_that_holds_it(log: Path) -> None:
    """What a sequence scorer said when it was new is remembered for the windows after."""
    one, store = PipelineConfig().processor(BUNDLE.table), WindowStore(BUNDLE.windows)
    said: dict[int, set[float]] = {}
    for decided, _ in scored_files([log], one, WindowScorer(store, SCORER.decide)):
        closed = decided.windows
        mine = np.repeat(np.array([key == "nova-compute" for key in closed.keys], bool), np.diff(closed.splits))
        assert np.isfinite(decided.surprise[mine]).all()
        for offset, surprise in zip(closed.offset[mine].tolist(), decided.surprise[mine].tolist(), strict=True):
            said.setdefault(offset, set()).add(surprise)
    assert len(said) == 240
    assert all(len(each) == 1 for each in said.values())


def test_a_file_cut_in_two_gives_the_same_verdicts(log: Path, tmp_path: Path) -> None:
    """Rotated logs are one log: only where a line stands differs."""
    whole = {verdict.window_id: verdict for verdict in score(log)}
    lines = log.read_text().splitlines(keepends=True)
    (tmp_path / "rotated" / "nova").mkdir(parents=True)
    parts = [tmp_path / "rotated" / "nova" / name for name in ("nova-compute.log.1", "nova-compute.log")]
    for path, text in zip(parts, (lines[:100], lines[100:]), strict=True):
        path.write_text("".join(text))
    cut = {verdict.window_id: verdict for verdict in score(*parts)}
    assert set(cut) == set(whole)
    for name, verdict in cut.items():
        same = whole[name]
        assert (verdict.score, verdict.parts, verdict.reasons) == (same.score, same.parts, same.reasons)
        places = [line.offset + 100 * line.partition for line in verdict.lines]
        assert places == [line.offset for line in same.lines]


def test_marks_of_texts_reach_the_windows() -> None:
    """Through the wire form of frames; what the window store notes in the same bits stays there."""
    refused = (
        b'{"source": "nova/nova-api", "log": "2026-03-02 09:00:01.000 7 INFO nova [-] \\"POST /a/b\\" status: 403"}'
    )
    plain = b'{"source": "nova/nova-api", "log": "2026-03-02 09:00:02.000 7 INFO nova [-] all is well"}'
    made, store = processor(), WindowStore(BUNDLE.windows)
    frame = made.process(raw([refused, plain])).frame
    store.add(decode(encode(frame, "1"))[0])
    closed = concat(list(store.flush()))
    sizes = np.diff(closed.splits).tolist()
    assert sizes == [2, 2]
    assert closed.marks.tolist() == [int(RowFlag.CLIENT_FAULT), 0] * 2
