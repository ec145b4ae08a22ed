"""Log records of OpenTelemetry (OTLP, JSON and protobuf) and of Loki's push API: several in one message.

Of protobuf only what log records need is read, without a schema compiler: fields are told by their numbers, as
``opentelemetry/proto/logs/v1/logs.proto`` gives them.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

Fields: TypeAlias = dict[int, list[Any]]
"""Values of a protobuf message by field number: int for varint and fixed, bytes for the rest."""

_DEPTH: Final = 8
"""AnyValues inside AnyValues that are looked into: a judgement."""
_VARINT_LIMIT: Final = 70
"""Bits beyond which a varint is none."""


def otlp_records(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the records of an OTLP or Loki JSON message; empty where it is neither."""
    streams = message.get("streams")
    if isinstance(streams, list):
        return [record for stream in streams if isinstance(stream, dict) for record in _loki(stream)]
    records: list[dict[str, Any]] = []
    for resource in _objects(message, "resourceLogs", "resource_logs"):
        shared = _attributes(_dict(resource.get("resource")).get("attributes"))
        for scope in _objects(resource, "scopeLogs", "scope_logs", "instrumentationLibraryLogs"):
            name = _dict(scope.get("scope")).get("name")
            records += [_flat(record, shared, name) for record in _objects(scope, "logRecords", "log_records")]
    return records


def _objects(value: Mapping[str, Any], *keys: str) -> Iterator[dict[str, Any]]:
    for key in keys:
        inner = value.get(key)
        if isinstance(inner, list):
            yield from (item for item in inner if isinstance(item, dict))


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _loki(stream: dict[str, Any]) -> Iterator[dict[str, Any]]:
    values = stream.get("values")
    for value in values if isinstance(values, list) else ():
        if isinstance(value, list) and len(value) > 1 and isinstance(value[1], str):
            more = value[2] if len(value) > 2 and isinstance(value[2], dict) else {}  # noqa: PLR2004 - metadata
            yield {**_dict(stream.get("stream")), **more, "log": value[1], "@timestamp": value[0]}


def _attributes(pairs: object) -> dict[str, Any]:
    if isinstance(pairs, dict):
        return pairs
    plain: dict[str, Any] = {}
    for pair in pairs if isinstance(pairs, list) else ():
        if isinstance(pair, dict) and isinstance(pair.get("key"), str):
            plain[pair["key"]] = _any(pair.get("value"))
    return plain


def _any(value: object, depth: int = 0) -> Any:
    """An AnyValue as a plain value."""
    if not isinstance(value, dict) or depth > _DEPTH:
        return value
    for key, inner in value.items():
        match key.replace("_", "").lower():
            case "stringvalue" | "boolvalue" | "doublevalue" | "bytesvalue":
                return inner
            case "intvalue":
                return int(inner) if isinstance(inner, str) and inner.lstrip("-").isdigit() else inner
            case "kvlistvalue":
                pairs = _dict(inner).get("values")
                return {
                    pair["key"]: _any(pair.get("value"), depth + 1)
                    for pair in (pairs if isinstance(pairs, list) else ())
                    if isinstance(pair, dict) and isinstance(pair.get("key"), str)
                }
            case "arrayvalue":
                items = _dict(inner).get("values")
                return [_any(item, depth + 1) for item in (items if isinstance(items, list) else ())]
    return value


def _flat(record: Mapping[str, Any], shared: Mapping[str, Any], scope: object) -> dict[str, Any]:
    """One log record as a record of fields: its own before its body's, these before its resource's."""
    body = _any(record.get("body"))
    flat = {**shared, **_attributes(record.get("attributes"))}
    if isinstance(body, dict):
        # Collectors put journald's and JSON lines' fields there.
        flat = {**shared, **body, **_attributes(record.get("attributes"))}
    elif body is not None:
        flat["log"] = body if isinstance(body, str) else str(body)
    names = ("severityText", "severityNumber", "traceId", "timeUnixNano", "observedTimeUnixNano")
    snake = ("severity_text", "severity_number", "trace_id", "time_unix_nano", "observed_time_unix_nano")
    for name, other in zip(names, snake, strict=True):
        value = record.get(name, record.get(other))
        if value not in (None, "", 0, "0"):
            flat[name] = value
    if "observedTimeUnixNano" in flat:
        flat.setdefault("@timestamp", flat["observedTimeUnixNano"])
    if isinstance(scope, str) and scope:
        flat.setdefault("logger", scope)
    return flat


