"""What a model is trained on, and what is held back to calibrate it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import InvalidError
from models.features.vocabulary import Vocabulary
from models.pipeline import PipelineConfig
from models.records import F32, KeyKind, WindowBatch
from models.rfc3339 import SECOND
from models.templates.matcher import TemplateTable, mine, template_id
from tests.models.bundles import Window
from tests.models.bundles import windows as batch_of
from training.datasets import HELD_BACK, MIN_COUNT, Survey, scored_windows, select, split_of, survey

START = datetime(2026, 3, 2, 8, tzinfo=UTC)
BEGIN = round(START.timestamp()) * SECOND


def line(second: float, text: str, tenant: str = "cloud", host: str = "c1") -> bytes:
    """Return a raw record of Nova's."""
    when = (START + timedelta(seconds=second)).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    fields = {"tenant": tenant, "host": host, "path": "/var/log/nova/nova-compute.log"}
    return orjson.dumps({**fields, "log": f"{when} 7 INFO nova.compute.manager [-] {text}"})


def write(path: Path, lines: list[bytes]) -> Path:
    """Write raw records."""
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


def look(path: Path, base: TemplateTable | None = None) -> Survey:
    """Survey a file."""
    return survey([path], PipelineConfig(), base, lambda _: None)


def test_a_survey_counts_lines_and_finds_templates_services_and_spans(tmp_path: Path) -> None:
    """Lines that belong to a record before them are no events; what cannot be understood is a line too."""
    lines = [
        line(0, "instance 7 started"),
        line(3, "instance 8 started", tenant="other"),
        line(9, "instance 9 started"),
        line(5, "a rare thing"),
        orjson.dumps({**orjson.loads(line(9, "")), "log": "Traceback (most recent call last):"}),
        b'{"no line": 1}',
    ]
    counted: list[int] = []
    found = survey([write(tmp_path / "a.jsonl", lines)], PipelineConfig(), None, counted.append)
    assert (found.lines, found.events, sum(counted)) == (6, 4, 6)
    assert found.services == {"nova-compute"}
    assert found.spans == {"cloud": (BEGIN, BEGIN + 9 * SECOND), "other": (BEGIN + 3 * SECOND, BEGIN + 3 * SECOND)}
    assert [found.table.text(number) for number in found.table] == ["a rare thing", "instance <*> started"]


def test_a_survey_says_what_it_could_not_read(tmp_path: Path) -> None:
    """Span and services first; then lines without meaning and events without a time, which set thresholds astray."""
    lines = [
        line(0, "instance 7 started"),
        line(600, "instance 8 started"),
        b'{"no line": 1}',
        b'{"log": "no time here", "service": "x"}',
    ]
    said = list(look(write(tmp_path / "a.jsonl", lines)).describe())
    assert "2 services" in said[0]
    assert said[1] == "warning: 1 lines were not understood (no_line 1); `tocsin formats` shows them"
    assert said[2] == "warning: 1 of 3 events have no time of their own, in x (`tocsin formats`)"
    assert len(list(look(write(tmp_path / "b.jsonl", lines[:2])).describe())) == 1


def test_templates_met_too_seldom_have_no_token(tmp_path: Path) -> None:
    """They are like those that training never saw, so the network learns what such a one is."""
    lines = [line(n, "often") for n in range(MIN_COUNT)] + [line(9, "once")]
    found = look(write(tmp_path / "a.jsonl", lines))
    assert found.vocabulary.ids.tolist() == [template_id("often")]


def test_templates_of_a_base_keep_their_ids(tmp_path: Path) -> None:
    """The next training goes on with what the last one knew."""
    base = mine({f"user {name} logged in": 2 for name in ("ann", "bob", "cid", "dan", "eve")})
    lines = [line(n, "user zoe logged in") for n in range(2)] + [line(n, "all quiet") for n in range(2)]
    found = look(write(tmp_path / "a.jsonl", lines), base)
    assert set(base) < set(found.table)
    assert found.vocabulary.ids.tolist() == sorted([template_id("user <*> logged in"), template_id("all quiet")])


