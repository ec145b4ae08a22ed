"""Bytes of messages to JSON records and plain lines: what is not quite JSON or UTF-8 is read as far as it goes.

A message may hold several records (OpenTelemetry, Loki) or be the wrapping of one (``tocsin topics cat``, ``kcat -J``).
"""

import base64
import codecs
import json
import re
from collections import Counter
from collections.abc import Container, Sequence
from operator import itemgetter
from typing import Any, Final

import numpy as np
import orjson

from models.decode.json_fields import FieldColumns, RejectReason
from models.decode.shipped.field_names import LINE, canonical
from models.decode.shipped.otlp import otlp_records, protobuf_records
from models.records import RawBatch

CHUNK: Final = 256
"""Messages parsed at once: their records stay in the processor's cache until their fields are taken out."""
RECORD_MARKS: Final = frozenset(["log", "message", "msg", "@timestamp", "@version"])
"""Names by which a JSON object among plain lines is known as a shipper's record, in their one spelling.

``host``, ``path`` and the like stand in bodies of requests as well, and these are text of a log.
"""

_FIRST_BYTE: Final = itemgetter(0)
_BRACE: Final = {ord("{")}
_FIRST_KEY: Final = re.compile(rb'\{\s*"([^"\\\x00-\x1f]{1,40})"\s*:')
_SELDOM: Final = (b"\n", b"[", b" ", b"\t", b"\r")
_ARRAY: Final = re.compile(rb'\s*\[\s*\{\s*"')
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_MARKS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_WRAPPED: Final = frozenset(("partition", "offset", "timestamp", "key", "value"))
_KCAT: Final = frozenset(("topic", "partition", "offset", "payload"))
_SEVERAL: Final = frozenset(("resourceLogs", "resource_logs", "streams"))
_HOLDERS: Final = ("_source", "payload", "jsonPayload", "body", "value", "result")
"""Keys whose object is the record, where no line stands beside it: Elasticsearch, Kafka Connect, GCP, Splunk."""
_HELD: Final = 3
"""Objects inside objects that are opened so: a judgement."""
_LINES: Final = frozenset(LINE)
_UNUSUAL: Final = _SEVERAL.union(_HOLDERS)
"""Keys of objects that may hold other records."""
_UNPACK_LIMIT: Final = 100_000
"""Records taken out of one message: a judgement, a hundred times what collectors put into one."""