def protobuf_records(data: bytes) -> list[dict[str, Any]]:
    """Return the records of an ``ExportLogsServiceRequest``; empty where the bytes are none."""
    try:
        records = []
        for resource in _messages(_fields(data), 1):
            shared = _pairs(_messages(_fields(_one(resource, 1)), 1)) if 1 in resource else {}
            for scope in _messages(resource, 2):
                name = _text(_fields(_one(scope, 1)), 1) if 1 in scope else None
                records += [_flat(_log_record(fields), shared, name) for fields in _messages(scope, 2)]
    except (ValueError, IndexError, UnicodeDecodeError, RecursionError):
        return []
    return records


def _log_record(fields: Fields) -> dict[str, Any]:
    trace = _one(fields, 9) if 9 in fields else b""  # noqa: PLR2004 - trace_id
    return {
        "timeUnixNano": fields.get(1, [0])[-1],
        "observedTimeUnixNano": fields.get(11, [0])[-1],
        "severityNumber": fields.get(2, [0])[-1],
        "severityText": _text(fields, 3),
        "body": _any_value(_fields(_one(fields, 5))) if 5 in fields else None,  # noqa: PLR2004 - body
        "attributes": _pairs(_messages(fields, 6)),
        "traceId": trace.hex(),
    }


def _pairs(messages: list[Fields]) -> dict[str, Any]:
    return {_text(pair, 1): _any_value(_fields(_one(pair, 2))) if 2 in pair else None for pair in messages}  # noqa: PLR2004


def _any_value(fields: Fields, depth: int = 0) -> Any:
    if depth > _DEPTH:
        return None
    for number, values in fields.items():
        value = values[-1]
        match number, value:
            case 1, bytes():
                return value.decode("utf-8", "replace")
            case 2, int():
                return bool(value)
            case 3, int():
                return value - (1 << 64) if value >> 63 else value
            case 5, bytes():
                items = _messages(_fields(value), 1)
                return [_any_value(item, depth + 1) for item in items]
            case 6, bytes():
                pairs = _messages(_fields(value), 1)
                return {
                    _text(pair, 1): _any_value(_fields(_one(pair, 2)), depth + 1) if 2 in pair else None  # noqa: PLR2004
                    for pair in pairs
                }
    return None


def _one(fields: Fields, number: int) -> bytes:
    value = fields[number][-1]
    if not isinstance(value, bytes):
        msg = "a number where a message should be"
        raise ValueError(msg)  # noqa: TRY004 - all that is wrong with such bytes is one error
    return value


def _text(fields: Fields, number: int) -> str:
    return _one(fields, number).decode("utf-8", "replace") if number in fields else ""


def _messages(fields: Fields, number: int) -> list[Fields]:
    return [_fields(value) for value in fields.get(number, ()) if isinstance(value, bytes)]


def _fields(data: bytes) -> Fields:
    """Split a protobuf message; ValueError or IndexError where it is none."""
    fields: Fields = {}
    place = 0
    while place < len(data):
        tag, place = _varint(data, place)
        number, kind = tag >> 3, tag & 7
        value: int | bytes
        match kind:
            case 0:
                value, place = _varint(data, place)
            case 1 | 5:
                size = 8 if kind == 1 else 4
                value, place = int.from_bytes(data[place : place + size], "little"), place + size
            case 2:
                size, place = _varint(data, place)
                value, place = data[place : place + size], place + size
            case _:
                msg = f"wire type {kind}"
                raise ValueError(msg)
        if not number or place > len(data):
            msg = "cut or no protobuf"
            raise ValueError(msg)
        fields.setdefault(number, []).append(value)
    return fields


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:  # noqa: PLR2004 - the last byte has its highest bit clear
            return value, place
        shift += 7
        if shift > _VARINT_LIMIT:
            msg = "no varint"
            raise ValueError(msg)
