"""Tocsin's own log on standard error: one line per unit of work, as text or as JSON.

The message says what happened, in constant words; the facts go into ``extra``:
``log.info("topics created", extra={"count": 10})`` becomes
``2026-01-01T00:00:00.000Z INFO stream.kafka.clients topics created count=10``, or a JSON object with a field ``count``.
The unit of work of a role is a minute: ``stream.heartbeat`` logs what it did in it, so a healthy worker is not silent.
"""

import json
import logging
import re
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, TextIO

_STANDARD: Final = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
"""Attributes that every record has; all others came by ``extra``."""


class TextFormatter(logging.Formatter):
    """Formats a record for people."""

    def format(self, record: logging.LogRecord) -> str:
        """Return time, level, logger, message and facts in one line; a traceback follows."""
        facts = "".join(f" {name}={_quoted(value)}" for name, value in _facts(record).items())
        line = f"{_time(record)} {record.levelname} {record.name} {record.getMessage()}{facts}"
        return f"{line}\n{trace}" if (trace := self._trace(record)) else line

    def _trace(self, record: logging.LogRecord) -> str:
        return self.formatException(record.exc_info) if record.exc_info else ""


class JsonFormatter(logging.Formatter):
    """Formats a record for programs."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one JSON object in one line, with the traceback inside."""
        fields: dict[str, Any] = _facts(record) | {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return json.dumps(fields, default=str, ensure_ascii=False)


REPEATED_S: Final = 60.0
"""Seconds before a Kafka client may say the same again; a judgement: one that is refused tries several times a second,
and would fill the log."""

_REPEATING: Final = frozenset({"aiokafka", "faust", "mode", "stream.kafka.refusals", "tocsin.librdkafka"})
"""Loggers, or first parts of their names, of the Kafka clients."""

_VARYING: Final = re.compile(r"\[[^]]*\]|<[^>]*>|\S+://\S+|\d+")
"""What differs between two messages that say the same: threads, objects, addresses, numbers."""

_PACKAGES: Final = frozenset({"alerts", "index", "models", "stream", "tocsin", "training"})
"""First parts of the names of Tocsin's own loggers."""

_FAUST_PREFIX: Final = "[^"
"""Start of the messages of Faust's services, which use the logger of the module that defines the service."""


class OnceAMinute(logging.Filter):
    """Lets what the Kafka clients say through once a minute, and all other records."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Measure the minute by ``clock``, in seconds."""
        super().__init__()
        self._clock = clock
        self._said: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record is to be logged."""
        if not {record.name, record.name.partition(".")[0]} & _REPEATING:
            return True
        now = self._clock()
        self._said = {text: since for text, since in self._said.items() if now - since < REPEATED_S}
        text = record.name + _VARYING.sub("", record.getMessage())
        is_new = text not in self._said
        self._said.setdefault(text, now)
        return is_new


def setup_logs(level: str = "info", *, as_json: bool = False, stream: TextIO | None = None) -> None:
    """Send all records from ``level`` on to ``stream`` (standard error), and nowhere else.

    Libraries are logged from warnings on; with ``debug``, completely.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    if level != "debug":
        handler.addFilter(_is_logged)
        handler.addFilter(OnceAMinute())
    handler.setFormatter(JsonFormatter() if as_json else TextFormatter())
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())


def _is_logged(record: logging.LogRecord) -> bool:
    if record.levelno >= logging.WARNING:
        return True
    return record.name.partition(".")[0] in _PACKAGES and not str(record.msg).startswith(_FAUST_PREFIX)


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _facts(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in record.__dict__.items() if name not in _STANDARD}


def _quoted(value: Any) -> str:
    text = str(value)
    # Quoted, so that a fact with spaces or line breaks neither ends the line nor looks like two facts.
    return text if text and not any(letter.isspace() or letter == '"' for letter in text) else json.dumps(text)
