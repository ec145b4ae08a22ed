"""Raw records as columns: fields of all shippers, and what is wrong with a record."""

import json
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.decode.clean_text import CUT
from models.decode.json_fields import RejectReason
from models.decode.raw_records import RECORD, Parsed, parse
from models.records import NO_TIME, Level, RawBatch

NOON = 1_772_539_200_000_000
LIMIT = 200


def messages(*values: bytes | dict[str, Any]) -> Parsed:
    """Parse messages of partition 3, which is a file of its own."""
    encoded = [value if isinstance(value, bytes) else json.dumps(value).encode() for value in values]
    size = len(encoded)
    batch = RawBatch(encoded, np.full(size, 3, np.int32), np.arange(size), np.full(size, NO_TIME))
    return parse(batch, {3: "/var/log/nova/nova-api.log"}, LIMIT)


def fields(record: dict[str, Any]) -> dict[str, Any]:
    """Return what became of one record that is fine."""
    parsed = messages(record)
    assert parsed.rejects == []
    (row,) = parsed.records.to_dicts()
    return row


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (
            {"log": "x"},
            {"text": "x", "tenant": "default", "source": "/var/log/nova/nova-api.log", "service": "nova-api"},
        ),
        ({"message": "x\r\n"}, {"text": "x"}),
        ({"msg": "x", "log": None}, {"text": "x"}),
        (
            {"log": "x", "tenant": "t", "source": "s", "host": "h", "service": "v"},
            {"tenant": "t", "source": "s", "host": "h", "service": "v"},
        ),
        (
            {"log": "x", "path": "/var/log/neutron/server.log"},
            {"source": "/var/log/neutron/server.log", "service": "neutron-server"},
        ),
        (
            {"log": "x", "file": "/a/b.log", "hostname": "h", "offset": 7},
            {"source": "/a/b.log", "host": "h", "position": 7},
        ),
        ({"log": "x", "host": "h"}, {"source": "h", "service": "h", "host": "h"}),
        ({"log": "x", "tenant": "", "source": ""}, {"tenant": "default", "source": "/var/log/nova/nova-api.log"}),
        ({"log": "x", "trace_id": "t-1", "request_id": "r-1"}, {"trace": "t-1"}),
        ({"log": "x", "request_id": "r-1"}, {"trace": "r-1"}),
        ({"log": "x", "level": "warn"}, {"said_level": Level.WARNING}),
        ({"log": "x", "PRIORITY": "2"}, {"said_level": Level.CRITICAL}),
        ({"log": "x", "@timestamp": "2026-03-03T12:00:00Z"}, {"read": NOON}),
        ({"log": "x", "time": NOON // 1000}, {"read": NOON}),
        ({"log": "x", "ts": [1]}, {"read": None}),
        (
            {"MESSAGE": "x", "_SYSTEMD_UNIT": "cron.service", "_HOSTNAME": "h"},
            {"source": "cron.service", "service": "cron", "host": "h"},
        ),
        (
            {"MESSAGE": [104, 105, 195, 164], "SYSLOG_IDENTIFIER": "su"},
            {"text": "hiä", "source": "su", "service": "su"},
        ),
        (
            {"log": "x", "kubernetes": {"namespace_name": "n", "pod_name": "p", "container_name": "c", "host": "w1"}},
            {"source": "n/p/c", "service": "c", "host": "w1"},
        ),
        ({"log": "x", "kubernetes": {"pod_name": "p", "host": 5}, "host": "h"}, {"source": "h", "host": "h"}),
        ({"log": "x", "kubernetes": "none"}, {"source": "/var/log/nova/nova-api.log"}),
    ],
)
def test_the_fields_of_many_shippers_are_known(record: dict[str, Any], expected: dict[str, Any]) -> None:
    """Line, tenant, source, host, service, level, time and trace, in the order of trust."""
    found = fields(record)
    assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("bad", "reason", "detail"),
    [
        (b'{"log": "cut', RejectReason.JSON, ""),
        (b'{"message": "cut", "host": ', RejectReason.JSON, ""),
        (b'{"@timestamp": "2026-03-03T12:00:00Z", "cpu": 5}', RejectReason.NO_LINE, "no log, message or MESSAGE"),
        ({"log": 5}, RejectReason.TYPE, "line is int, not text"),
        ({"log": [104, 105]}, RejectReason.TYPE, "line is list, not text"),
        ({"MESSAGE": [104, 300]}, RejectReason.TYPE, "line is list, not text"),
        ({"message": [104, 105]}, RejectReason.TYPE, "line is list, not text"),
        ({"log": {"nested": 1}}, RejectReason.TYPE, "line is dict, not text"),
    ],
)
def test_what_is_wrong_with_a_record_is_said(bad: bytes | dict[str, Any], reason: RejectReason, detail: str) -> None:
    """Its neighbours are read as if it were not there."""
    parsed = messages({"log": "before"}, bad, b"after")
    assert parsed.records["text"].to_list() == ["before", "after"]
    (reject,) = parsed.rejects
    assert (reject.row, reject.reason) == (1, reason.value)
    assert detail in reject.detail


