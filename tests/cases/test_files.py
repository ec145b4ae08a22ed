"""Cases 18, 19, 25 and 27: years that are not written, times that are not read, what was refused, broken archives."""

import bz2
import gzip
import json
import lzma
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import polars as pl
import pytest
from click.testing import CliRunner

from models.decode.log_files import read_paths
from models.errors import InvalidError
from models.rfc3339 import parse_time, time_text
from stream.cli import tocsin
from stream.wiring.core import DEMO_BUNDLE
from tests.cases.reading import HEAD, files

NOVA: Final = "".join(
    f"2025-03-04 10:{n // 60:02}:{n % 60:02}.000 7 INFO nova.compute [-] phys_ram={n}MB\n" for n in range(0, 600, 5)
)
SECONDS: Final = range(0, 60, 5)


def span(lines: pl.DataFrame, name: str) -> tuple[str, str]:
    """First and last time of the lines of one file, to the second."""
    times = lines.filter(pl.col("source").str.contains(name, literal=True))["time"]
    return time_text(int(times.min()))[:19], time_text(int(times.max()))[:19]  # type: ignore[arg-type]


def write(folder: Path, name: str, text: str, written: str = "2026-08-01T00:00:00Z") -> None:
    """Write a file, packed as its name says, which was copied later than its lines were written."""
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    os.utime(path, (parse_time(written) / 1e6,) * 2)


def _name(value: object) -> str:
    """Name a case by its file: packed bytes hold the time, and functions their address."""
    return value if isinstance(value, str) else ""


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("syslog", "Mar  4 10:00:{:02} cmp1 systemd[1]: Started Session {} of user root."),
        ("syslog.1.gz", "Mar  4 10:00:{:02} cmp1 kernel: Out of memory: Killed process {}"),
        ("kubelet.log", "I0304 10:00:{:02}.123456       1 server.go:{}] started"),
        ("pacemaker.log", "Mar 04 10:00:{:02}.123 ctl1 pacemakerd [7] (f) \tnotice: {}"),
        ("redis.log", "[7] 04 Mar 10:00:{:02}.123 * Background saving started by pid {}"),
        ("dnsmasq.log", "Mar  4 10:00:{:02} dnsmasq[12]: query {}"),
        ("journal.txt", "Mär 04 10:00:{:02} cmp1 app[7]: gestartet {}"),
        ("messages", "<13>Mar  4 10:00:{:02} cmp1 app: started {}"),
        ("logcat.txt", "03-04 10:00:{:02}.123  7  7 I tag: started {}"),
    ],
)
def test_case_18_years_that_are_not_written(tmp_path: Path, name: str, line: str) -> None:
    """Of the other files, and not of when somebody copied them."""
    write(tmp_path, "nova-compute.log", NOVA)
    write(tmp_path, name, "".join(line.format(n, n) + "\n" for n in SECONDS))
    lines = files(tmp_path)
    assert span(lines, name) == ("2025-03-04T10:00:00", "2025-03-04T10:00:55")
    assert lines["time"].is_sorted()


@pytest.mark.parametrize(
    ("text", "written", "expected"),
    [
        ("Mar  4 10:00:00 c a[1]: x\n", "2025-03-04T11:00:00Z", ("2025-03-04T10:00:00",) * 2),
        ("Dec 31 23:00:00 c a[1]: x\n", "2026-01-01T03:00:00Z", ("2025-12-31T23:00:00",) * 2),
        ("Feb 29 10:00:00 c a[1]: x\n", "2025-03-01T00:00:00Z", ("2024-02-29T10:00:00",) * 2),
        (
            "Dec 31 23:59:59 c a[1]: x\nJan  1 00:00:01 c a[1]: y\n",
            "2026-01-02T00:00:00Z",
            ("2025-12-31T23:59:59", "2026-01-01T00:00:01"),
        ),
        ("header\n\nMar  4 10:00:00 c a[1]: x\n", "2025-03-05T00:00:00Z", ("2025-03-04T10:00:00",) * 2),
    ],
)
def test_case_18_a_file_alone_is_of_the_year_it_was_written_in(
    tmp_path: Path, text: str, written: str, expected: tuple[str, str]
) -> None:
    """Also over New Year, and in a leap year."""
    write(tmp_path, "syslog", text, written)
    lines = files(tmp_path)
    assert span(lines.filter(pl.col("message").is_in(["x", "y"])), "syslog") == expected


