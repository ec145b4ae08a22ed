"""What a lesson learns from: lines of ``logs.raw`` as a file, and what fired meanwhile."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import orjson

from models.errors import InvalidError
from models.records import NO_TIME
from models.rfc3339 import DAY, parse_time
from stream.kafka.clients import Broker
from stream.kafka.reader import Record, offsets_at, read_newest, read_range, read_spans
from stream.learning.schedule import Span

MAX_LINES: Final = 1_000_000
"""Lines of a lesson, the newest where there are more: a judgement that bounds its time, disk and memory."""

_MICROS_PER_MILLI: Final = 1000


def first_line(broker: Broker, topic: str, earliest: int) -> int:
    """Return when the oldest line that the topic holds arrived, but not before ``earliest``; NO_TIME without a line."""
    spans = {partition: (low, min(low + 1, high)) for partition, (low, high) in broker.watermarks(topic).items()}
    times = [record.timestamp for record in read_spans(broker, topic, spans)]
    return max(min(times) * _MICROS_PER_MILLI, earliest) if times else NO_TIME


def last_line(broker: Broker, topic: str, latest: int) -> int:
    """Return when the newest line of the topic arrived, but not after ``latest``; NO_TIME without a line."""
    times = [record.timestamp for record in read_newest(broker, topic, 1)]
    return min(max(times) * _MICROS_PER_MILLI, latest) if times else NO_TIME


def write_lines(broker: Broker, topic: str, span: Span, path: Path, most: int = MAX_LINES) -> int:
    """Write the lines that arrived in ``span``, in the order of arrival, and return how many there are.

    Raises:
        OSError: the file cannot be written.
        TransientError: the broker does not answer.
    """
    count = 0
    with path.open("wb") as file:
        for record in _lines(broker, topic, span, most):
            file.write(_wrapped(record) + b"\n")
            count += 1
    return count


def write_recent_lines(broker: Broker, topic: str, days: float, now: int, path: Path) -> None:
    """Write the lines of the last days before the newest line that is not from after ``now`` (microseconds).

    Raises:
        InvalidError: there are none.
        OSError: the file cannot be written.
        TransientError: the broker does not answer.
    """
    end = last_line(broker, topic, now)
    begin = end - round(days * DAY)
    # Up to and with the newest line, whose time is told to the millisecond.
    if end == NO_TIME or not write_lines(broker, topic, (begin, end + _MICROS_PER_MILLI), path):
        raise InvalidError(f"{topic} holds no lines", "name log files instead")


def fired_windows(broker: Broker, topic: str, span: Span) -> list[Span]:
    """Return begin and end, in the time of the logs, of the windows that fired and were published from ``span`` on."""
    start = span[0] // _MICROS_PER_MILLI  # and up to now: a window is published behind its last line
    windows = (orjson.loads(record.value or b"{}") for record in read_range(broker, topic, start))
    return [(parse_time(window["start"]), parse_time(window["end"])) for window in windows if window.get("fired")]


def _lines(broker: Broker, topic: str, span: Span, most: int) -> Iterator[Record]:
    begin, end = (time // _MICROS_PER_MILLI for time in span)
    ends = {partition: high for partition, (_, high) in broker.watermarks(topic).items()}
    begins = offsets_at(broker, topic, begin)
    total = sum(ends[partition] - offset for partition, offset in begins.items())
    if total <= most:
        return read_range(broker, topic, begin, end, merge_by_time=True)
    # The newest of each partition, in proportion: all sources of the cloud stay in.
    starts = {
        partition: ends[partition] - (ends[partition] - offset) * most // total for partition, offset in begins.items()
    }
    return read_range(broker, topic, starts, end, merge_by_time=True)


def _wrapped(record: Record) -> bytes:
    """A message as ``tocsin topics cat`` prints it, which the decoder takes: with the time at which it arrived."""
    value = (record.value or b"").decode("utf-8", "replace")
    line = {
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": record.timestamp,
        "key": None if record.key is None else record.key.decode("utf-8", "replace"),
        "value": value,
    }
    return orjson.dumps(line)