@pytest.mark.parametrize(
    ("given", "text", "noted"),
    [
        (b'{"log": "\xff"}', "\ufffd", "broken_encoding"),
        (b'{"log": "\\ud800"}', "\ufffd", "broken_encoding"),
        (b'{"log": "x", "other": "\\ud800"}', "x", "broken_encoding"),
        (b"plain \xff", "plain \ufffd", "broken_encoding"),
        (b"M\xfcller", "M\ufffdller", "broken_encoding"),
        ({"MESSAGE": [77, 252, 108]}, "M\ufffdl", None),
        ({"message": [77, 108], "_systemd_unit": "a.service"}, "Ml", None),
        (b'{"log": "x", "value": NaN}', "x", None),
        (b'{"log": "x\ty", "value": -Infinity}', "x\ty", None),
        ({"log": "x" * (LIMIT + 1)}, "x" * (LIMIT - len(CUT.encode())) + CUT, "overlong"),
        ({"log": "ä" * LIMIT}, "ä" * ((LIMIT - len(CUT.encode())) // 2) + CUT, "overlong"),
        (b"x" * 70_000, "x" * (LIMIT - len(CUT.encode())) + CUT, "overlong"),
        ({"log": "a\0b"}, "ab", "nul_byte"),
        (b"\0\0\0\0line behind a hole", "line behind a hole", "nul_byte"),
        ("\ufefftext".encode("utf-16-le"), "text", "utf16"),
        (b"\xef\xbb\xbf" + b'{"log": "x"}', "x", None),
        ({"log": "\x1b[31mred\x1b[0m"}, "red", None),
        (b"\x1b]0;title\x07text", "text", None),
        (b"{timeout,{gen_server,call,[x]}}", "{timeout,{gen_server,call,[x]}}", None),
        (b"{'EXIT',{badmatch,x}}", "{'EXIT',{badmatch,x}}", None),
        (b"{", "{", None),
        (b'{"server": {"name": "x"}}', '{"server": {"name": "x"}}', None),
        (b'{"name": "x",', '{"name": "x",', None),
        (b"{}", "{}", None),
        (b'{"host": "h", "metric": 5}', '{"host": "h", "metric": 5}', None),
        (b'{"host": "cut', '{"host": "cut', None),
    ],
)
def test_what_can_be_read_of_a_line_is_read(given: bytes | dict[str, Any], text: str, noted: str | None) -> None:
    """Replaced, cut or cleaned, and counted; its neighbours are read as if it were not there."""
    parsed = messages({"log": "before"}, given, b"after")
    assert parsed.records["text"].to_list() == ["before", text, "after"]
    assert parsed.rejects == []
    assert +Counter(parsed.notes) == (Counter([noted]) if noted else Counter())


@pytest.mark.parametrize(
    ("side", "lost", "noted"),
    [
        ({"tenant": 5}, {"tenant": "default"}, "wrong_type"),
        ({"level": True}, {"said_level": Level.UNKNOWN}, "wrong_type"),
        ({"level": {"a": 1}}, {"said_level": Level.UNKNOWN}, "wrong_type"),
        ({"offset": -1}, {"position": None}, "wrong_type"),
        ({"offset": 2**63}, {"position": None}, "wrong_type"),
        ({"offset": [1]}, {"position": None}, "wrong_type"),
        ({"offset": "7"}, {"position": 7}, None),
        ({"host": ["a", "b"]}, {"host": ""}, "wrong_type"),
        ({"host": {"os": "linux"}}, {"host": ""}, None),
        ({"SYSLOG_IDENTIFIER": 5}, {"source": "/var/log/nova/nova-api.log"}, "wrong_type"),
        ({"source": "s" * 1025}, {"source": "/var/log/nova/nova-api.log"}, "overlong_field"),
    ],
)
def test_a_side_field_of_the_wrong_type_loses_itself(
    side: dict[str, Any], lost: dict[str, Any], noted: str | None
) -> None:
    """Counted, and its line is read as if the field were not there."""
    parsed = messages({"log": "x", **side})
    assert parsed.rejects == []
    (row,) = parsed.records.to_dicts()
    assert row["text"] == "x"
    assert {name: row[name] for name in lost} == lost
    assert +Counter(parsed.notes) == (Counter([noted]) if noted else Counter())


def test_a_source_of_the_wrong_type_counts_only_where_it_is_looked_at() -> None:
    """A record that names its source is not refused for a unit that is none."""
    parsed = messages({"log": "x", "source": "s", "_SYSTEMD_UNIT": 5}, {"log": "x"})
    assert parsed.rejects == []
    assert parsed.records["source"].to_list() == ["s", "/var/log/nova/nova-api.log"]


def test_the_longest_line_that_is_allowed_is_read() -> None:
    """The limit is that of the line without its end."""
    assert fields({"log": "x" * LIMIT + "\n"})["text"] == "x" * LIMIT


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)
NAMES = (
    "log message MESSAGE tenant source host path service level PRIORITY time ts offset trace_id kubernetes"
    " _SYSTEMD_UNIT other"
)
KEYS = st.sampled_from(NAMES.split())
RECORDS = st.dictionaries(KEYS, ANYTHING, max_size=6).map(lambda record: json.dumps(record).encode())


@given(st.lists(RECORDS | st.binary(max_size=12), max_size=12))
@settings(max_examples=150, deadline=None)
def test_a_record_is_read_or_refused_whatever_its_neighbours(values: list[bytes]) -> None:
    """Exactly one of both, and the same alone as in a batch."""
    parsed = messages(*values)
    rows, refused = parsed.records["row"].to_list(), [reject.row for reject in parsed.rejects]
    assert sorted(rows + refused) == list(range(len(values)))
    assert parsed.records.schema == RECORD
    for row, found in zip(rows, parsed.records.drop("row").to_dicts(), strict=True):
        assert found == messages(values[row]).records.drop("row").to_dicts()[0]
    for reject in parsed.rejects:
        (alone,) = messages(values[reject.row]).rejects
        assert (alone.reason, alone.detail) == (reject.reason, reject.detail)
