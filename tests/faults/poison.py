"""Messages that stopped, slowed or blinded a reader once, each with what must become of it."""

import gzip
import json
import random
from collections.abc import Iterator
from typing import Final

from tests.faults.slow_shapes import shapes

REQUEST: Final = "req-3f0c1b52-7d1e-4a10-9c55-0a1b2c3d4e5f"
OSLO: Final = f"2026-03-03 08:00:05.123 7 ERROR nova.api [{REQUEST} u p - - -] "
READ: Final = ""
"""The fate of a message that is read, as an event or a continuation; any other is why it is not."""
EMPTY: Final = "empty"


def _json(**fields: object) -> bytes:
    return json.dumps(fields).encode()


def poison(seed: int = 1) -> Iterator[tuple[str, bytes, str]]:
    """Kind, message and fate, the kinds after each other."""
    yield from (("slow shape", line.encode("utf-8", "surrogatepass"), READ) for line in shapes(seed, 40))
    yield from (("slow shape, shipped", _json(log=line, path="/x.log"), READ) for line in shapes(seed + 1, 40))
    yield from (("no UTF-8", value, READ) for value in _broken())
    yield from (("no UTF-8, UTF-16", OSLO.encode(name), READ) for name in ("utf-16", "utf-16-le", "utf-16-be"))
    yield from (("no JSON", value, fate) for value, fate in _json_shapes())
    yield from (("wrong type", value, fate) for value, fate in _wrong_types())
    yield from (("record of a shipper", value, READ) for value in _shipped())
    yield from (("line", line.encode(), READ) for line in _lines())
    yield "line", b"2026-03-03T08:00:00.123456789Z stderr F", EMPTY
    rng = random.Random(seed)
    yield from (("noise", bytes([0x80 | rng.randrange(64)]) + rng.randbytes(500), READ) for _ in range(5))
    yield "noise", gzip.compress(OSLO.encode() * 50, mtime=0), READ


def _broken() -> Iterator[bytes]:
    """Bytes that are no text, in each place where one may stand."""
    yield OSLO.encode() + b"M\xfcller"
    yield b'{"log":"caf\xe9","host":"h\xff"}'
    yield _json(MESSAGE=[66, 252, 108], _HOSTNAME="c1", PRIORITY="3")
    yield OSLO.encode() + b"\xed\xa0\x80 \xc0\xaf \xf8\x88\x80\x80\x80"
    yield b'{"log":"' + OSLO.encode() + b'\\ud800 half a character"}'
    yield OSLO.encode() + b"before\0behind"
    yield _json(log=OSLO + "before\0behind", host="c\x001")


def _json_shapes() -> Iterator[tuple[bytes, str]]:
    """JSON that is none, is not a record, or is deep."""
    yield b'{"log": "x", "value": NaN, "other": -Infinity}', READ
    yield b'{"log": "cut short', "invalid_json"
    yield b"{'server': {'name': 'x'}}", READ
    yield b"{timeout,{gen_server,call,[x]}}", READ
    yield b'{"a":' * 2000 + b"1" + b"}" * 2000, "invalid_json"
    yield b'{"log":"deep","more":' + b"[" * 900 + b"]" * 900 + b"}", READ
    yield b"[" * 60_000, READ
    yield b"{}", "no_line"
    yield b"[]", READ
    yield b"null", READ
    yield b'"a text alone"', READ
    yield b'{"log": 1e999}', "wrong_type"
    yield b'{"log": ' + b"9" * 5000 + b"}", "invalid_json"


def _wrong_types() -> Iterator[tuple[bytes, str]]:
    """Fields that hold something else than they should: they lose themselves, not their line."""
    for key in ("host", "path", "level", "@timestamp", "tenant", "kubernetes", "PRIORITY", "trace_id", "offset"):
        for value in (["x"], {"a": 1}, 1e308, True, "", -(2**63), "\u202e" * 100):
            yield _json(**{"log": OSLO + "a side field of the wrong type", key: value}), READ
    yield _json(log={"a": {"b": 1}}), "wrong_type"
    yield _json(log=["a", 1, None]), "wrong_type"
    yield _json(log=None), "no_line"
    yield _json(log=True), "wrong_type"
    yield _json(resourceLogs=[{"scopeLogs": [{"logRecords": [{"body": {"kvlistValue": 1}}]}]}]), "no_line"


def _shipped() -> Iterator[bytes]:
    """Records of shippers whose fields are objects or have names of their own."""
    ecs = {"offset": 1, "file": {"path": "/var/log/nova/nova-compute.log"}}
    yield _json(message=OSLO + "ECS", log=ecs, host={"name": "c1"}, agent={"type": "filebeat"})
    yield _json(Payload="[instance: x] failed", log_level="ERROR", Hostname="c1", programname="nova-compute")
    yield _json(message="Failed", asctime="2026-03-03 08:00:00,123", levelname="ERROR", args=["x"], context={"a": 1})
    yield _json(hostname="c1", priority="3", systemd_unit="nova.service", message="lost")
    yield _json(streams=[{"stream": {"job": "nova"}, "values": [["1772524800000000000", OSLO], ["x"]]}])


def _lines() -> Iterator[str]:
    """Lines with stamps that do not exist, codes of a terminal, and pieces that nobody ends."""
    yield "2026-02-30 24:61:61.123 7 ERROR nova.api [-] no such day"
    yield "9999-12-31 23:59:60.000 7 ERROR nova.api [-] the end of days"
    yield "0000-00-00T00:00:00Z ERROR before all days"
    yield "99999999999999999999 ERROR a number too long for a time"
    yield "2026-03-03T08:00:00.123456789Z stdout P " + OSLO + "a piece that nobody ends"
    yield "\x1b[31m" * 10_000 + OSLO
    yield "#033[00;32mDEBUG oslo [#033[01;36mNone " + REQUEST
    yield "\ufeff" * 3 + OSLO
    yield "type=AVC msg=audit(99999999999999.999:1): avc: denied"
    yield "=ERROR REPORT==== 99-Foo-9999::99:99:99 ==="
    yield OSLO + "1+" * 30_000
    yield "level=info ts=2026-03-03T08:00:00Z msg=x " + "a" * 60_000
    yield OSLO + "x" * 900_000
    yield " " * 60_000
    yield "\t\x0b\x0c\x85\u2028"
