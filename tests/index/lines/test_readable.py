"""Files that hold no text."""

import base64
import random
import struct
import zlib

import pytest

from index.lines.readable import TextShare

RANDOM = random.Random(7).randbytes(100_000)
LINES = [b"2026-03-03 09:05:01.000 7 INFO nova.api [-] Line %d of a log" % number for number in range(500)]
PROGRAM = b"\n".join(
    struct.pack("<8Q", *range(number, number + 8)) + b"libc.so.6\0__cxa_finalize\0" for number in range(1_000)
)
LATIN = "2026-03-03 09:05:01 Datei für Benutzer geöffnet: Größe überschritten".encode("latin-1")


def unreadable(content: bytes) -> bool:
    """Whether the lines of a file are no text."""
    share = TextShare()
    for number in range(0, len(lines := content.split(b"\n")), 100):
        share.add(lines[number : number + 100])
    return share.unreadable


@pytest.mark.parametrize(
    "content",
    [
        RANDOM,
        PROGRAM,
        zlib.compress(b"".join(LINES)) + RANDOM[:5_000],
        b"\0" * 5_000,
        base64.encodebytes(RANDOM),
        b"\n".join(base64.b16encode(RANDOM[n : n + 32]) for n in range(0, 20_000, 32)),
        b"SQLite format 3\0" + bytes(range(32)) * 1_000,
    ],
    ids=["noise", "program", "archive", "zeros", "base64", "hexadecimal", "database"],
)
def test_programs_images_and_noise_are_unreadable(content: bytes) -> None:
    """Whatever strings they hold."""
    assert unreadable(content)


@pytest.mark.parametrize(
    "content",
    [
        b"\n".join(LINES),
        b"\0" * 4_096 + b"\n".join(LINES),
        b"\n".join(b"\x1b[31mERROR\x1b[0m " + line for line in LINES),
        b"\n".join([LATIN] * 50),
        b"\n".join([*LINES, *RANDOM.split(b"\n")[:100]]),
        "\n".join(line.decode() for line in LINES).encode("utf-16"),
        b'{"log":"compact","level":"error"}\n' * 50,
        "日志 错误 连接被拒绝\n".encode("gb18030") * 50,
        b"",
        b"\n\n\n",
    ],
    ids=["log", "hole", "colours", "latin", "some noise", "utf-16", "json", "chinese", "empty", "blank"],
)
def test_logs_are_readable(content: bytes) -> None:
    """With a hole where the file was cut, colours, another encoding, or some noise between."""
    assert not unreadable(content)
