"""Raw records as no shipper should send them, with good ones between: the same seed gives the same bytes."""

import json
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Final

from training.simulate import Scenario, stream_records

START: Final = datetime(2026, 3, 3, 8, 0, tzinfo=UTC)
GOOD: Final = 0.4
"""Share of records that the simulator wrote; a stretch of them follows a stretch of hostile ones."""

HUGE: Final = 10 * 1024 * 1024
"""Bytes of the longest lines."""

KEYS: Final = (
    *("log", "message", "MESSAGE", "msg", "host", "hostname", "_HOSTNAME", "path", "file", "_SYSTEMD_UNIT"),
    *("SYSLOG_IDENTIFIER", "trace_id", "request_id", "level", "PRIORITY", "@timestamp", "__REALTIME_TIMESTAMP"),
    *("timestamp", "time", "ts", "tenant", "source", "service", "offset", "kubernetes", "stream", "other"),
)
LINES: Final = (
    "2026-03-03 08:00:00.099 34269 INFO nova.compute [None req-45a63c26-ff34-4a94-b84c-98f30b42bb11 - - - -] started",
    "2026-03-03 08:00:00.099 34269 INFO nova.compute [-] [instance: 5d9d5d6e-8a5f-4d0c-9d9d-0a3b1c2d3e4f] VM Started",
    "2026-03-03 08:00:00.099 34269 ERROR nova.compute.manager Traceback (most recent call last):",
    '2026-03-03 08:00:00.099 34269 ERROR nova.compute.manager   File "/a/b.py", line 7, in c',
    "2026-03-03 08:00:00.099 34269 TRACE nova.compute.manager ValueError: no",
    "INFO nova.api [req-45a63c26-ff34-4a94-b84c-98f30b42bb11 a b] started",
    "Mar  3 08:00:01 compute-1 nova-compute[311]: libvirt connection lost",
    "Feb 29 23:59:60 compute-1 kernel: out of memory",
    "<34>1 2026-03-03T08:00:00.003Z compute-1 su - ID47 - 'su root' failed",
    "2026-03-03 08:00:00,123 WARN [main] org.apache.zookeeper.Server: session 0x14f05578bd80001 expired",
    "081109 203615 148 INFO dfs.DataNode$PacketResponder: PacketResponder 1 for block blk_38865049064139660 ends",
    '10.11.10.1 - - [03/Mar/2026:08:00:00 +0000] "GET /v2/servers HTTP/1.1" 200 1893 0.2477829',
    "2026-03-03T08:00:00.123456789Z stdout F 2026-03-03 08:00:00.099 1 INFO a.b [-] whole",
    "2026-03-03T08:00:00.123456789Z stderr P a piece of a line ",
    '{"log":"2026-03-03 08:00:00.099 1 INFO a.b [-] docker\\n","stream":"stdout","time":"2026-03-03T08:00:00.1Z"}',
    'I0303 08:00:00.123456       1 controller.go:116] "Starting" worker=4',
    'time="2026-03-03T08:00:00Z" level=error msg="no route" port=9696',
    "nova-api.log.1.2017-05-14_21:27:04 2017-05-14 19:39:01.445 25746 INFO nova.osapi [req-1 - -] GET 200",
    "Traceback (most recent call last):",
    '  File "/usr/lib/python3/dist-packages/nova/compute.py", line 12, in run',
    "    at java.lang.Thread.run(Thread.java:748)",
    "Caused by: java.io.IOException: closed",
    "a line of nobody",
    "",
    "   ",
    "\r\n",
)
CHARACTERS: Final = (
    *("\u202e", "\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\x1b[31m", "\ufeff", "\u200b", "\U0001f525"),
    *("e\u0301\u0302\u0303", "\u0130", "\u00df", "\u1e9e", "\uffff", "\U0010ffff", "\u0661\u0662", "\uff11", "\x7f"),
    *("\t", "[", "]", "<*>", "{", "}", '"', "\\", "%s", "$1", "\u00a0", "\u3000", "\r", "\n"),
)
NUMBERS: Final = (0, -1, 1, 2**31, 2**53 + 1, 2**63 - 1, 2**63, 2**64, -(2**63), 10**30, 0.5, -0.0, 1e308, 1e-320)
STAMPS: Final = (
    *("2026-03-03T08:00:00Z", "0000-00-00T00:00:00Z", "9999-12-31T23:59:60Z", "2026-02-30T25:61:61.9999999999Z"),
    *("1772524800", "1772524800099674", "99999999999999999999", "-1", "now", "2026-03-03T08:00:00+99:99", "NaN"),
)