@pytest.mark.parametrize("lines", [[b'{"no line": 1}'], [b""], []])
def test_files_without_a_line_to_learn_from_are_refused(tmp_path: Path, lines: list[bytes]) -> None:
    """With what to do."""
    with pytest.raises(InvalidError, match="no line of these files could be understood"):
        look(write(tmp_path / "a.jsonl", lines))


def surveyed(spans: dict[str, tuple[int, int]]) -> Survey:
    """A survey of tenants with these spans, in seconds."""
    micros = {name: (BEGIN + low * SECOND, BEGIN + high * SECOND) for name, (low, high) in spans.items()}
    return Survey(TemplateTable([]), Vocabulary([]), frozenset(), 0, 0, micros)


def grid(length_s: int, sessions: list[tuple[int, int]] | None = None, tenant: str = "t") -> WindowBatch:
    """Windows of a minute of a source, a step of 15 s apart, over so many seconds; sessions by begin and length.

    By default there are as many of these, and as long.
    """
    steps = [(15 * n, 60) for n in range(length_s // 15)]
    chosen = steps if sessions is None else sessions
    made = batch_of(
        [Window((1,), tenant=tenant)] * len(steps)
        + [Window((1,), f"req-{n}", KeyKind.SESSION, tenant=tenant) for n in range(len(chosen))]
    )
    made.start[:] = [BEGIN + begin * SECOND for begin, _ in [*steps, *chosen]]
    made.end[:] = [BEGIN + (begin + length) * SECOND for begin, length in [*steps, *chosen]]
    return made


@given(st.integers(600, 40_000), st.lists(st.tuples(st.integers(0, 40_000), st.integers(1, 700)), max_size=30))
@settings(max_examples=40, deadline=None)
def test_of_few_tenants_every_fifth_stretch_of_time_is_held_back(
    length_s: int, sessions: list[tuple[int, int]]
) -> None:
    """Windows that end in it calibrate; those that reach into it, or over it, are not trained on."""
    split = split_of(surveyed({"t": (0, length_s)}), 1)
    made = grid(length_s, sessions)
    held, trained = split.held(made), split.trained(made)
    for i in range(len(made)):
        first, last = ((int(time[i]) - BEGIN) // split.block for time in (made.start, made.end))
        assert held[i] == (last % HELD_BACK == HELD_BACK - 1)
        assert trained[i] == all(number % HELD_BACK != HELD_BACK - 1 for number in range(first, last + 1))
    assert split.days({"t": (BEGIN, BEGIN + length_s * SECOND)}) == pytest.approx(length_s / 5 / 86_400)


def test_about_a_fifth_is_held_back_and_most_of_the_rest_trained_on() -> None:
    """Of a quarter of an hour as of a day."""
    for length_s in (900, 86_400):
        made, split = grid(length_s), split_of(surveyed({"t": (0, length_s)}), 1)
        assert 0.1 < split.held(made).mean() < 0.3
        assert split.trained(made).mean() > 0.6


def test_of_many_tenants_every_fifth_is_held_back_whole() -> None:
    """Which ones is a matter of their names, not of their order; their days count, the others' do not."""
    names = [f"tenant-{n}" for n in range(17)]
    spans = {name: (0, 86_400 * (n + 1)) for n, name in enumerate(names)}
    split = split_of(surveyed(spans), 1)
    assert split == split_of(surveyed(dict(reversed(spans.items()))), 1)
    assert len(split.tenants) == 4
    for name in names:
        made = grid(600, tenant=name)
        assert split.held(made).tolist() == [name in split.tenants] * len(made)
        assert split.trained(made).tolist() == [name not in split.tenants] * len(made)
    micros = surveyed(spans).spans
    assert split.days(micros) == pytest.approx(sum(names.index(name) + 1 for name in split.tenants))


def test_each_of_five_seeds_holds_back_something_else() -> None:
    """Together everything, once: blocks, tenants or sessions; a sixth begins anew."""
    many = {f"tenant-{n}": (0, 86_400) for n in range(17)}
    for spans, made in (
        ({"t": (0, 40_000)}, grid(40_000)),
        (many, batch_of([Window((1,), tenant=name) for name in many])),
        ({"t": (0, 500)}, grid(3000)),
    ):
        splits = [split_of(surveyed(spans), seed) for seed in range(1, 7)]
        held = np.stack([split.held(made) for split in splits])
        assert not any((split.held(made) & split.trained(made)).any() for split in splits)
        assert (held[:5].sum(axis=0) <= 1).all()
        assert held[:5].any(axis=0).sum() > 0.99 * held[:5].any(axis=0).size or splits[0].by_key
        assert (held[5] == held[0]).all()


def test_of_very_short_logs_every_fifth_session_is_held_back() -> None:
    """There is no stretch to spare: sources are trained on, and calibrate themselves."""
    split = split_of(surveyed({"t": (0, 500)}), 1)
    made = grid(3000)
    held, session = split.held(made), made.kinds == KeyKind.SESSION
    assert not held[~session].any()
    assert 0.1 < held[session].mean() < 0.3
    assert (split.trained(made) == ~held).all()


def test_stretches_are_between_two_minutes_and_an_hour() -> None:
    """However short or long the logs are."""
    blocks = [split_of(surveyed({"t": (0, length)}), 1).block // SECOND for length in (600, 30_000, 9_000_000)]
    assert blocks == [120, 1200, 3600]


@dataclass(frozen=True)
class RowScores:
    """A batch of windows and a surprise for each of its rows."""

    windows: WindowBatch
    surprise: F32


def test_windows_of_files_are_those_that_serving_sees(tmp_path: Path) -> None:
    """Closed batches, none of them empty, and what is said of their rows comes back with the windows after."""
    path = write(tmp_path / "a.jsonl", [line(second, "all quiet") for second in range(0, 300, 5)])
    rows = 0

    def score(closed: WindowBatch) -> RowScores:
        return RowScores(closed, np.ones(len(closed.time), np.float32))

    for scored in scored_windows([path], PipelineConfig(), mine({"all quiet": 1}), score):
        closed = scored.windows
        assert len(closed)
        assert np.isin(closed.template, template_id("all quiet")).all()
        fresh = np.concatenate(
            [np.arange(stop - new, stop) for stop, new in zip(closed.splits[1:], closed.new_rows, strict=True)]
        )
        rows += len(fresh)
        assert np.isnan(closed.surprise[fresh]).all()
        old = np.setdiff1d(np.arange(len(closed.time)), fresh)
        met = ~np.isin(closed.row_ids[old], closed.row_ids[fresh])
        assert (closed.surprise[old][met] == 1.0).all()
    assert rows == 2 * 60


def test_some_windows_of_a_batch_are_those_windows() -> None:
    """Row for row, in the order asked for; all of them are the batch itself."""
    made = batch_of(
        [Window((1, 2), "a"), Window((3,), "b", levels=(4,), whole=False), Window((4, 5, 6), "c", fresh=1, context=2)]
    )
    assert select(made, np.arange(3)) is made
    chosen = select(made, np.array([2, 1]))
    assert chosen.keys == ["c", "b"]
    assert chosen.splits.tolist() == [0, 3, 4]
    assert chosen.template.tolist() == [4, 5, 6, 3]
    assert chosen.level.tolist() == [2, 2, 2, 4]
    assert chosen.complete.tolist() == [True, False]
    assert (chosen.new_rows.tolist(), chosen.context.tolist()) == ([1, 1], [2, 0])
    assert chosen.row_ids.tolist() == [3, 4, 5, 2]
    assert isinstance(select(made, np.zeros(0, np.int64)), WindowBatch)
    assert len(select(made, np.zeros(0, np.int64))) == 0
