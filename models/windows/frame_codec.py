"""The wire form of an EventFrame, as it stands on ``logs.events``.

A message is ``TCF1``, the CRC-32 of what follows, the length of a JSON header (all 4 bytes, big endian), the header,
the length of the key table, and two Arrow IPC streams, compressed with Zstandard: keys and rows (columns as in
``models.records``).  Brokers limit the size of a message before its producer compresses it, to 1 MB by default; a frame
takes a tenth of its plain size.
The header names the schema version, the template table that the ids refer to, and the stretches of raw partitions.
"""

import io
import struct
import zlib
from collections.abc import Mapping
from typing import Final

import orjson
import polars as pl

from models.errors import InvalidError
from models.records import KEY_SCHEMA, NO_TIME, ROW_SCHEMA, EventFrame, RawSpan

MAGIC: Final = b"TCF1"
"""First bytes of every frame."""

SCHEMA: Final = "tocsin.frame/2"
"""Name and version of what follows them."""


def encode(frame: EventFrame, templates: str) -> bytes:
    """Write a frame; ``templates`` is the version of the template table and masks that made its ids."""
    header = orjson.dumps(
        {
            "schema": SCHEMA,
            "templates": templates,
            "rows": len(frame.rows),
            "raw": {str(number): [span.first, span.last, span.clock] for number, span in frame.raw.items()},
            # Beside the others, where earlier versions leave it alone.
            "since": {str(number): span.since for number, span in frame.raw.items() if span.since != NO_TIME},
        }
    )
    keys = _ipc(frame.keys)
    body = b"".join((struct.pack(">I", len(header)), header, struct.pack(">I", len(keys)), keys, _ipc(frame.rows)))
    return MAGIC + struct.pack(">I", zlib.crc32(body)) + body


def decode(message: bytes) -> tuple[EventFrame, str]:
    """Read a frame and the version of its template table.

    Raises:
        InvalidError: the bytes are no frame of this version, or damaged.
    """
    if message[:4] != MAGIC:
        raise InvalidError(f"no event frame: it begins with {message[:4]!r}, not {MAGIC!r}")
    body = message[8:]
    if message[4:8] != struct.pack(">I", zlib.crc32(body)):
        raise InvalidError(f"damaged event frame of {len(message)} bytes: its checksum does not fit")
    (size,) = struct.unpack_from(">I", body)
    header = orjson.loads(body[4 : 4 + size])
    if header["schema"] != SCHEMA:
        raise InvalidError(f"event frame of schema {header['schema']!r}", f"this version reads {SCHEMA!r}")
    (key_size,) = struct.unpack_from(">I", body, 4 + size)
    start = 8 + size
    keys = _read(body[start : start + key_size], KEY_SCHEMA)
    rows = _read(body[start + key_size :], ROW_SCHEMA)
    since = header.get("since", {})
    raw = {
        int(number): RawSpan(first, last, clock, since.get(number, NO_TIME))
        for number, (first, last, clock) in header["raw"].items()
    }
    return EventFrame(keys, rows, raw), str(header["templates"])


def _ipc(table: pl.DataFrame) -> bytes:
    if not len(table):
        return b""
    buffer = io.BytesIO()
    table.write_ipc_stream(buffer, compression="zstd")
    return buffer.getvalue()


def _read(data: bytes, schema: Mapping[str, pl.DataType]) -> pl.DataFrame:
    if not data:
        return pl.DataFrame(schema=schema)
    table = pl.read_ipc_stream(io.BytesIO(data))
    if dict(table.schema) != dict(schema):
        raise InvalidError(f"event frame with columns {table.columns}", f"this version reads {list(schema)}")
    return table
