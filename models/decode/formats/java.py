"""log4j and its like, and Python's logging: an ISO stamp, a level, a thread, a logger in some order."""

from typing import Final

import numpy as np
import polars as pl

from models.decode.formats.base import DIGITS, Stamps, by_pattern, read_iso
from models.decode.formats.levels import LEVEL_WORD
from models.decode.timestamps import Clock, digits, micros, number, of_day

_STAMP: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]{1,9})?"
_ZONE: Final = "(?:Z|[+-][0-9]{2}:?[0-9]{2})?"
_CLASS: Final = r"[A-Za-z_][\w.$/@-]*"


def _read_compact(groups: pl.DataFrame) -> Stamps:
    """``yymmdd hhmmss``."""
    cells = digits(groups["time"], 13)
    seconds, clock_ok = of_day(number(cells, 7, 2), number(cells, 9, 2), number(cells, 11, 2))
    zero = np.zeros(len(seconds), np.int64)
    time, date_ok = micros(2000 + number(cells, 0, 2), number(cells, 2, 2), number(cells, 4, 2), seconds, zero)
    return time, clock_ok & date_ok, np.full(len(seconds), Clock.NAIVE, np.int64)


FORMATS: Final = (
    by_pattern(
        "log4j",
        rf"^{_STAMP} +{LEVEL_WORD} +(?:\[|{_CLASS}:(?: |$))",
        rf"^(?P<time>{_STAMP}) +(?P<level>{LEVEL_WORD}) +(?:\[[^\]]*\] +)?(?P<logger>{_CLASS}): ?(?P<message>(?s:.*))$",
        read_iso,
        begins=DIGITS,
    ),
    by_pattern(
        "spring",
        rf"^{_STAMP}{_ZONE} +{LEVEL_WORD} +[0-9]+ --- \[",
        rf"^(?P<time>{_STAMP}{_ZONE}) +(?P<level>{LEVEL_WORD}) +[0-9]+ --- (?:\[[^\]]*\] +)+(?P<logger>\S+) +: "
        r"?(?P<message>(?s:.*))$",
        read_iso,
        begins=DIGITS,
    ),
    by_pattern(
        "loguru",
        rf"^{_STAMP} \| {LEVEL_WORD} +\| [\w.]+:",
        rf"^(?P<time>{_STAMP}) \| (?P<level>{LEVEL_WORD}) +\| (?P<logger>[\w.]+):[^:\s]*:[0-9]+ - "
        r"(?P<message>(?s:.*))$",
        read_iso,
        begins=DIGITS,
    ),
    by_pattern(
        "zookeeper",
        rf"^{_STAMP} - {LEVEL_WORD} +\[",
        rf"^(?P<time>{_STAMP}) - (?P<level>{LEVEL_WORD}) +\[(?P<logger>.*?)\] - (?P<message>(?s:.*))$",
        read_iso,
        begins=DIGITS,
    ),
    by_pattern(
        "python",
        rf"^{_STAMP} - \S+ - {LEVEL_WORD} - ",
        rf"^(?P<time>{_STAMP}) - (?P<logger>\S+) - (?P<level>{LEVEL_WORD}) - (?P<message>(?s:.*))$",
        read_iso,
        begins=DIGITS,
    ),
    by_pattern(
        "hdfs",
        rf"^[0-9]{{6}} [0-9]{{6}} [0-9]+ {LEVEL_WORD} ",
        rf"^(?P<time>[0-9]{{6}} [0-9]{{6}}) [0-9]+ (?P<level>{LEVEL_WORD}) (?P<logger>[^\s:]+): (?P<message>(?s:.*))$",
        _read_compact,
        begins=DIGITS,
    ),
    by_pattern(
        "python basic",
        r"^(?:DEBUG|INFO|WARNING|ERROR|CRITICAL):[\w.]+:",
        r"^(?P<level>[A-Z]+):(?P<logger>[\w.]+):(?P<message>(?s:.*))$",
        None,
        begins="DIWEC",
    ),
)
