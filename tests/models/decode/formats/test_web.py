"""Access and error logs of nginx and Apache."""

import pytest

from models.records import Level
from tests.models.decode.formats.lines import read, utc


@pytest.mark.parametrize(("zone", "hour"), [("+0000", 4), ("+0130", 2), ("-0500", 9)], ids=["utc", "east", "west"])
@pytest.mark.parametrize(
    ("status", "level"),
    [("200", Level.INFO), ("304", Level.INFO), ("404", Level.WARNING), ("502", Level.ERROR), ("-", Level.INFO)],
)
def test_the_status_of_a_request_is_its_level(zone: str, hour: int, status: str, level: Level) -> None:
    """The message keeps client and request; the stamp names its zone."""
    (found,) = read(f'10.0.0.7 - frank [04/Dec/2005:04:47:44 {zone}] "GET /a HTTP/1.1" {status} 23 "-" "curl"')
    minute = 17 if zone == "+0130" else 47
    assert found.time == utc(2005, 12, 4, hour + (zone == "+0130"), minute, 44)
    assert found.level == level
    assert found.message == f'10.0.0.7 "GET /a HTTP/1.1" {status} 23 "-" "curl"'


def test_requests_of_one_batch_keep_their_own_status() -> None:
    """Also where some lines of it are no requests."""
    line = '10.0.0.{0} - - [04/Dec/2005:04:47:44 +0000] "GET /a HTTP/1.1" {1} 23'
    found = read(line.format(1, 500), "something else", line.format(2, 200), line.format(3, 404))
    assert [(each.level, each.message[:8]) for each in found if each.message != "something else"] == [
        (Level.ERROR, "10.0.0.1"),
        (Level.INFO, "10.0.0.2"),
        (Level.WARNING, "10.0.0.3"),
    ]


@pytest.mark.parametrize(
    ("line", "level", "logger", "message", "micros"),
    [
        ("[Sun Dec 04 04:47:44 2005] [notice] workerEnv.init() ok", Level.INFO, "", "workerEnv.init() ok", 0),
        (
            "[Sun Dec 04 04:47:44.123456 2005] [core:error] [pid 7:tid 1] [client 10.0.0.1] denied",
            Level.ERROR,
            "core",
            "[client 10.0.0.1] denied",
            123_456,
        ),
        ("2005/12/04 04:47:44 [crit] 31#31: *5 connect() failed", Level.CRITICAL, "", "*5 connect() failed", 0),
    ],
)
def test_error_logs_name_their_level(line: str, level: Level, logger: str, message: str, micros: int) -> None:
    """Of Apache old and new, and of nginx."""
    (found,) = read(line)
    assert found.time == utc(2005, 12, 4, 4, 47, 44, micros)
    assert (found.level, found.logger, found.message) == (level, logger, message)
