"""Files as raw batches: what is read, in which order, and how trouble is told."""

import bz2
import gzip
import io
import json
import lzma
import shutil
import sys
from pathlib import Path
from random import Random

import pytest
from backports import zstd
from hypothesis import given, settings
from hypothesis import strategies as st

from models.decode import log_files as files
from models.decode.decoder import DecodeConfig, Decoder
from models.decode.log_files import FileBatch, LogFile, kept_stdin, list_files, read_file, read_paths
from models.errors import InvalidError
from models.records import NO_TIME
from models.rfc3339 import time_text

LINES = st.lists(st.binary(max_size=30).map(lambda line: line.replace(b"\n", b"")), max_size=40)
ENDS = pytest.mark.parametrize("end", [b"\n", b"\r\n"])


def write(path: Path, data: bytes) -> Path:
    """Write a file, packed as its name says."""
    if path.suffix == ".gz":
        data = gzip.compress(data)
    elif path.suffix == ".xz":
        data = lzma.compress(data)
    elif path.suffix == ".bz2":
        data = bz2.compress(data)
    elif path.suffix == ".zst":
        data = zstd.compress(data, options={zstd.CompressionParameter.checksum_flag: 1})  # as the command does
    path.write_bytes(data)
    return path


def read(*paths: str | Path, batch_lines: int = 8192) -> list[FileBatch]:
    """All batches."""
    return list(read_paths(paths, batch_lines))


def values(batches: list[FileBatch]) -> list[bytes]:
    """All lines."""
    return [line for batch in batches for line in batch.raw.values]


@given(LINES, st.integers(1, 7), st.integers(1, 5), st.booleans())
@settings(max_examples=80, deadline=None)
def test_every_line_is_read_once_in_order(lines: list[bytes], batch_lines: int, chunk: int, ended: bool) -> None:
    """However the file is cut into batches and pieces, with or without an end of the last line, empty lines too."""
    lines = [line.removesuffix(b"\r") for line in lines]
    data = b"\n".join(lines) + (b"\n" if ended and lines else b"")
    expected = data.split(b"\n")
    expected = [line.removesuffix(b"\r") for line in (expected[:-1] if expected[-1] == b"" else expected)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "_CHUNK", chunk)
        batches = list(read_file(LogFile(3, "-"), batch_lines, io.BytesIO(data)))
    assert values(batches) == expected
    assert [offset for batch in batches for offset in batch.raw.offsets.tolist()] == list(range(len(expected)))
    assert all(len(batch.raw) == batch_lines for batch in batches[:-1])
    assert all(0 < len(batch.raw) <= batch_lines for batch in batches)
    assert all(set(batch.raw.partitions.tolist()) == {3} for batch in batches)
    assert all(set(batch.raw.arrived.tolist()) == {NO_TIME} for batch in batches)


@ENDS
@pytest.mark.parametrize("name", ["a.log", "a.log.gz", "a.log.xz", "a.log.bz2", "a.log.zst", "a.log.1"])
def test_packed_files_are_read_like_plain_ones(tmp_path: Path, name: str, end: bytes) -> None:
    """By their names; the end of a line may be that of Windows."""
    path = write(tmp_path / name, end.join([b"one", b"", b"two\xff"]) + end)
    (batch,) = read(path)
    assert batch.raw.values == [b"one", b"", b"two\xff"]
    assert batch.sources == {0: str(path)}


def test_a_long_line_is_one_line(tmp_path: Path) -> None:
    """Longer than what is read at a time."""
    line = b"x" * (2 * files._CHUNK + 5)
    assert values(read(write(tmp_path / "a.log", line + b"\nshort"))) == [line, b"short"]


