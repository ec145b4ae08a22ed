"""Which lines belong to the record before them: age, stream, and what a record says of itself."""

from typing import Any

import numpy as np
import orjson
import pytest

from models.decode.decoder import DecodeConfig, Decoder
from models.records import NO_TIME, Level, RawBatch, RowFlag
from models.rfc3339 import parse_time, time_text

REQUEST = "req-3f0c1b52-7d1e-4a10-9c55-0a1b2c3d4e5f"
OSLO = f"2026-11-30 09:14:14.123 7 INFO nova.compute.manager [{REQUEST} u p - - -] Starting"
AT = parse_time("2026-11-30T09:14:14.123Z")


def decode(*values: dict[str, Any] | str, arrived: list[int] | None = None) -> list[dict[str, Any]]:
    """Decode records or plain lines of one file; ``arrived`` is in seconds behind the first line's time."""
    encoded = [value.encode() if isinstance(value, str) else orjson.dumps(value) for value in values]
    size = len(encoded)
    times = np.full(size, NO_TIME) if arrived is None else AT + np.array(arrived) * 1_000_000
    batch = RawBatch(encoded, np.zeros(size, np.int32), np.arange(size), times)
    return Decoder(DecodeConfig()).decode(batch, {0: "/var/log/nova/nova-compute.log"}).lines.to_dicts()


def flags(lines: list[dict[str, Any]]) -> list[bool]:
    """Which lines belong to the one before them."""
    return [bool(line["flags"] & RowFlag.CONTINUATION) for line in lines]


def record(second: int, line: str, **more: Any) -> dict[str, Any]:
    """A record of one host, read so many seconds after 09:14."""
    read = time_text(parse_time("2026-11-30T09:14:00Z") + second * 1_000_000)
    return {"host": "cmp1", "@timestamp": read, "message": line, **more}


@pytest.mark.parametrize(
    "own",
    [
        {"level": "error"},
        {"severity": 3},
        {"log": {"level": "error"}},
        {"trace_id": "t-1"},
        {"request_id": "r-1"},
        {"asctime": "2026-11-30 09:14:15,000"},
        {"timereported": "2026-11-30T09:14:15Z"},
        {"severityNumber": 17},
        {"_TRANSPORT": "kernel"},
        {"PRIORITY": "3"},
    ],
    ids=str,
)
def test_a_record_that_says_something_of_itself_continues_no_other(own: dict[str, Any]) -> None:
    """It does not take over the level, the time and the ids of a line that happens to stand before it."""
    lines = decode(record(14, OSLO), record(15, "EXT4-fs error (device vda1)", **own), record(16, "Killed", **own))
    assert flags(lines) == [False, False, False]
    assert [line["request"] for line in lines] == [REQUEST, None, None]


def test_complete_records_keep_their_level_and_time() -> None:
    """Seven minutes later a critical record is a critical record."""
    lines = decode(
        record(14, OSLO, level="info"), record(19, "disk", level="error"), record(434, "memory", level="critical")
    )
    assert [line["level"] for line in lines] == [Level.INFO, Level.ERROR, Level.CRITICAL]
    assert lines[2]["time"] - lines[1]["time"] == 415 * 1_000_000


@pytest.mark.parametrize(("gap", "joined"), [(0, True), (4, True), (6, False), (3600, False), (-3600, False)])
@pytest.mark.parametrize("by", ["shipper", "broker"])
def test_nothing_joins_a_head_that_was_read_long_ago(gap: int, joined: bool, by: str) -> None:
    """By the shipper's clock, else by the broker's."""
    if by == "shipper":
        lines = decode(record(3614, OSLO), record(3614 + gap, "plain"))
    else:
        lines = decode(OSLO, "plain", arrived=[0, gap])
    assert flags(lines) == [False, joined]


@pytest.mark.parametrize("field", ["stream", "log.iostream"])
def test_streams_do_not_mix(field: str) -> None:
    """A line of stderr does not continue a record of stdout."""
    lines = decode(
        {"log": OSLO, field: "stdout"}, {"log": "noise", field: "stderr"}, {"log": "  more", field: "stdout"}
    )
    assert flags(lines) == [False, False, True]


