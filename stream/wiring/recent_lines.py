"""The newest lines of ``logs.raw`` as a file, for what reads files."""

import time
from pathlib import Path
from typing import Final

from models.errors import InvalidError
from models.records import NO_TIME
from stream.gate.told_incidents import DAY
from stream.learning.material import last_line, write_lines
from stream.settings import Settings
from stream.wiring.core import make_broker, make_topics

MOST_LINES: Final = 1_000_000
"""Lines that are read, the newest where there are more: a judgement, minutes of work."""


def recent_lines(settings: Settings, days: float, folder: Path) -> Path:
    """Write the lines of the last days before the newest line, and return the file.

    Raises:
        InvalidError: there are none.
        TransientError: the broker does not answer.
    """
    broker, topic = make_broker(settings), make_topics(settings).logs_raw
    end = last_line(broker, topic, time.time_ns() // 1000)
    path = folder / "recent.jsonl"
    # Up to and with the newest line, whose time is told to the millisecond.
    if end == NO_TIME or not write_lines(broker, topic, (end - round(days * DAY), end + 1000), path, MOST_LINES):
        raise InvalidError(f"{topic} holds no lines", "name log files instead")
    return path