def test_folders_are_read_with_all_below_them_sorted(tmp_path: Path) -> None:
    """Files keep the order given; a folder's are sorted; each has its own number and its lines count from nought."""
    for name in ("b/two.log", "b/deep/one.log", "b/empty.log", "a.log"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        write(tmp_path / name, b"" if "empty" in name else name.encode() + b"\nend\n")
    listed = list_files([tmp_path / "b", tmp_path / "a.log"])
    assert [str(file.path).removeprefix(f"{tmp_path}/") for file in listed] == [
        "b/deep/one.log",
        "b/empty.log",
        "b/two.log",
        "a.log",
    ]
    batches = read(tmp_path / "b", tmp_path / "a.log")
    assert [(batch.raw.partitions[0], batch.raw.values[0]) for batch in batches] == [
        (0, b"b/deep/one.log"),
        (2, b"b/two.log"),
        (3, b"a.log"),
    ]
    assert all(batch.raw.offsets.tolist() == [0, 1] for batch in batches)


@pytest.mark.parametrize("name", ["a.jsonl", "a.ndjson"])
def test_records_bring_their_own_source(tmp_path: Path, name: str) -> None:
    """The path of a file of raw records says nothing of where their lines came from."""
    (batch,) = read(write(tmp_path / name, b'{"log":"x"}\n'))
    assert batch.sources == {}


def test_standard_input_is_called_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lines have a source too, and it cannot be read twice."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"one\ntwo")))
    (batch,) = read("-")
    assert (batch.raw.values, batch.sources) == ([b"one", b"two"], {0: "stdin"})
    assert not LogFile(0, "-").is_regular


def test_kept_standard_input_can_be_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """From its begin, as often as wanted; where it is not asked for, it is left alone."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"one\ntwo")))
    with kept_stdin(["a.log"]) as nothing:
        assert nothing is None
    with kept_stdin(["a.log", "-"]) as kept:
        for _ in range(2):
            assert values(list(read_file(LogFile(0, "-"), stdin=kept))) == [b"one", b"two"]


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        ([], "no path given: name log files, folders or -"),
        (["missing.log"], r"missing\.log: no such file or folder"),
        (["empty"], "empty: the folder holds no files"),
        (["-", "-"], "- is given twice"),
    ],
)
def test_paths_that_name_nothing_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, paths: list[str], message: str
) -> None:
    """Before a line is read, with what to do."""
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidError, match=message):
        list_files(paths)


@pytest.mark.parametrize("name", ["a.gz", "a.xz", "a.bz2", "a.zst"])
@pytest.mark.parametrize("damage", ["cut", "turned", "zeros"])
def test_a_broken_archive_is_told_by_its_name(tmp_path: Path, name: str, damage: str) -> None:
    """Cut off, damaged within, or a hole where an archive was."""
    path = write(tmp_path / name, Random(1).randbytes(100_000) + b"\n")
    data = bytearray(path.read_bytes())
    if damage == "cut":
        del data[50_000:]
    elif damage == "turned":
        data[50_000:50_100] = bytes(each ^ 0xFF for each in data[50_000:50_100])
    else:
        data[:] = bytes(1000)
    path.write_bytes(data)
    with pytest.raises(InvalidError, match=rf"{name}: broken archive"):
        read(path)


@pytest.mark.parametrize("name", ["sosreport.tar", "sosreport.tar.gz", "sosreport.tgz", "logs.zip"])
def test_an_archive_of_many_files_is_not_read_as_one(tmp_path: Path, name: str) -> None:
    """It would be heads of members and holes between lines."""
    (tmp_path / "nova.log").write_bytes(b"one\n")
    made = shutil.make_archive(
        str(tmp_path / "made"),
        "zip" if name.endswith("zip") else "tar" if name.endswith("tar") else "gztar",
        tmp_path,
        "nova.log",
    )
    path = Path(made).rename(tmp_path / name)
    with pytest.raises(InvalidError, match=rf"{name}.*holds many files: unpack it into a folder"):
        read(path)


def test_a_file_that_cannot_be_read_is_told_by_its_name(tmp_path: Path) -> None:
    """Here one that went away between listing and reading."""
    path = write(tmp_path / "a.log", b"one\n")
    (listed,) = list_files([path])
    path.unlink()
    with pytest.raises(InvalidError, match=r"a\.log: cannot be read \(No such file"):
        list(read_file(listed))
    assert not listed.is_regular


def _services(decoder: Decoder, path: str | Path) -> set[tuple[str, str]]:
    """Service and host of all lines of what a path names."""
    return {
        place
        for batch in read_paths([path])
        for place in decoder.decode(batch.raw, batch.sources, batch.written).lines.select("service", "host").rows()
    }


LINE = "2026-11-30 09:14:14.123 7 INFO nova.api [-] one\n"


def test_a_file_is_one_source_however_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a relative path, dots, links, its folder, what rotation made of it, and from any working directory."""
    folder = tmp_path / "log" / "neutron"
    folder.mkdir(parents=True)
    (folder / "server.log").write_text(LINE)
    (folder / "server.log.1").write_text(LINE)
    (folder / "server.log.2.gz").write_bytes(gzip.compress(LINE.encode()))
    (tmp_path / "mine").symlink_to(folder)
    (tmp_path / "current.log").symlink_to(folder / "server.log")
    expected = {("neutron-server", "")}
    monkeypatch.chdir(tmp_path)
    names = ["log", "./log/neutron", "log/../log/neutron/server.log", "mine", "current.log", str(folder), "."]
    assert [_services(Decoder(DecodeConfig()), name) for name in names] == [expected] * len(names)
    monkeypatch.chdir(folder)
    names = [".", "server.log", "server.log.1", "server.log.2.gz", "../neutron"]
    assert [_services(Decoder(DecodeConfig()), name) for name in names] == [expected] * len(names)


def test_a_link_to_the_file_of_a_runtime_keeps_its_name(tmp_path: Path) -> None:
    """The name in /var/log/containers tells the container; the target's only its id."""
    identity = "0a" * 32
    target = tmp_path / "docker" / identity / f"{identity}-json.log"
    target.parent.mkdir(parents=True)
    target.write_text(LINE)
    (tmp_path / "containers").mkdir()
    link = tmp_path / "containers" / f"api-7d_prod_web-{identity}.log"
    link.symlink_to(target)
    assert _services(Decoder(DecodeConfig()), link) == {("web", "")}


def test_the_host_of_a_path_is_that_of_lines_whose_record_names_none(tmp_path: Path) -> None:
    """Whether read from the file or from records; a record's own host counts more."""
    path = tmp_path / "compute1" / "nova" / "nova-api.log"
    path.parent.mkdir(parents=True)
    path.write_text(LINE)
    assert _services(Decoder(DecodeConfig()), path) == {("nova-api", "compute1")}
    records = tmp_path / "records.jsonl"
    shipped = [{"path": str(path), "log": LINE}, {"path": str(path), "log": LINE, "host": "central"}]
    records.write_text("".join(json.dumps(record) + "\n" for record in shipped))
    assert _services(Decoder(DecodeConfig()), records) == {("nova-api", "compute1"), ("nova-api", "central")}


def test_a_zone_by_a_relative_pattern_counts_for_the_whole_path(tmp_path: Path) -> None:
    """Sources are absolute; what settings name may be the end of one."""
    path = tmp_path / "nova" / "nova-api.log"
    path.parent.mkdir()
    path.write_text(LINE)
    decoder = Decoder(DecodeConfig(zones={"nova/*.log": "Europe/Prague"}))
    (batch,) = read_paths([path])
    (time,) = decoder.decode(batch.raw, batch.sources, batch.written).lines["time"].to_list()
    assert time_text(time) == "2026-11-30T08:14:14.123Z"
