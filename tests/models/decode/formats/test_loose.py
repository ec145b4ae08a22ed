"""What is read of lines that have no date, or no time at all but a level at their begin."""

import numpy as np
import pytest

from models.decode.decoder import DecodeConfig, Decoder
from models.records import Level, LogBatch, RawBatch
from models.rfc3339 import parse_time, time_text

LOGBACK = "09:14:14.123 [main] ERROR com.example.App - boom"
JUJU = "unit-nova-0: 09:14:14 WARNING unit.nova/0.juju-log relation not ready"


def decode(lines: list[str], arrived: str | None, zone: str = "UTC") -> LogBatch:
    """Decode lines of one file that arrived at one moment, or nobody knows when."""
    size = len(lines)
    moment = -1 if arrived is None else parse_time(arrived)
    raw = RawBatch([line.encode() for line in lines], np.zeros(size, np.int32), np.arange(size), np.full(size, moment))
    return Decoder(DecodeConfig(zone=zone)).decode(raw, {0: "/var/log/app/app.log"})


@pytest.mark.parametrize(
    ("arrived", "zone", "time"),
    [
        ("2026-12-01T09:14:20Z", "UTC", "2026-12-01T09:14:14.123Z"),
        ("2026-12-01T09:14:10Z", "UTC", "2026-12-01T09:14:14.123Z"),  # a clock that is some seconds ahead
        ("2026-12-01T00:10:00Z", "UTC", "2026-11-30T09:14:14.123Z"),
        ("2026-11-30T22:14:20Z", "Pacific/Auckland", "2026-11-30T20:14:14.123Z"),
        ("2026-12-01T08:14:20Z", "Europe/Berlin", "2026-12-01T08:14:14.123Z"),
        ("2026-12-01T17:14:20Z", "America/Los_Angeles", "2026-12-01T17:14:14.123Z"),
    ],
)
def test_a_time_of_day_is_of_the_latest_day_before_it_was_read(arrived: str, zone: str, time: str) -> None:
    """In the zone of the configuration, also across midnight."""
    (line,) = decode([LOGBACK], arrived, zone).lines.to_dicts()
    assert (time_text(line["time"]), line["level"], line["logger"]) == (time, Level.ERROR, "com.example.App")


def test_a_time_of_day_is_none_where_nobody_says_when_it_was_read() -> None:
    """Level and logger are known all the same."""
    logs = decode([JUJU], None)
    assert logs.notes["timeless"] == 1
    assert logs.lines.select("level", "logger").row(0) == (Level.WARNING, "unit-nova-0")


@pytest.mark.parametrize("line", ["09:14:14 up 3 days,  2 users", "12:30:00 | 4 | 7 ", "25:00:00 ERROR no such hour"])
def test_a_time_of_day_without_a_level_is_no_header(line: str) -> None:
    """It may be a line of any table: it stays as it is."""
    logs = decode([LOGBACK, line], "2026-12-01T09:14:20Z")
    assert logs.lines["message"].to_list() == ["boom", line]
    assert logs.lines["flags"].to_list() == [0, 1]


@pytest.mark.parametrize(
    ("line", "level", "logger", "message"),
    [
        ("ERROR: could not open", Level.ERROR, "", "could not open"),
        ("INFO:     10.0.0.1:5 - GET", Level.INFO, "", "10.0.0.1:5 - GET"),
        ("WSREP_SST: [WARNING] slow", Level.WARNING, "WSREP_SST", "slow"),
        ("CRITICAL: 2026-12-01 09:14:00 inside", Level.CRITICAL, "", "inside"),
    ],
)
def test_a_line_that_begins_with_its_level_has_it(line: str, level: Level, logger: str, message: str) -> None:
    """It is a record of its own, whatever stood before it."""
    logs = decode([LOGBACK, line], "2026-12-01T09:14:20Z").lines
    assert logs.select("level", "logger", "message", "flags").row(1) == (level, logger, message, 0)


@pytest.mark.parametrize(
    "line", ["Error: a word of a sentence", "ERRORS: 3", "LINE 1: SELECT", "DETAIL: key exists", "ERROR", "SQL: x"]
)
def test_other_words_begin_no_record(line: str) -> None:
    """They belong to the record before them."""
    assert decode([LOGBACK, line], "2026-12-01T09:14:20Z").lines["flags"].to_list() == [0, 1]


@pytest.mark.parametrize(
    ("message", "level"),
    [
        ("ERROR: kept", Level.ERROR),
        ("WARNING kept", Level.WARNING),
        ("ovs|00013|bridge|ERR|kept", Level.ERROR),
        ("[4-1] FATAL:  kept", Level.CRITICAL),
        ("Warning that is a word", Level.UNKNOWN),
    ],
)
def test_behind_syslogs_header_the_level_stays_in_the_text(message: str, level: Level) -> None:
    """So that its template is the same for every version."""
    (line,) = decode([f"Nov 30 09:14:14 c1 app[1]: {message}"], "2026-12-01T09:14:20Z").lines.to_dicts()
    assert (line["level"], line["message"]) == (level, message)