class Messages:
    """The messages of a batch, sorted into records and plain lines."""

    def __init__(self, columns: FieldColumns, notes: Counter[str], sources: Container[int]) -> None:
        """``sources`` are the partitions that hold plain lines: the lines of files."""
        self.columns = columns
        self.plain_rows: list[int] = []
        self.plain: list[str] = []
        self._notes = notes
        self._sources = sources
        self._partitions = np.zeros(0, np.int32)

    def load(self, batch: RawBatch) -> None:
        """Take all messages of a batch."""
        self._partitions = batch.partitions
        for first in range(0, len(batch), CHUNK):
            self._load(first, batch.values[first : first + CHUNK])

    def _load(self, first: int, values: Sequence[bytes]) -> None:
        try:
            # Nearly all batches are clean JSON; the first byte is looked at because a number or a text is JSON as well.
            if set(map(_FIRST_BYTE, values)) == _BRACE:
                records = list(map(orjson.loads, values))
                keys = set().union(*records)
                if keys.isdisjoint(_UNUSUAL):
                    self.columns.add(range(first, first + len(values)), records, keys)
                    return
        except (orjson.JSONDecodeError, IndexError):
            pass
        rows: list[int] = []
        records = []
        for row, value in enumerate(values, first):
            for record in self._records(row, value):
                rows.append(row)
                records.append(record)
        if records:
            self.columns.add(rows, records, set().union(*records))

    def _records(self, row: int, value: bytes) -> list[dict[str, Any]]:
        """The records of one message; a plain line goes to ``plain`` instead."""
        if value.startswith(codecs.BOM_UTF8):
            value = value.removeprefix(codecs.BOM_UTF8)
        elif value.startswith(_MARKS):
            self._notes["utf16"] += 1
            value = _from_utf16(value)
        if value.startswith(b"{"):
            return self._objects(row, value)
        if value.startswith(_SELDOM):
            return self._seldom(row, value)
        self._add_plain(row, value)
        return []

    def _seldom(self, row: int, value: bytes) -> list[dict[str, Any]]:
        """The records of a message that may be protobuf, an array or an object behind blanks; else it is plain."""
        records = protobuf_records(value) if value.startswith(b"\n") else []
        if not records and int(self._partitions[row]) not in self._sources:
            if _FIRST_KEY.match(value.lstrip()):
                return self._objects(row, value.strip())
            records = self._several(row, value)
        if not records:
            self._add_plain(row, value)
        return records[:_UNPACK_LIMIT]

    def _several(self, row: int, value: bytes) -> list[dict[str, Any]]:
        """The records of a JSON array, which is what HTTP outputs send; empty where it is none."""
        if not _ARRAY.match(value):
            return []
        try:
            items = orjson.loads(value)
        except orjson.JSONDecodeError:
            return []
        return [record for item in items if isinstance(item, dict) for record in self._opened(row, item)]

    def _lines_of(self, row: int, value: bytes) -> list[dict[str, Any]]:
        """The records of several JSON objects, one on each line; empty where one of them is none."""
        try:
            items = [orjson.loads(line) for line in value.split(b"\n") if line.strip()]
        except orjson.JSONDecodeError:
            return []
        if not all(isinstance(item, dict) for item in items):
            return []
        return [record for item in items for record in self._opened(row, item)]

    def _objects(self, row: int, value: bytes) -> list[dict[str, Any]]:
        try:
            record = self._parsed(value)
        except (ValueError, RecursionError) as error:
            first = _FIRST_KEY.match(value)
            plain = int(self._partitions[row]) in self._sources
            if not plain and b"}\n{" in value and (records := self._lines_of(row, value)):
                return records[:_UNPACK_LIMIT]
            if first and (not plain or canonical(first[1].decode(errors="replace")) in RECORD_MARKS):
                self.columns.refuse(row, RejectReason.JSON, str(error)[:200])
            else:
                # A line of a log that begins with a brace: Erlang terms, dictionaries of Python, printed JSON.
                self._add_plain(row, value)
            return []
        return self._opened(row, record)

    def _opened(self, row: int, record: dict[str, Any]) -> list[dict[str, Any]]:
        """The records inside a record that only wraps them, else the record itself."""
        keys = record.keys()
        if keys.isdisjoint(_UNUSUAL):
            return [record]
        if not keys.isdisjoint(_SEVERAL) and (records := otlp_records(record)):
            return records[:_UNPACK_LIMIT]
        if keys == _WRAPPED:
            return self._unwrapped(row, record["value"], record["timestamp"])
        if keys >= _KCAT:
            return self._unwrapped(row, record["payload"], record.get("ts"))
        return [_held(record)]

    def _unwrapped(self, row: int, value: object, timestamp: object) -> list[dict[str, Any]]:
        if isinstance(value, dict) and value.keys() == {"base64"} and isinstance(value["base64"], str):
            try:
                value = base64.b64decode(value["base64"]).decode("utf-8", "replace")
            except ValueError:
                value = ""
        records: list[dict[str, Any]] = []
        if isinstance(value, str):
            value = value.encode("utf-8", "replace")
            if not value.startswith(b"{"):
                # The broker's time is all that there is to know besides the line.
                return [{"log": value.decode("utf-8", "replace"), "@timestamp": timestamp}]
            records = self._objects(row, value)
        elif isinstance(value, dict):
            records = self._opened(row, value)
        elif value is None:
            self._add_plain(row, b"")
        for record in records:
            record.setdefault("@timestamp", timestamp)
        return records

    def _parsed(self, value: bytes) -> dict[str, Any]:
        """Raise ValueError or RecursionError where it is no JSON object, however kindly it is read."""
        try:
            record = orjson.loads(value)
        except orjson.JSONDecodeError:
            text = value.decode("utf-8", "replace")
            lost = len(text.encode()) != len(value) or "\ufffd" in text
            # Python's own reader takes NaN, control characters and halves of surrogate pairs.
            record = json.loads(text, strict=False)
            plain = json.dumps(record, ensure_ascii=False)
            if _SURROGATE.search(plain):
                lost, record = True, json.loads(_SURROGATE.sub("\ufffd", plain))
            self._notes["broken_encoding"] += lost
        if not isinstance(record, dict):
            msg = "no JSON object"
            raise ValueError(msg)  # noqa: TRY004 - as the readers raise
        return record

    def _add_plain(self, row: int, value: bytes) -> None:
        try:
            text = value.decode()
        except UnicodeDecodeError:
            text = value.decode("utf-8", "replace")
            self._notes["broken_encoding"] += 1
        self.plain.append(text)
        self.plain_rows.append(row)


def _held(record: dict[str, Any]) -> dict[str, Any]:
    """The record inside one that has no line of its own, with what the outer one says beside it."""
    for _ in range(_HELD):
        key = next((key for key in _HOLDERS if isinstance(record.get(key), dict)), None)
        if key is None or any(isinstance(value, str) and canonical(name) in _LINES for name, value in record.items()):
            break
        record = {name: value for name, value in record.items() if name != key} | record[key]
    return record


def _from_utf16(value: bytes) -> bytes:
    """A message in UTF-16 with its byte-order mark as UTF-8; half a character at its end is left out."""
    return value[: len(value) & ~1].decode("utf-16", "replace").encode("utf-8", "replace")
