"""The memory filled from files: what a review wrote, or the alerts of a topic as JSON lines."""

from collections.abc import Iterator
from pathlib import Path

import orjson

from alerts.messages.alert import Alert
from alerts.messages.anomaly import Anomaly
from models.errors import InvalidError
from stream.review.file_names import ALERTS, INCIDENTS
from stream.ui.memory.memory import Memory


def load_alerts(memory: Memory, path: Path) -> int:
    """Take the alerts of a file of JSON lines, or of a review's folder, and return how many there are.

    Raises:
        InvalidError: it cannot be read, or holds something else.
    """
    alerts = path / ALERTS if path.is_dir() else path
    count = 0
    for number, line in _lines(alerts, "give a file of alerts, or the folder that `tocsin review --out` wrote"):
        try:
            memory.take_alert(Alert.from_json(line))
        except InvalidError as error:
            raise InvalidError(f"{alerts}, line {number}: {error}") from error
        count += 1
    states = alerts.parent / INCIDENTS
    if path.is_dir() and states.is_file():
        _load_states(memory, states)
    return count


def load_windows(memory: Memory, path: Path) -> int:
    """Take the windows that fired of a file that ``tocsin score`` wrote, and return how many there are.

    Raises:
        InvalidError: it cannot be read, or holds something else.
    """
    count = 0
    for number, line in _lines(path, "give what `tocsin score --out` wrote"):
        try:
            window = Anomaly.from_json(line)
        except InvalidError as error:
            raise InvalidError(f"{path}, line {number}: {error}") from error
        if window.fired:
            memory.take_window(window)
            count += 1
    return count


def _load_states(memory: Memory, path: Path) -> None:
    try:
        for record in orjson.loads(path.read_bytes()):
            memory.take_state(str(record["incident_id"]), orjson.dumps(record))
    except (OSError, orjson.JSONDecodeError, TypeError, KeyError) as error:
        raise InvalidError(f"{path} is no list of incidents ({error})", "write it anew with `tocsin review`") from error


def _lines(path: Path, advice: str) -> Iterator[tuple[int, bytes]]:
    try:
        with path.open("rb") as file:
            yield from ((number, line) for number, line in enumerate(file, 1) if line.strip())
    except OSError as error:
        raise InvalidError(f"{path} cannot be read ({error.strerror})", advice) from error
