"""Raw records, as they stand on ``logs.raw``, to columns: what is wrong with one is said, never guessed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from operator import itemgetter
from types import NoneType
from typing import Any, Final

import orjson
import polars as pl

from models.decode.formats.levels import level_of
from models.decode.json_fields import FieldColumns, RejectReason
from models.decode.service_names import service_of, unit_service
from models.decode.timestamps import rfc3339
from models.records import RawBatch, Reject

_LINE: Final = ("log", "message", "MESSAGE", "msg")
_HOST: Final = ("host", "hostname", "_HOSTNAME")
_FILE: Final = ("path", "file")
_UNIT: Final = ("_SYSTEMD_UNIT", "SYSLOG_IDENTIFIER")
_TRACE: Final = ("trace_id", "request_id")
_LEVEL: Final = ("level", "PRIORITY")
_TIME: Final = ("@timestamp", "__REALTIME_TIMESTAMP", "timestamp", "time", "ts")
_KEYS: Final = (
    *_LINE,
    *_HOST,
    *_FILE,
    *_UNIT,
    *_TRACE,
    *_LEVEL,
    *_TIME,
    "tenant",
    "source",
    "service",
    "offset",
    "kubernetes",
)
_CHUNK: Final = 256
_FIRST_BYTE: Final = itemgetter(0)
_BRACE: Final = {ord("{")}

RECORD: Final[Mapping[str, pl.DataType]] = {
    "row": pl.UInt32(),
    "text": pl.String(),
    "tenant": pl.String(),
    "source": pl.String(),
    "host": pl.String(),
    "service": pl.String(),
    "said_level": pl.UInt8(),
    "read": pl.Int64(),  # the record's @timestamp, microseconds; null where it has none
    "trace": pl.String(),
    "path": pl.String(),
    "position": pl.Int64(),  # where the line stands in its file, as the shipper says; null where it does not
}
"""Columns of parsed records: one row per message with a usable line."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """``records`` with RECORD columns, ascending by ``row``; ``rejects`` are all the other messages, ascending too."""

    records: pl.DataFrame
    rejects: list[Reject]


def parse(batch: RawBatch, sources: Mapping[int, str], max_line: int) -> Parsed:
    """Messages as columns.  ``sources`` names the source of plain lines by partition; ``max_line`` is in bytes."""
    rejects: dict[int, Reject] = {}
    columns = FieldColumns(_KEYS, rejects)
    plain_rows: list[int] = []
    plain: list[str] = []
    for first in range(0, len(batch), _CHUNK):
        _load(first, batch.values[first : first + _CHUNK], columns, plain_rows, plain)
    parts = []
    if columns.rows:
        parts.append(_objects(columns))
    if plain:
        parts.append(_plain(plain_rows, plain, batch, sources))
    records = pl.concat(parts).sort("row") if len(parts) > 1 else parts[0] if parts else pl.DataFrame(schema=RECORD)
    records = _check_lines(records, max_line, rejects)
    if rejects:
        bad = pl.Series(sorted(rejects), dtype=pl.UInt32)
        records = records.filter(~pl.col("row").is_in(bad.implode()))
    return Parsed(_derive(records, batch, sources), [rejects[row] for row in sorted(rejects)])


def _load(first: int, values: list[bytes], columns: FieldColumns, plain_rows: list[int], plain: list[str]) -> None:
    """Sorts some messages, of which ``first`` is the number of the first one, into JSON objects and plain lines."""
    try:
        # Nearly all batches are clean JSON; the first byte is looked at because a number or a text is JSON as well.
        if set(map(_FIRST_BYTE, values)) == _BRACE:
            columns.add(range(first, first + len(values)), list(map(orjson.loads, values)))
            return
    except (orjson.JSONDecodeError, IndexError):
        pass
    rows: list[int] = []
    found: list[dict[str, Any]] = []
    for row, value in enumerate(values, first):
        try:
            if value[:1] == b"{":
                found.append(orjson.loads(value))
                rows.append(row)
            else:
                plain.append(value.decode())
                plain_rows.append(row)
        except orjson.JSONDecodeError as error:
            columns.refuse(row, _why_undecodable(value, str(error)), str(error)[:200])
        except UnicodeDecodeError as error:
            columns.refuse(row, RejectReason.ENCODING, str(error)[:200])
    if found:
        columns.add(rows, found)


def _why_undecodable(value: bytes, detail: str) -> RejectReason:
    if "surrogate" in detail:
        return RejectReason.ENCODING
    try:
        value.decode()
    except UnicodeDecodeError:
        return RejectReason.ENCODING
    return RejectReason.JSON


def _objects(columns: FieldColumns) -> pl.DataFrame:
    size = len(columns.rows)
    nothing = pl.Series([None] * size, dtype=pl.String)
    series: dict[str, pl.Series] = {"row": pl.Series(columns.rows, dtype=pl.UInt32), "text": _line(columns)}

    def name(key: str, keys: Iterable[str]) -> pl.Series:
        return columns.names(key, columns.first(keys)) if columns.has(keys) else nothing

    series["tenant"] = name("tenant", ("tenant",)).fill_null("default")
    path = name("path", _FILE)
    series["source"] = name("source", ("source",)).fill_null(path)
    series["host"] = name("host", _HOST)
    series["service"] = name("service", ("service",))
    if columns.has(("kubernetes",)):
        series.update(_kubernetes(columns, series))
    if columns.has(_UNIT) and series["source"].has_nulls():
        # Looked at where it counts only: a record must not be refused because another one of its batch has no source.
        needed = series["source"].is_null().to_list()
        said = [value if use else None for value, use in zip(columns.first(_UNIT), needed, strict=True)]
        unit = columns.names("unit", said)
        served = [None if u is None else unit_service(u) for u in unit.to_list()]
        series["service"] = series["service"].fill_null(pl.Series(served, dtype=pl.String))
        series["source"] = series["source"].fill_null(unit)
    series["said_level"] = _level(columns, size)
    series["read"] = _read_time(columns, size)
    series["trace"] = name("trace", _TRACE)
    series["path"] = path
    series["position"] = (
        columns.integers("offset", columns.first(("offset",)))
        if columns.has(("offset",))
        else pl.Series([None] * size, dtype=pl.Int64)
    )
    return pl.DataFrame({key: series[key] for key in RECORD}, schema=RECORD)


def _line(columns: FieldColumns) -> pl.Series:
    values = columns.first(_LINE)
    if columns.has(("MESSAGE",)):
        # journald writes what is not clean text as an array of bytes; under another name an array is no line, whatever
        # its neighbours in the batch are.
        journal = columns.first(("MESSAGE",))
        values = [_from_bytes(v) if isinstance(v, list) and v is j else v for v, j in zip(values, journal, strict=True)]
        for index, value in enumerate(values):
            if isinstance(value, bytes):
                columns.reject(index, RejectReason.ENCODING, "MESSAGE is an array of bytes that is not UTF-8")
                values[index] = None
    line = columns.texts("line", values)
    for index in line.is_null().arg_true().to_list() if line.has_nulls() else ():
        columns.reject(index, RejectReason.NO_LINE, "no log, message or MESSAGE in the record")
    return line


def _from_bytes(value: list[Any]) -> str | bytes | list[Any]:
    try:
        packed = bytes(value)
    except (TypeError, ValueError):
        return value
    try:
        return packed.decode()
    except UnicodeDecodeError:
        return packed


def _kubernetes(columns: FieldColumns, series: Mapping[str, pl.Series]) -> dict[str, pl.Series]:
    """Source ``namespace/pod/container``, service container, host: where the record does not say otherwise."""
    container, pod, namespace, host = (
        pl.Series(values, dtype=pl.String)
        for values in columns.nested("kubernetes", ("container_name", "pod_name", "namespace_name", "host"))
    )
    frame = pl.DataFrame({"namespace": namespace, "pod": pod, "container": container})
    parts = pl.concat_str("namespace", "pod", "container", separator="/", ignore_nulls=True)
    place = frame.select(pl.when(pl.col("container").is_not_null()).then(parts)).to_series()
    return {
        "source": series["source"].fill_null(place),
        "service": series["service"].fill_null(container),
        "host": series["host"].fill_null(host),
    }


def _level(columns: FieldColumns, size: int) -> pl.Series:
    if not columns.has(_LEVEL):
        return pl.Series([0] * size, dtype=pl.UInt8)
    known: dict[object, int] = {None: 0}
    levels = []
    for index, value in enumerate(columns.first(_LEVEL)):
        if value is not None and (isinstance(value, bool) or not isinstance(value, str | int | float)):
            columns.reject(index, RejectReason.TYPE, f"level is {type(value).__name__}, neither text nor a number")
            value = None  # noqa: PLW2901
        key = value if isinstance(value, str) else repr(value)
        if key not in known and len(known) < 256:  # noqa: PLR2004 - bounded: hostile records may name many
            known[key] = int(level_of(value)) if value is not None else 0
        levels.append(known[key] if key in known else int(level_of(value)))
    return pl.Series(levels, dtype=pl.UInt8)


def _read_time(columns: FieldColumns, size: int) -> pl.Series:
    """Record times; a stamp that cannot be read counts as none, the line's own time matters more."""
    if not columns.has(_TIME):
        return pl.Series([None] * size, dtype=pl.Int64)
    values = columns.first(_TIME)
    if not set(map(type, values)) <= {str, NoneType}:
        values = [v if isinstance(v, str) else repr(v) if isinstance(v, int | float) else None for v in values]
    return rfc3339(pl.Series(values, dtype=pl.String))


