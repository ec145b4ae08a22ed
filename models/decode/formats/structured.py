"""Lines that are data themselves: JSON objects and logfmt."""

import re
from typing import Any, Final

import orjson
import polars as pl

from models.decode.formats.base import LineFormat, facts
from models.decode.formats.levels import level_of
from models.decode.formats.stamps import read_any

_TIMES: Final = ("@timestamp", "timestamp", "time", "ts", "asctime", "datetime", "date", "t")
_LEVELS: Final = ("level", "severity", "lvl", "levelname", "log.level", "loglevel", "levelno")
_MESSAGES: Final = ("message", "msg", "log", "event", "text", "error")
_LOGGERS: Final = ("logger", "name", "logger_name", "log.logger", "component", "caller")
_TRACES: Final = ("trace_id", "traceId", "traceid", "trace.id", "request_id", "requestId", "req_id", "trace")
# A key begins behind something else than a key's character: so that a long word is looked at once, not at every letter.
_PAIR: Final = re.compile(r'(?<![\w.@-])([A-Za-z_@][\w.@-]*)=("(?:[^"\\]|\\.)*"|[^\s"]*)')
_LOGFMT_HINT: Final = r"^(?:[A-Za-z_@][\w.@-]*=(?:\"(?:[^\"\\]|\\.)*\"|[^\s\"]*)\s+){1,}[A-Za-z_@][\w.@-]*="


def _first(fields: dict[str, Any], names: tuple[str, ...]) -> Any:
    return next((fields[name] for name in names if fields.get(name) is not None), None)


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _row(row: int, fields: dict[str, Any]) -> dict[str, object] | None:
    """FACTS of a line's fields; None if nothing in them says that this is a log record."""
    message, level, stamp = _first(fields, _MESSAGES), _first(fields, _LEVELS), _first(fields, _TIMES)
    if message is None or (level is None and stamp is None):
        return None
    is_node = isinstance(fields.get("level"), int) and "msg" in fields
    logger, trace = _first(fields, _LOGGERS), _first(fields, _TRACES)
    return {
        "row": row,
        "stamp": stamp if isinstance(stamp, str) else repr(stamp) if isinstance(stamp, int | float) else None,
        "level": int(level_of(level, is_node=is_node)) if isinstance(level, str | int | float) else 0,
        "logger": logger if isinstance(logger, str) else "",
        "message": _as_text(message).strip(),
        "trace": trace if isinstance(trace, str) else None,
    }


def _frame(rows: list[dict[str, object]]) -> pl.DataFrame:
    schema = {
        "row": pl.UInt32(),
        "stamp": pl.String(),
        "level": pl.UInt8(),
        "logger": pl.String(),
        "message": pl.String(),
        "trace": pl.String(),
    }
    frame = pl.DataFrame(rows, schema=schema)
    time, clock = read_any(frame["stamp"])
    return facts(frame.with_columns(time.alias("at"), clock.alias("clock")))


def _decode_json(lines: pl.DataFrame) -> pl.DataFrame:
    rows = []
    for row, text in lines.select("row", "text").iter_rows():
        try:
            fields = orjson.loads(text)
        except orjson.JSONDecodeError:
            continue
        if isinstance(fields, dict) and (facts_of := _row(row, fields)):
            rows.append(facts_of)
    return _frame(rows)


def _decode_logfmt(lines: pl.DataFrame) -> pl.DataFrame:
    rows = []
    for row, text in lines.select("row", "text").iter_rows():
        fields = {
            key: value[1:-1].replace('\\"', '"') if value[:1] == '"' else value for key, value in _PAIR.findall(text)
        }
        if facts_of := _row(row, fields):
            rows.append(facts_of)
    return _frame(rows)


FORMATS: Final = (
    LineFormat("json", r'^\{\s*"', _decode_json, begins="{"),
    LineFormat("logfmt", _LOGFMT_HINT, _decode_logfmt),
)
