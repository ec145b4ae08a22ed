"""What becomes of a record does not depend on the records that are read with it."""

import numpy as np
import orjson
import polars as pl
import pytest

from models.decode.decoder import DecodeConfig, Decoder
from models.records import NO_TIME, LogBatch, RawBatch

OSLO = "2026-03-03 08:00:00.099 34269 INFO "
REQUEST = "req-45a63c26-ff34-4a94-b84c-98f30b42bb11"


def decode(*values: bytes) -> LogBatch:
    """Decode one batch of one partition."""
    n = len(values)
    raw = RawBatch(list(values), np.zeros(n, np.int32), np.arange(n, dtype=np.int64), np.full(n, NO_TIME, np.int64))
    return Decoder(DecodeConfig()).decode(raw)


def outcome(batch: LogBatch) -> tuple[list[tuple[object, ...]], list[str]]:
    """Return the first record's line, if it has one, and why it was refused, if it was."""
    lines = batch.lines.filter(pl.col("row") == 0).rows()
    return lines, [f"{reject.reason}: {reject.detail}" for reject in batch.rejects if reject.row == 0]


@pytest.mark.parametrize(
    ("record", "neighbour"),
    [
        ({"msg": list(b"bytes")}, {"MESSAGE": "text"}),
        ({"log": "x", "source": "s", "SYSLOG_IDENTIFIER": 5}, {"log": "y"}),
        ({"log": "x", "source": "s", "SYSLOG_IDENTIFIER": "u" * 2000, "offset": "no number"}, {"log": "y"}),
        ({"log": f"{OSLO}nova.api [{REQUEST} open"}, {"log": f"{OSLO}nova.api [{REQUEST} é] closed"}),
        ({"log": f"{OSLO}nova.api [open] text"}, {"log": f"{OSLO}növa.äpi [open] text"}),
    ],
)
def test_a_neighbour_changes_nothing(record: dict[str, object], neighbour: dict[str, object]) -> None:
    """The record comes to the same alone, and in a batch whose other record has what it has not."""
    value = orjson.dumps(record)
    assert outcome(decode(value)) == outcome(decode(value, orjson.dumps(neighbour)))


def test_a_journal_unit_counts_where_nothing_else_names_the_source() -> None:
    """An identifier of the wrong type loses itself, and not its line."""
    needed = decode(orjson.dumps({"log": "x", "SYSLOG_IDENTIFIER": 5}))
    assert (needed.rejects, needed.notes["wrong_type"]) == ((), 1)
    assert needed.lines["source"].to_list() == ["unknown"]
    assert decode(orjson.dumps({"log": "x", "source": "s", "SYSLOG_IDENTIFIER": 5})).lines["source"].to_list() == ["s"]


def test_an_array_of_bytes_is_a_line_only_in_the_journal_field() -> None:
    """Journald writes MESSAGE so; elsewhere an array is of the wrong type."""
    batch = decode(orjson.dumps({"MESSAGE": list(b"from the journal")}), orjson.dumps({"msg": list(b"not this")}))
    assert batch.lines["message"].to_list() == ["from the journal"]
    assert [(reject.row, reject.reason) for reject in batch.rejects] == [(1, "wrong_type")]


@pytest.mark.parametrize(
    ("line", "logger", "req", "message"),
    [
        ("nova.x Gerät ä [foo] bar", "nova.x", None, "Gerät ä [foo] bar"),
        (f"növa [{REQUEST} a] bär", "növa", REQUEST, "bär"),
        (f"nova [{REQUEST} ä] bär [x]", "nova", REQUEST, "bär [x]"),
        (f"nova [{REQUEST} never closed", "nova", None, f"[{REQUEST} never closed"),
        ("nova no bracket", "nova", None, "no bracket"),
    ],
)
def test_brackets_are_found_beyond_ascii(line: str, logger: str, req: str | None, message: str) -> None:
    """No character of a message is lost or doubled where a line is not ASCII; an open bracket is no context."""
    batch = decode((OSLO + line).encode())
    assert batch.lines.select("logger", "request", "message").rows() == [(logger, req, message)]