def test_pieces_of_two_streams_go_back_to_their_own() -> None:
    """As a container runtime writes them into one file."""
    stamp = "2026-11-30T09:14:14.730832241+00:00"
    lines = decode(
        f"{stamp} stdout F {OSLO}",
        f"{stamp} stdout P {OSLO.replace('INFO', 'ERROR')} one",
        f"{stamp} stderr P {OSLO.replace('INFO', 'WARNING')} other",
        f"{stamp} stdout P  two",
        f"{stamp} stderr F  end of other",
        f"{stamp} stdout F  three",
        f"{stamp} stdout F {OSLO}",
    )
    assert flags(lines) == [False, False, False, True, True, True, False]
    wanted = [Level.INFO, Level.ERROR, Level.WARNING, Level.ERROR, Level.WARNING, Level.ERROR, Level.INFO]
    assert [line["level"] for line in lines] == wanted


@pytest.mark.parametrize(
    ("piece", "end"),
    [
        ({"log": (OSLO + "x" * 20_000)[:16_384], "stream": "stdout"}, {"log": "the rest\n", "stream": "stdout"}),
        ({"log": OSLO, "stream": "stdout", "logtag": "P"}, {"log": "the rest", "stream": "stdout", "logtag": "F"}),
        ({"log": OSLO, "stream": "stdout", "_p": "P"}, {"log": "2026 rest", "stream": "stdout", "_p": "F"}),
        (
            {"MESSAGE": OSLO, "PRIORITY": "6", "CONTAINER_NAME": "c", "CONTAINER_PARTIAL_MESSAGE": "true"},
            {"MESSAGE": "rest", "PRIORITY": "6", "CONTAINER_NAME": "c", "CONTAINER_PARTIAL_LAST": "true"},
        ),
        (
            {"log": OSLO, "container_name": "/c", "source": "stdout", "partial_message": "true", "stream": "s"},
            {"log": "rest", "container_name": "/c", "source": "stdout", "partial_last": "true", "stream": "s"},
        ),
    ],
    ids=["docker", "logtag", "_p", "journald", "fluentd"],
)
def test_a_cut_line_is_one_record(piece: dict[str, Any], end: dict[str, Any]) -> None:
    """However the runtime marks its pieces, and whenever the next one comes."""
    lines = decode({**piece, "@timestamp": "2026-11-30T09:14:14Z"}, {**end, "@timestamp": "2026-11-30T09:15:14Z"})
    assert flags(lines) == [False, True]
    assert lines[1]["request"] == REQUEST


def test_journald_lines_of_another_priority_are_not_of_the_record() -> None:
    """What a unit writes to its standard output has one priority; what it tells the journal itself has its own."""
    unit = {"_SYSTEMD_UNIT": "nova-compute.service", "_HOSTNAME": "c"}
    lines = decode(
        {**unit, "MESSAGE": OSLO, "PRIORITY": "6"},
        {**unit, "MESSAGE": "Traceback (most recent call last):", "PRIORITY": "6"},
        {**unit, "MESSAGE": "Main process exited", "PRIORITY": "3"},
        {**unit, "MESSAGE": "ValueError", "PRIORITY": "6"},
    )
    assert flags(lines) == [False, True, False, True]
    assert lines[2]["level"] == Level.ERROR


def test_braces_begin_no_record_of_their_own() -> None:
    """Erlang terms, dictionaries, printed JSON and a body in one line belong to the line before them."""
    lines = decode(
        "2026-11-30 09:14:14.123456+00:00 [error] <0.1.0>     crasher:",
        *("{timeout,{gen_server,call,[x]}}", "{'EXIT',{badmatch,x}}", OSLO, "{", '  "server": {', "  }", "}"),
        *('{"server": {"name": "x"}}', "{'server': {'name': 'x'}}", '{"a": [1, 2'),
    )
    assert flags(lines) == [False, True, True, False, *[True] * 7]


def test_what_was_not_read_is_counted_by_source() -> None:
    """Events without a format, a time or a level, per source, for those who tell of it."""
    values = [b"no header", OSLO.encode(), b"2026-11-30 09:14:14 only a time"]
    batch = RawBatch(values[:1] + values, np.arange(4, dtype=np.int32), np.zeros(4, np.int64), np.full(4, NO_TIME))
    logs = Decoder(DecodeConfig()).decode(batch, {0: "a", 1: "a", 2: "b", 3: "c"})
    assert logs.unread == {("a", "format"): 2, ("a", "time"): 2, ("a", "level"): 2, ("c", "level"): 1}
