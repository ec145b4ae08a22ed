"""Our own log: one line per unit of work on standard error, as text or as JSON.

Facts go into ``extra``: ``log.info("batch", extra={"role": "ingest", "lines": 10_000})`` becomes
``2026-01-01T00:00:00.000Z INFO stream.ingest batch role=ingest lines=10000``.
"""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any, Final, TextIO

_OWN: Final = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
"""Attributes of every record; what else a record has came by ``extra``."""


class TextFormatter(logging.Formatter):
    """Writes a record for people."""

    def format(self, record: logging.LogRecord) -> str:
        """Return time, level, logger, message and facts in one line; a traceback follows."""
        facts = "".join(f" {name}={_shown(value)}" for name, value in _facts(record).items())
        line = f"{_time(record)} {record.levelname} {record.name} {record.getMessage()}{facts}"
        return f"{line}\n{trace}" if (trace := self._trace(record)) else line

    def _trace(self, record: logging.LogRecord) -> str:
        return self.formatException(record.exc_info) if record.exc_info else ""


class JsonFormatter(logging.Formatter):
    """Writes a record for programs."""

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


_OURS: Final = frozenset({"alerts", "index", "models", "stream", "tocsin", "training"})
"""First parts of the names of our own loggers."""

_SERVICE: Final = "[^"
"""How Faust's library of services begins what it says through the logger of whatever module defines a service."""


def setup_logs(level: str = "info", *, as_json: bool = False, stream: TextIO | None = None) -> None:
    """Send all logging to ``stream`` (standard error) from ``level`` on, instead of wherever it went before.

    Libraries are heard from warnings on; with ``debug``, wholly.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    if level != "debug":
        handler.addFilter(_is_heard)
    handler.setFormatter(JsonFormatter() if as_json else TextFormatter())
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())


def _is_heard(record: logging.LogRecord) -> bool:
    if record.levelno >= logging.WARNING:
        return True
    return record.name.partition(".")[0] in _OURS and not str(record.msg).startswith(_SERVICE)


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _facts(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in record.__dict__.items() if name not in _OWN}


def _shown(value: Any) -> str:
    text = str(value)
    # One line per unit of work also when a fact holds line breaks or spaces.
    return text if text and not any(letter.isspace() or letter == '"' for letter in text) else json.dumps(text)
