"""Syslog in its forms, and klog."""

from datetime import timedelta

import pytest

from models.decode.decoder import DecodeConfig
from models.records import Level
from tests.models.decode.formats.lines import EPOCH, read, utc

ARRIVED = (utc(2026, 3, 3, 12) - EPOCH) // timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("line", "level", "logger", "message"),
    [
        ("<34>Mar  3 11:59:58 combo su[19]: auth failed", Level.CRITICAL, "su", "auth failed"),
        ("<191>Mar  3 11:59:58 combo app: noise", Level.DEBUG, "app", "noise"),
        ("Mar  3 11:59:58 combo sshd(pam_unix)[19939]: check pass", Level.UNKNOWN, "sshd(pam_unix)", "check pass"),
        ("Mar  3 11:59:58 combo -- MARK --", Level.UNKNOWN, "", "-- MARK --"),
        ("<13>Mar  3 11:59:58 combo last message repeated 2 times", Level.INFO, "", "last message repeated 2 times"),
    ],
)
def test_the_traditional_form_has_tag_and_priority_or_not(line: str, level: Level, logger: str, message: str) -> None:
    """The year is that of the arrival."""
    (found,) = read(line, arrived=ARRIVED)
    assert found.time == utc(2026, 3, 3, 11, 59, 58)
    assert (found.level, found.logger, found.message) == (level, logger, message)


@pytest.mark.parametrize(
    ("line", "level", "logger", "message"),
    [
        ("<165>1 2026-03-03T11:59:58.5Z h app 8710 ID47 - An event", Level.INFO, "app", "An event"),
        ('<11>1 2026-03-03T11:59:58.5Z h - - - [x@1 k="a\\]b"][y@2] \ufeffno', Level.ERROR, "", "no"),
        ("<8>1 2026-03-03T12:59:58.5+01:00 h app - - -", Level.CRITICAL, "app", ""),
        ("2026-03-03T11:59:58.5Z h.example app[12]: went", Level.UNKNOWN, "app", "went"),
        ("<12>2026-03-03T11:59:58.5Z h app[12]: went", Level.WARNING, "app", "went"),
    ],
)
def test_forms_with_an_iso_stamp(line: str, level: Level, logger: str, message: str) -> None:
    """RFC 5424 with structured data, and the traditional form as rsyslog writes it."""
    (found,) = read(line)
    assert found.time == utc(2026, 3, 3, 11, 59, 58, 500_000)
    assert (found.level, found.logger, found.message) == (level, logger, message)


def test_lines_with_and_without_priority_keep_their_own() -> None:
    """In one batch."""
    found = read(*(f"{priority}Mar  3 11:59:58 h app: x" for priority in ("<11>", "", "<14>")), arrived=ARRIVED)
    assert [each.level for each in found] == [Level.ERROR, Level.UNKNOWN, Level.INFO]


@pytest.mark.parametrize(
    ("letter", "level"),
    [("I", Level.INFO), ("W", Level.WARNING), ("E", Level.ERROR), ("F", Level.CRITICAL)],
)
def test_klog_begins_with_the_letter_of_its_level(letter: str, level: Level) -> None:
    """Kubernetes writes it."""
    (found,) = read(f"{letter}0303 11:59:58.123456       1 controller.go:114] syncing", arrived=ARRIVED)
    assert found.time == utc(2026, 3, 3, 11, 59, 58, 123_456)
    assert (found.level, found.logger, found.message) == (level, "controller.go", "syncing")


def test_december_read_in_january_is_of_last_year() -> None:
    """And a stamp a little ahead of its arrival is not."""
    arrived = (utc(2026, 1, 1, 0, 5) - EPOCH) // timedelta(microseconds=1)
    found = read("Dec 31 23:59:00 h app: old", "Jan  1 00:06:00 h app: soon", arrived=arrived)
    assert [each.time for each in found] == [utc(2025, 12, 31, 23, 59), utc(2026, 1, 1, 0, 6)]


def test_january_read_in_december_is_of_next_year() -> None:
    """East of Greenwich the year begins earlier, and a sender's clock may be ahead."""
    arrived = (utc(2025, 12, 31, 23, 59, 58) - EPOCH) // timedelta(microseconds=1)
    (ahead,) = read("Jan  1 00:00:03 h app: x", arrived=arrived)
    (east,) = read("Jan  1 00:59:58 h app: x", arrived=arrived, config=DecodeConfig(zone="Europe/Berlin"))
    assert (ahead.time, east.time) == (utc(2026, 1, 1, 0, 0, 3), utc(2025, 12, 31, 23, 59, 58))


def test_in_a_file_the_year_goes_on_from_line_to_line() -> None:
    """Without any arrival nothing says which year it was, but that it went on: by less than half a year."""
    days = ("Dec 30", "Dec 31", "Jan  1", "Jun  1", "Nov  1", "Jan  1")
    found = [each.time for each in read(*(f"{day} 12:00:00 h app: x" for day in days))]
    years = [each.year for each in found if each]
    assert [year - years[0] for year in years] == [0, 0, 1, 1, 1, 2]


@pytest.mark.parametrize("stamp", ["Feb 30 12:00:00", "Mar  3 25:00:00", "Mar  3 12:61:00"])
def test_a_day_that_does_not_exist_is_no_stamp(stamp: str) -> None:
    """The line keeps its text."""
    (found,) = read(f"{stamp} h app: x")
    assert found.message == f"{stamp} h app: x"