def records(count: int, seed: int, huge: int = 0) -> Iterator[bytes]:
    """``count`` records, ``huge`` of them with lines of 10 MB at places that the seed chooses."""
    rng = random.Random(seed)
    places = set(rng.sample(range(count), huge))
    supply = (record.value for record in stream_records(Scenario(seed, START, 1e6)))
    recent: list[bytes] = []
    good = True
    for number in range(count):
        if number in places:
            yield _huge(rng)
            continue
        if rng.random() < (0.02 if good else 0.02 * GOOD / (1 - GOOD)):
            good = not good
        value = next(supply) if good and rng.random() < 0.9 else _hostile(rng, recent)
        recent.append(value)
        if len(recent) > 2000:
            del recent[:1000]
        yield value


def _hostile(rng: random.Random, recent: list[bytes]) -> bytes:
    makers: tuple[Callable[[random.Random, list[bytes]], bytes], ...] = (
        *(_noise, _cut, _flipped, _wrong_types, _odd_text, _with_nul, _nested, _again, _plain, _mutated, _bare, _json),
    )
    return rng.choice(makers)(rng, recent)


def _dumps(record: object) -> bytes:
    return json.dumps(record, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _line(rng: random.Random) -> str:
    return rng.choice(LINES)


def _record(rng: random.Random, line: object) -> dict[str, Any]:
    record: dict[str, Any] = {rng.choice(KEYS[:4]): line, "host": f"compute-{rng.randrange(3)}"}
    if rng.random() < 0.5:
        record["source"] = f"/var/log/{rng.choice(['nova', 'x', 'é', ''])}.log"
    if rng.random() < 0.3:
        record |= {"path": "/var/log/a.log", "offset": rng.randrange(200)}
    if rng.random() < 0.3:
        record["@timestamp"] = rng.choice(STAMPS)
    if rng.random() < 0.2:
        record["kubernetes"] = {"pod_name": "p", "container_name": rng.choice(["c", None, "", 3]), "host": "n"}
    return record


def _noise(rng: random.Random, recent: list[bytes]) -> bytes:
    return rng.choice([b"", b"", b"{"]) + rng.randbytes(rng.choice([0, 1, 2, 8, 64, 1000]))


def _cut(rng: random.Random, recent: list[bytes]) -> bytes:
    whole = rng.choice(recent) if recent else b"{}"
    return whole[: rng.randrange(len(whole) + 1)]


def _flipped(rng: random.Random, recent: list[bytes]) -> bytes:
    value = bytearray(rng.choice(recent) if recent else b"{}")
    for _ in range(min(len(value), rng.choice([1, 1, 3, 20]))):
        value[rng.randrange(len(value))] = rng.randrange(256)
    return bytes(value)


def _any_value(rng: random.Random, depth: int = 0) -> Any:
    simple: list[Any] = [None, True, False, "", _line(rng), *rng.sample(NUMBERS, 3), rng.choice(STAMPS)]
    if depth < 3:
        simple.append([_any_value(rng, depth + 1) for _ in range(rng.randrange(4))])
        simple.append({rng.choice(KEYS): _any_value(rng, depth + 1) for _ in range(rng.randrange(4))})
        simple.append(list(rng.randbytes(4)))
        simple.append(list(b"a line in bytes"))
    return rng.choice(simple)


def _wrong_types(rng: random.Random, recent: list[bytes]) -> bytes:
    record = _record(rng, _line(rng)) if rng.random() < 0.7 else {}
    for _ in range(rng.randrange(1, 5)):
        record[rng.choice(KEYS)] = _any_value(rng)
    return _dumps(record)


def _odd_text(rng: random.Random, recent: list[bytes]) -> bytes:
    line = _spiced(rng, _line(rng), rng.choice([1, 3, 30]))
    record = _record(rng, line)
    for key in rng.sample(KEYS, 2):
        record[key] = "".join(rng.choices(CHARACTERS, k=rng.choice([1, 5, 600])))
    value = _dumps(record if rng.random() < 0.7 else line)
    if rng.random() < 0.2:
        value = value.replace(b"e", rng.choice([b"\\ud800", b"\\udfff\\ud83d", b"\xed\xa0\x80", b"\xc0\xaf"]), 1)
    return value


def _spiced(rng: random.Random, line: str, count: int) -> str:
    places = sorted(rng.randrange(len(line) + 1) for _ in range(count))
    pieces = [line[a:b] for a, b in pairwise([0, *places, len(line)])]
    return "".join(piece + rng.choice(CHARACTERS) for piece in pieces[:-1]) + pieces[-1]


def _with_nul(rng: random.Random, recent: list[bytes]) -> bytes:
    line = _line(rng)
    position = rng.randrange(len(line) + 1)
    spoilt = line[:position] + "\0" + line[position:]
    record = _record(rng, line)
    record[rng.choice(("log", "host", "source", "path", "trace_id", "@timestamp", "tenant"))] = spoilt
    return rng.choice([spoilt.encode(), _dumps(record), json.dumps(record).encode()])


def _nested(rng: random.Random, recent: list[bytes]) -> bytes:
    depth = rng.choice([1, 3, 100, 2000])
    if rng.random() < 0.3:
        return b'{"log":' * depth + b'"x"' + b"}" * depth
    if rng.random() < 0.3:
        return b'{"log":' + b"[" * depth + b"]" * depth + b"}"
    value: Any = _line(rng)
    for _ in range(rng.randrange(1, 6)):
        value = json.dumps({rng.choice(["log", "message", "msg"]): value, "level": "error", "time": rng.choice(STAMPS)})
    return value.encode() if rng.random() < 0.5 else _dumps(_record(rng, value))


def _again(rng: random.Random, recent: list[bytes]) -> bytes:
    return rng.choice(recent) if recent else b""


def _plain(rng: random.Random, recent: list[bytes]) -> bytes:
    return _line(rng).encode()


def _mutated(rng: random.Random, recent: list[bytes]) -> bytes:
    line = list(_line(rng))
    for _ in range(rng.choice([1, 2, 5])):
        position = rng.randrange(len(line) + 1)
        line[position : position + rng.randrange(3)] = rng.choice(
            ["", " ", "9", "99999999999", ":", "[", "Z", "-", "é"]
        )
    return _dumps(_record(rng, "".join(line)))


def _bare(rng: random.Random, recent: list[bytes]) -> bytes:
    return rng.choice([b"{}", b"[]", b'""', b"null", b"1", b"[{}]", b"{", b"}", b'{"log":', b"\xef\xbb\xbf{}", b" {}"])


def _json(rng: random.Random, recent: list[bytes]) -> bytes:
    return _dumps(_record(rng, _line(rng)))


def _huge(rng: random.Random) -> bytes:
    makers: tuple[Callable[[], bytes], ...] = (
        lambda: b"x" * HUGE,
        lambda: b"[" * HUGE,
        lambda: b'{"log":"' + b"a b " * (HUGE // 4) + b'"}',
        lambda: b'{"log":"' + b"\\u0000" * (HUGE // 6) + b'"}',
        lambda: b'{"a":' * (HUGE // 5),
        lambda: b'{"log":"short","host":"' + b"h" * HUGE + b'"}',
        lambda: rng.randbytes(HUGE),
    )
    return rng.choice(makers)()
