"""The newest lines of ``logs.raw`` as a file, for what reads files."""

import time
from pathlib import Path

from stream.learning.material import write_recent_lines
from stream.settings import Settings
from stream.wiring.core import make_broker, make_topics


def recent_lines(settings: Settings, days: float, folder: Path) -> tuple[str, ...]:
    """Write the lines of the last days into a folder, and return the path.

    Raises:
        InvalidError: there are none.
        TransientError: the broker does not answer.
    """
    path = folder / "recent.jsonl"
    broker, topic = make_broker(settings), make_topics(settings).logs_raw
    write_recent_lines(broker, topic, days, time.time_ns() // 1000, path)
    return (str(path),)
