"""Cases 10 and 11: lines of 64 kB on which a pattern might take more than linear time.

A slow line is found as in ``tests/faults/test_slow_lines.py``: by the processor seconds that it takes alone, tried
again, as patterns are compiled once; the limit is the same.
"""

from typing import Final

import pytest

from models.decode.decoder import DecodeConfig, Decoder
from tests.cases.reading import decoded, facts
from tests.faults.slow_shapes import SIZE
from tests.faults.test_slow_lines import LIMIT_S, seconds_of

OSLO: Final = "2025-03-04 10:00:00.123 7 INFO a.b [-] "
BARE: Final = "2025-03-04 10:00:00 "
LOGFMT: Final = "level=info ts=2026-11-30T09:40:00Z msg=x "


def filled(head: str, unit: str) -> str:
    """A line of 64 kB."""
    return (head + unit * SIZE)[:SIZE]


@pytest.mark.parametrize(
    ("head", "unit"),
    [
        (LOGFMT, "a"),
        (LOGFMT, "a-"),
        (LOGFMT, "a.b@"),
        (LOGFMT, '\\"'),
        ('time="', "2025-"),
        ("key=", '"'),
        ("", "a=b "),
        ("", "1=2 "),
        ('{"log":"', "a="),
        ("type=A msg=audit(", "a=b "),
    ],
)
def test_case_10_lines_like_logfmt(head: str, unit: str) -> None:
    """One long word, pairs without an end, quotes without one."""
    check(filled(head, unit))


@pytest.mark.parametrize(
    "unit",
    [
        "1+",
        "1-",
        "1.",
        "-1",
        "1e",
        "0x",
        "a@",
        "a.",
        "://",
        "a://",
        "1:",
        "1.1.1.1:",
        "::1 ",
        "f-",
        "1/",
        "a-b-",
        "req-",
        "%2f",
    ],
)
def test_case_11_masks(unit: str) -> None:
    """Numbers, addresses, ids and links that never end, or never come."""
    check(filled(OSLO, unit))


@pytest.mark.parametrize(
    ("head", "unit"),
    [
        (BARE, "pid 1 "),
        (BARE, "FEHLER "),
        (BARE, "ERROR,"),
        (BARE, "user=a,"),
        (BARE, "[1] "),
        (BARE + "INFO ", "a."),
        (BARE + "INFO ", "a::"),
        (BARE + "INFO ", "[a.b] "),
        ("", "[31m"),
        ("", "\\x1b[31m"),
        ("", "^[["),
        ("", "a "),
        ("[pod/", "a/"),
        ("a", "-a"),
        ("", " "),
        ("", "\u00a0"),
        ("ERRO[", "1"),
        ("ovs|1|", "a|"),
        ("Mar  4 10:00:00 ", "a"),
        ("2025-03-04T10:00:00.123456+00:00 ", "a"),
        ("1741082400.123 ", "7 "),
        ("Mär ", "Mär "),
        ("[1] ", "04 Mar "),
        ("INFO [", "a] ["),
    ],
)
def test_case_10_headers_of_other_shapes(head: str, unit: str) -> None:
    """What a format looks for, over and over."""
    check(filled(head, unit))


def test_case_10_each_hostile_line_is_one_event() -> None:
    """Beside others, as they come through Kafka."""
    bad = {"log": LOGFMT + "a" * 60_000, "path": "/var/log/x/x.log", "host": "h1"}
    lines = facts(decoded([bad] * 10))
    assert [(line["rest"], line["level"]) for line in lines] == [(False, "INFO")] * 10


def check(line: str) -> None:
    """Fail if a line is slow, plain and as a shipper sends it."""
    decoder = Decoder(DecodeConfig(max_line=1 << 20))
    for way in (0, 1):
        tries = (seconds_of(line, decoder, offset + way) for offset in (0, 2, 4, 6))
        assert any(taken <= LIMIT_S for taken in tries)