def _plain(rows: list[int], lines: list[str], batch: RawBatch, sources: Mapping[int, str]) -> pl.DataFrame:
    of = batch.partitions
    source = [sources.get(int(of[row]), "unknown") for row in rows]
    frame = pl.DataFrame({"row": rows, "text": lines, "source": source}, schema_overrides={"row": pl.UInt32})
    empty = {key: pl.lit(None, dtype).alias(key) for key, dtype in RECORD.items()}
    empty["tenant"] = pl.lit("default").alias("tenant")
    empty["said_level"] = pl.lit(0, pl.UInt8).alias("said_level")
    return frame.select(*(key if key in frame.columns else empty[key] for key in RECORD))


def _check_lines(records: pl.DataFrame, max_line: int, rejects: dict[int, Reject]) -> pl.DataFrame:
    """Cuts line ends and refuses lines that are too long or hold NUL bytes."""
    text = records["text"]
    if text.str.ends_with("\n").any() or text.str.ends_with("\r").any():
        text = text.str.strip_chars_end("\r\n")
    size = text.str.len_bytes()
    long = size > max_line
    nul = text.str.contains("\0", literal=True)
    if long.any() or nul.any():
        rows = records["row"]
        for index in long.fill_null(value=False).arg_true().to_list():
            detail = f"{size[index]} bytes, the limit is {max_line}"
            rejects.setdefault(rows[index], Reject(rows[index], RejectReason.LONG.value, detail))
        for index in nul.fill_null(value=False).arg_true().to_list():
            rejects.setdefault(rows[index], Reject(rows[index], RejectReason.NUL.value, "the line holds a NUL byte"))
    return records.with_columns(text.alias("text"))


def _derive(records: pl.DataFrame, batch: RawBatch, sources: Mapping[int, str]) -> pl.DataFrame:
    """Sources and services that follow from other fields."""
    source = records["source"].fill_null(records["host"])
    if source.has_nulls():
        of = batch.partitions[records["row"].to_numpy()].tolist()
        source = source.fill_null(pl.Series([sources.get(p, "unknown") for p in of], dtype=pl.String))
    service = records["service"]
    if service.has_nulls():
        names = {name: service_of(name) for name in source.unique().to_list()}
        derived = source.replace_strict(names, return_dtype=pl.String) if names else source
        service = service.fill_null(derived)
    return records.with_columns(source.alias("source"), service.alias("service"), records["host"].fill_null(""))
