"""log4j and its like, HDFS, and Python's logging."""

import pytest

from models.records import Level
from tests.models.decode.formats.lines import read, utc


@pytest.mark.parametrize(
    ("line", "level", "logger", "message"),
    [
        (
            "2015-10-18 18:01:47,978 INFO [main] org.apache.hadoop.MRAppMaster: Created",
            Level.INFO,
            "MRAppMaster",
            "Created",
        ),
        ("2015-10-18 18:01:47,978 WARN org.apache.DataNode:", Level.WARNING, "org.apache.DataNode", ""),
        ("2015-10-18 18:01:47,978 - WARN  [SendWorker:18:Quorum@688] - gone", Level.WARNING, "Quorum@688", "gone"),
        ("2015-10-18 18:01:47,978 - root.sub - CRITICAL - gone", Level.CRITICAL, "root.sub", "gone"),
    ],
)
def test_stamp_level_and_logger_are_taken_off(line: str, level: Level, logger: str, message: str) -> None:
    """In the order of each framework."""
    (found,) = read(line)
    assert found.time == utc(2015, 10, 18, 18, 1, 47, 978_000)
    assert found.level == level
    assert found.logger.endswith(logger)
    assert found.message == message


def test_the_compact_stamp_of_hdfs_is_read() -> None:
    """Two digits of a year are of this century."""
    (found,) = read("081109 203615 148 INFO dfs.DataNode$PacketResponder: PacketResponder 1 terminating")
    assert found.time == utc(2008, 11, 9, 20, 36, 15)
    assert (found.level, found.logger) == (Level.INFO, "dfs.DataNode$PacketResponder")
    assert found.message == "PacketResponder 1 terminating"


@pytest.mark.parametrize("stamp", ["081309 203615", "081131 203615", "081109 243615", "081109 206015"])
def test_a_moment_that_does_not_exist_is_no_stamp(stamp: str) -> None:
    """The line is not of this format: it keeps its text and has no time."""
    (found,) = read(f"{stamp} 148 INFO dfs.DataNode: x")
    assert found.time is None
    assert found.message == f"{stamp} 148 INFO dfs.DataNode: x"


def test_pythons_basic_format_has_no_time() -> None:
    """But a level and a logger."""
    (found,) = read("WARNING:urllib3.pool:Retrying")
    assert (found.time, found.level, found.logger, found.message) == (None, Level.WARNING, "urllib3.pool", "Retrying")