@pytest.mark.parametrize(
    "line",
    [
        "7:M 04 Mar 2025 10:{m:02}:{s:02}.123 * Background saving started by pid {n}",
        "12:X 04 Mar 2025 10:{m:02}:{s:02}.123 # +sdown master m 10.0.0.1 {n}",
        (
            "[pid: 1|app: 0|req: {n}/{n}] 10.0.0.1 () {{4 vars in 7 bytes}} [Tue Mar  4 10:{m:02}:{s:02} 2025] "
            "GET /x => generated 9 bytes in 3 msecs (HTTP/1.0 200) 3 headers in 90 bytes (1 switches on core 0)"
        ),
        "Tue Mar  4 10:{m:02}:{s:02} 2025: (VI_{n}) Entering MASTER STATE",
        '10.0.0.1 - - [04/Mar/2025:10:{m:02}:{s:02} +0000] "GET /{n} HTTP/1.1" 200 5',
        "04.03.25 10:{m:02}:{s:02} INFO started {n}",
        "2025-Mar-04 10:{m:02}:{s:02}.123 started {n}",
        "type=SYSCALL msg=audit(174108{t}.123:42): arch=c000003e syscall={n}",
        "4-Mar-25 10:{m:02}:{s:02} started {n}",
    ],
)
def test_case_19_times_of_whole_files_are_read(tmp_path: Path, line: str) -> None:
    """Ten minutes of lines lie in ten minutes."""
    numbers = range(0, 600, 5)
    text = "".join(line.format(m=n // 60, s=n % 60, n=n, t=2400 + n) + "\n" for n in numbers)
    write(tmp_path, "app.log", text)
    assert span(files(tmp_path), "app.log") == ("2025-03-04T10:00:00", "2025-03-04T10:09:55")


def score(path: Path) -> str:
    """Return what the command says beside its result."""
    result = CliRunner().invoke(tocsin, ["score", str(path), "--bundle", str(DEMO_BUNDLE), "--out", str(path) + ".out"])
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stderr


@pytest.mark.parametrize(
    "line", ["hello {}", "[ {}.123456] usb: new device", "worker {} is up", "10:00 worker {}", "2025-13-45 worker {}"]
)
def test_case_19_a_file_whose_times_are_not_read_is_told(tmp_path: Path, line: str) -> None:
    """How many, and of which source."""
    path = tmp_path / "app.log"
    path.write_text("".join(line.format(n) + "\n" for n in range(100, 120)))
    assert "20 of 20 events have no time of their own, in " in score(path)


@pytest.mark.parametrize(
    ("refused", "reasons"),
    [
        (['{"@timestamp": "2025-03-04T10:00:00Z", "cpu": 5}'] * 3, "3 lines were not understood (no_line 3)"),
        (['{"log": "cut'], "1 lines were not understood (invalid_json 1)"),
        (['{"log": 5}', '{"message": {"a": 1}}'], "2 lines were not understood (wrong_type 2)"),
        (['{"log": 5}', '{"log": ["a", 1]}', '{"host": "h"}'], "3 lines were not understood (wrong_type 2, no_line 1)"),
        (['{"MESSAGE": null, "PRIORITY": "3"}', "{}"], "2 lines were not understood (no_line 2)"),
        (['{"log": "x"'] * 1200, "1,200 lines were not understood (invalid_json 1,200)"),
    ],
)
@pytest.mark.parametrize("good", [0, 5])
def test_case_25_score_tells_what_it_could_not_read(
    tmp_path: Path, refused: list[str], reasons: str, good: int
) -> None:
    """How many lines and why, beside good lines and alone."""
    path = tmp_path / "part.jsonl"
    lines = ['{"log": "2025-03-04 10:00:00.123 7 INFO nova.compute.manager [-] one"}'] * good
    path.write_text("\n".join(lines + refused) + "\n")
    said = score(path)
    assert reasons in said
    assert said.startswith(f"{good + len(refused)} lines, ")


def test_case_25_records_of_filebeat_are_among_the_good(tmp_path: Path) -> None:
    """Those that came with the case are lines now, and nothing is said."""
    path = tmp_path / "part.jsonl"
    record = {"@timestamp": "2025-03-04T10:00:01Z", "message": HEAD.format("INFO", "one"), "host": {"name": "c1"}}
    path.write_text("".join(json.dumps({**record, "log": {"offset": n}}) + "\n" for n in range(20)))
    assert "not understood" not in score(path)


BIG: Final = "".join(
    f"2025-03-04 10:{n // 60 % 60:02}:{n % 60:02} 7 ERROR nova.api [-] boom {n * 7919 % 99991} {n * 31337 % 99991}\n"
    for n in range(3000)
).encode()
LINE: Final = b"2025-03-04 10:00:00.123 7 ERROR nova.api [-] boom\n"
TURNED: Final = bytes([gzip.compress(BIG)[9000] ^ 255])


@pytest.mark.parametrize(
    ("name", "data", "least"),
    [
        ("a.log.2.gz", gzip.compress(BIG)[:9000], 100),
        ("a.log.2.gz", gzip.compress(BIG)[:-4], 2900),
        ("a.log.2.gz", gzip.compress(BIG) + b"junk", 3000),
        ("a.log.2.gz", gzip.compress(BIG)[:9000] + TURNED + gzip.compress(BIG)[9001:], 100),
        ("a.log.2.gz", gzip.compress(BIG[:5000]) + gzip.compress(BIG[5000:])[:300], 50),
        ("a.log.2.gz", b"\x1f\x8b", 0),
        ("a.log.2.gz", bytes(1000), 0),
        ("a.log.xz", lzma.compress(BIG)[:8000], 100),
        ("a.log.xz", lzma.compress(BIG)[:-10], 100),
        ("a.log.bz2", bz2.compress(BIG)[:-10], 0),
        ("a.log.bz2", b"BZh9" + bytes(100), 0),
        ("a.log.zst", b"\x28\xb5\x2f\xfd" + bytes(100), 0),
    ],
    ids=_name,
)
def test_case_27_a_broken_archive_among_others(
    tmp_path: Path, name: str, data: bytes, least: int, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told by its name, read as far as it goes, and the others are read."""
    (tmp_path / "nova-api.log").write_bytes(LINE)
    (tmp_path / name).write_bytes(data)
    lines = files(tmp_path)
    assert f"{name}: broken archive" in caplog.text
    assert lines.filter(pl.col("source").str.ends_with("nova-api.log")).height == 1
    assert lines.height > least
    with pytest.raises(InvalidError, match="broken archive"):
        list(read_paths([tmp_path / name]))


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("a.log.1", gzip.compress),
        ("a.log.gz.1", gzip.compress),
        ("a.log.GZ", gzip.compress),
        ("a.log-20250304.xz", gzip.compress),
        ("a.log.gz", lzma.compress),
        ("a.log.bz2", bz2.compress),
        ("a.log.gz", bytes),
        ("a.log.gz", lambda data: gzip.compress(data) + bytes(512)),
        ("a.log.gz", lambda data: gzip.compress(data[:9000]) + gzip.compress(data[9000:])),
    ],
    ids=_name,
)
def test_case_27_a_packed_file_is_known_by_its_content(
    tmp_path: Path, name: str, pack: Callable[[bytes], bytes], caplog: pytest.LogCaptureFixture
) -> None:
    """Rotation gives packed files any name, and delays the packing."""
    (tmp_path / "nova-api.log").write_bytes(LINE)
    (tmp_path / name).write_bytes(pack(BIG))
    assert files(tmp_path).height == 3001
    assert caplog.text == ""


@pytest.mark.parametrize("command", ["score", "analyze"])
def test_case_27_commands_go_on(tmp_path: Path, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an error, whichever reads the folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOCSIN_EMBEDDING_MODEL", "built-in")
    monkeypatch.setenv("TOCSIN_CACHE_PATH", str(tmp_path / "cache"))
    (tmp_path / "nova").mkdir()
    (tmp_path / "nova/nova-api.log").write_bytes(LINE)
    (tmp_path / "nova/nova-api.log.2.gz").write_bytes(gzip.compress(BIG)[:9000])
    args = {
        "score": ["score", "nova", "--bundle", str(DEMO_BUNDLE), "--out", "out"],
        "analyze": ["analyze", "--issue", "nova api fails", "--logs", "nova", "--fast"],
    }
    result = CliRunner().invoke(tocsin, args[command])
    assert result.exit_code == 0, (result.output, result.exception)
    assert "boom" in result.stdout or command == "score"
