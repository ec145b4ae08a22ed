"""Several files as one stream in the order of time."""

import gzip
import io
import os
import sys
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.decode.decoder import DecodeConfig, Decoder
from models.decode.file_merge import merged
from models.decode.log_files import read_paths
from models.pipeline import PipelineConfig, windows_of_files
from models.rfc3339 import SECOND, parse_time, time_text
from models.templates.matcher import mine
from models.windows.store import WindowStore
from training.simulate import Scenario, stream_records

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


def line(second: int, text: str = "Took 1.5 seconds to build instance") -> str:
    """Return a line of Nova's that many seconds after eight o'clock."""
    when = f"2026-03-02 {8 + second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}.000"
    return f"{when} 7 INFO nova.compute.manager [-] {text}\n"


def places(paths: Sequence[Path], chunk: int = 8192) -> list[tuple[int, int, int]]:
    """Return seconds after eight, file and line of all lines, as they come."""
    found = []
    for logs, spans in merged(list(paths), Decoder(DecodeConfig()), chunk):
        begin = round(START.timestamp()) * SECOND
        rows = logs.lines.select("time", "partition", "offset").rows()
        found += [((time - begin) // SECOND, file, number) for time, file, number in rows]
        assert set(spans) == {file for _, file, _ in rows}
        for file, span in spans.items():
            assert [span.first, span.last] == [[n for _, f, n in rows if f == file][i] for i in (0, -1)]
    return found


def write(folder: Path, *files: Sequence[int]) -> list[Path]:
    """Write files of lines at these seconds."""
    paths = [folder / f"{number}.log" for number in range(len(files))]
    for path, seconds in zip(paths, files, strict=True):
        path.write_text("".join(map(line, seconds)))
    return paths


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None, max_examples=60
)
@given(
    files=st.lists(st.lists(st.integers(0, 50), max_size=12), min_size=2, max_size=5),
    chunk=st.integers(1, 5),
)
def test_lines_come_once_in_the_order_of_their_files_and_of_time(
    tmp_path: Path, files: list[list[int]], chunk: int
) -> None:
    """Whatever the chunks: nothing is lost, and no line comes before one that all files had reached earlier."""
    found = places(write(tmp_path, *files), chunk)
    for number, seconds in enumerate(files):
        assert [(s, n) for s, file, n in found if file == number] == list(
            zip(seconds, range(len(seconds)), strict=True)
        )
    reached: list[int] = []
    tops: dict[int, int] = defaultdict(int)
    for second, file, _ in found:
        tops[file] = max(tops[file], second)
        reached.append(tops[file])
    assert reached == sorted(reached)


def test_files_without_a_time_come_last(tmp_path: Path) -> None:
    """A notice beside the logs does not stop them from being merged."""
    (tmp_path / "a.txt").write_text("read me\nplease\n")
    paths = [tmp_path / "a.txt", *write(tmp_path, [0, 2], [1, 3])]
    assert [(file, number) for _, file, number in places(paths)] == [(1, 0), (2, 0), (1, 1), (2, 1), (0, 0), (0, 1)]


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs Linux")
def test_rotated_files_are_not_open_together(tmp_path: Path) -> None:
    """Those that follow each other are opened one by one, packed ones too, in the order of time and not of names."""
    order = [3, 1, 4, 0, 2]
    for n, begin in enumerate(order):
        path = tmp_path / f"nova.log.{n}.gz"
        path.write_bytes(gzip.compress("".join(line(100 * begin + second) for second in range(50)).encode()))
    seen, most = [], 0
    for logs, _ in merged([tmp_path], Decoder(DecodeConfig()), 10):
        seen += logs.lines["partition"].to_list()
        links = [link.readlink() for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
        most = max(most, sum(str(tmp_path) in str(link) for link in links))
    assert seen == [file for begin in range(5) for file in [order.index(begin)] * 50]
    assert 1 <= most <= 2


def test_one_file_is_read_as_it_stands(tmp_path: Path) -> None:
    """An ordered stream of raw records is not sorted again."""
    seconds = [5, 1, 9, 2]
    assert [second for second, *_ in places(write(tmp_path, seconds))] == seconds


def test_the_books_of_several_files_add_up(tmp_path: Path) -> None:
    """Rejects and drops come along with the lines."""
    paths = write(tmp_path, range(30), range(10, 40))
    with paths[0].open("ab") as file:
        file.write(b'{"log": "cut\n\n')
    (tmp_path / "2.log").write_bytes(b"\n\n" + line(3).encode())
    paths.append(tmp_path / "2.log")
    counted = 0
    rejects: list[Any] = []
    for logs, _ in merged(paths, Decoder(DecodeConfig()), 7):
        counted += len(logs.lines) + len(logs.rejects) + sum(logs.drops.values())
        rejects += logs.rejects
    assert counted == sum(len(batch.raw) for batch in read_paths(paths)) == 65
    assert len(rejects) == 1


def test_standard_input_is_merged_with_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though it can be read only once: what was looked at to find its first time is not lost."""
    text = "".join(map(line, [1, 4]))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    paths = [*write(tmp_path, [0, 3]), Path("-")]
    assert [second for second, *_ in places(paths)] == [0, 1, 3, 4]


def test_a_file_of_rejects_alone_is_told_of(tmp_path: Path) -> None:
    """There is no line to merge, but what came in must be counted."""
    paths = write(tmp_path, [1, 2])
    (tmp_path / "broken.log").write_bytes(b'{"log": 1}\n{"log": "cut\n')
    found = list(merged([*paths, tmp_path / "broken.log"], Decoder(DecodeConfig())))
    assert [len(logs.rejects) for logs, _ in found] == [0, 2]
    assert [len(logs.lines) for logs, _ in found] == [2, 0]


@pytest.mark.parametrize("suffix", ["jsonl", "ndjson"])
def test_a_stream_cut_into_a_file_per_source_gives_the_windows_of_the_whole(tmp_path: Path, suffix: str) -> None:
    """What a request does in Nova and in Neutron is one session, whichever file tells of it."""
    parts: dict[str, list[bytes]] = defaultdict(list)
    whole = tmp_path / f"whole.{suffix}"
    folder = tmp_path / "folder"
    folder.mkdir()
    with whole.open("wb") as file:
        for record in stream_records(Scenario(seed=5, start=START, duration_s=400.0)):
            said = orjson.loads(record.value)
            parts[said["host"] + said["path"]].append(record.value)
            file.write(record.value + b"\n")
    for number, values in enumerate(parts.values()):
        (folder / f"{number}.{suffix}").write_bytes(b"\n".join(values))
    assert len(parts) > 5
    one, two = windows([whole]), windows([folder])
    assert len(one) > 100
    assert two == one


def windows(paths: list[Path]) -> list[Any]:
    """Return all windows of files: key, bounds, and events in no order among those of one moment."""
    config = PipelineConfig()
    store = WindowStore(config.windows)
    found: list[Any] = []
    for closed in windows_of_files(paths, config.processor(mine({"x": 1})), store):
        for i, (low, high) in enumerate(pairwise(closed.splits.tolist())):
            events = sorted(zip(closed.time[low:high].tolist(), closed.template[low:high].tolist(), strict=True))
            found.append((closed.tenants[i], closed.keys[i], int(closed.start[i]), int(closed.end[i]), events))
    assert store.counts.late == 0
    assert np.all([len(each[-1]) for each in found])
    return sorted(found)


def test_years_come_from_the_other_files_first(tmp_path: Path) -> None:
    """A file without years beside others of the same weeks is of their year, whenever it was copied."""
    paths = write(tmp_path, [1, 2])
    (tmp_path / "syslog").write_text("Mar  2 08:00:03 c1 su: one\n")
    times = [
        t for logs, _ in merged([*paths, tmp_path / "syslog"], Decoder(DecodeConfig())) for t in logs.lines["time"]
    ]
    assert max(times) - min(times) < 5 * 1_000_000


def test_a_year_comes_from_when_the_file_was_written(tmp_path: Path) -> None:
    """Where no other file says it; a stamp of December in a file of January is of the year before."""
    path = tmp_path / "syslog"
    path.write_text("Dec 31 23:59:59 c1 su: one\nJan  1 00:00:01 c1 su: two\n")
    written = parse_time("2025-01-01T06:00:00Z") / 1e6
    os.utime(path, (written, written))
    times = [time_text(t) for logs, _ in merged([path], Decoder(DecodeConfig())) for t in logs.lines["time"]]
    assert times == ["2024-12-31T23:59:59.000Z", "2025-01-01T00:00:01.000Z"]


def test_lines_without_any_time_do_not_stand_in_1970(tmp_path: Path) -> None:
    """A banner takes the time of the line behind it, a file without times that of the last line of the others."""
    paths = write(tmp_path, [1, 2])
    paths[0].write_bytes(b"no time in this line\n" + paths[0].read_bytes())
    (tmp_path / "banner.log").write_text("welcome\n")
    times = [
        t for logs, _ in merged([*paths, tmp_path / "banner.log"], Decoder(DecodeConfig())) for t in logs.lines["time"]
    ]
    assert len(times) == 4
    assert max(times) - min(times) <= 1_000_000


def test_a_broken_archive_among_others_is_read_as_far_as_it_goes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Its lines before the damage, all of the others, and a word of it."""
    paths = write(tmp_path, [1, 2])
    packed = gzip.compress("".join(line(second % 60) for second in range(20_000)).encode())
    (tmp_path / "cut.log.gz").write_bytes(packed[: len(packed) // 2])
    lines = sum(len(logs.lines) for logs, _ in merged([*paths, tmp_path / "cut.log.gz"], Decoder(DecodeConfig())))
    assert 1000 < lines < 20_000
    assert "cut.log.gz: broken archive" in caplog.text
    assert sum(len(batch.raw) for batch in read_paths([*paths, tmp_path / "cut.log.gz"])) == lines
