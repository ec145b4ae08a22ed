"""Decoding: what each format says, what belongs together, what is refused, and that cuts change nothing."""

import numpy as np
import orjson
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.decode.decoder import DecodeConfig, Decoder
from models.decode.formats import FormatSpec
from models.records import Level, LogBatch, RawBatch, RowFlag

ARRIVED = 1_790_000_000_000_000
REQUEST = "req-45a63c26-ff34-4a94-b84c-98f30b42bb11"
INSTANCE = "6d2f0f7a-0f4e-4c39-9a54-0e1c9d1f2a3b"
NOON = 1_772_539_200_000_000
"""2026-03-03 12:00:00 UTC."""

OSLO = f"2026-03-03 12:00:00.099 34269 INFO nova.api [{REQUEST} u p - default default] [instance: {INSTANCE}] Claim"


def raw(values: list[bytes], first: int = 0) -> RawBatch:
    """One batch of one partition."""
    n = len(values)
    return RawBatch(values, np.zeros(n, np.int32), np.arange(first, first + n, dtype=np.int64), np.full(n, ARRIVED))


def decode(*values: str | bytes, config: DecodeConfig | None = None) -> LogBatch:
    """Decode lines as one batch."""
    lines = [value.encode() if isinstance(value, str) else value for value in values]
    return Decoder(config or DecodeConfig()).decode(raw(lines))


@pytest.mark.parametrize("prefix", ["", "nova-api.log:", "/var/log/nova/nova-api.log:"])
@pytest.mark.parametrize(
    ("line", "seconds", "level", "logger", "message"),
    [
        ("2026-03-03 12:00:00.099 34269 INFO nova.api [-] Claim", 0.099, Level.INFO, "nova.api", "Claim"),
        ("<34>Mar  3 12:00:00 host su: hello", 0.0, Level.CRITICAL, "su", "hello"),
        ("<165>1 2026-03-03T12:00:00.003Z host app 1 ID47 - An event", 0.003, Level.INFO, "app", "An event"),
        ("2026-03-03T12:00:00.003456789Z stdout F hello", 0.003456, Level.UNKNOWN, "", "hello"),
        ("2026-03-03 12:00:00,003 INFO org.apache.DataNode: Receiving", 0.003, Level.INFO, "org.apache.DataNode", ""),
        ("2026-03-03 12:00:00,003 - root - ERROR - broken pipe", 0.003, Level.ERROR, "root", "broken pipe"),
        ('10.0.0.1 - - [03/Mar/2026:12:00:00 +0000] "GET / HTTP/1.1" 200 8 "-" "c"', 0.0, Level.INFO, "", ""),
        ("E0303 12:00:00.003456   1234 controller.go:114] syncing", 0.003456, Level.ERROR, "controller.go", "syncing"),
        ("time=2026-03-03T12:00:00Z level=warn msg=slow", 0.0, Level.WARNING, "", "slow"),
        ("1772539200.123 here", 0.123, Level.UNKNOWN, "", "here"),
        ("2026-03-03T14:00:00+02:00 here", 0.0, Level.UNKNOWN, "", "here"),
    ],
)
def test_a_format_is_known_without_configuration(
    prefix: str, line: str, seconds: float, level: Level, logger: str, message: str
) -> None:
    """Time, level, logger and message, also behind a file name as grep prints it."""
    batch = decode(prefix + line)
    (found,) = batch.lines.to_dicts()
    assert found["time"] == NOON + round(seconds * 1e6)
    assert (found["level"], found["logger"]) == (level, logger)
    assert message in found["message"]
    assert batch.rejects == ()


def test_the_ids_of_an_openstack_line_are_found() -> None:
    """Request and instance come from the header, the message is what is left."""
    (found,) = decode(OSLO).lines.to_dicts()
    assert (found["request"], found["instance"], found["message"]) == (REQUEST, INSTANCE, "Claim")


def test_fields_of_a_record_say_where_it_comes_from() -> None:
    """Tenant, host and service are the shipper's to say; journald's names are known."""
    journal = {"MESSAGE": "Started", "PRIORITY": "3", "_SYSTEMD_UNIT": "cron.service", "_HOSTNAME": "h1", "tenant": "t"}
    (found,) = decode(orjson.dumps(journal)).lines.to_dicts()
    assert (found["tenant"], found["host"], found["service"], found["level"]) == ("t", "h1", "cron", Level.ERROR)


def test_a_format_of_the_users_own_is_tried_first() -> None:
    """Groups of the pattern say what is what."""
    spec = FormatSpec("mine", r"^(?P<level>\w+)\|(?P<time>[^|]+)\|(?P<message>.*)$", "%d.%m.%Y %H:%M:%S")
    (found,) = decode("ERROR|03.03.2026 12:00:00|kaputt", config=DecodeConfig(formats=(spec,))).lines.to_dicts()
    assert (found["time"], found["level"], found["message"]) == (NOON, Level.ERROR, "kaputt")


def test_naive_times_are_of_the_configured_zone() -> None:
    """The same wall clock is another moment elsewhere, daylight saving time included."""
    line = "2026-07-03 12:00:00.000 1 INFO a [-] b"
    utc, rome = (decode(line, config=DecodeConfig(zone=zone)).lines["time"][0] for zone in ("UTC", "Europe/Rome"))
    assert utc - rome == 2 * 3600 * 1_000_000


@pytest.mark.parametrize("line", ["no time here", "2030-01-01 12:00:00.000 1 INFO nova.api [-] Claim"])
@pytest.mark.parametrize("read", ["2031-01-01T00:00:00Z", "9999-12-31T23:59:60Z", "1e15"])
def test_a_shipper_whose_clock_runs_ahead_is_not_believed(line: str, read: str) -> None:
    """Neither in place of the time of a line without one, nor against the broker's time for one that has."""
    batch = decode(orjson.dumps({"log": line, "@timestamp": read}))
    assert batch.lines["time"].to_list() == [ARRIVED]


def test_the_end_of_time_is_no_time() -> None:
    """Where nobody knows when a line arrived, one of the year 9999 has no time: its windows would end after it."""
    values = [b"9999-12-31 23:59:59.000 1 INFO nova.api [-] Claim", OSLO.encode(), b"9998-12-31T23:59:59Z here"]
    batch = RawBatch(values, np.zeros(3, np.int32), np.arange(3), np.full(3, -1))
    times = Decoder(DecodeConfig()).decode(batch).lines["time"].to_list()
    assert max(times[:2]) == NOON + 99_000
    assert times[2] > NOON


def test_a_traceback_belongs_to_its_record() -> None:
    """Lines without a header follow the line before them, carets of Python 3.11 too, and carry its ids."""
    trace = [
        "Traceback (most recent call last):",
        '  File "x.py", line 1, in f',
        "    g()",
        "    ^^^",
        "ValueError: no",
    ]
    lines = decode(OSLO, *trace, OSLO.replace("Claim", "next")).lines
    continuation = (lines["flags"].to_numpy() & RowFlag.CONTINUATION) != 0
    assert continuation.tolist() == [False, *[True] * len(trace), False]
    assert set(lines["request"].to_list()) == {REQUEST}


@pytest.mark.parametrize(
    "bad",
    [
        b"x" * 70_000,
        b"a\x00b",
        b"\xff\xfe broken",
        b'{"log": {"nested": 1}}',
        b'{"log": 5}',
        b'{"no": "line"}',
        b'{"log": "x", "tenant": 5}',
        b'{"log": "cut',
        b"[1, 2]",
    ],
)
def test_what_cannot_be_understood_is_refused_with_a_reason(bad: bytes) -> None:
    """Nothing is guessed, nothing is lost, and the lines around it are read."""
    batch = decode(OSLO, bad, OSLO.replace("Claim", "next"))
    assert len(batch.lines) + len(batch.rejects) == 3
    for reject in batch.rejects:
        assert reject.row == 1
        assert reject.reason
    assert batch.lines["row"].to_list()[0] == 0


LINES = st.sampled_from(
    [
        OSLO.encode(),
        b"Traceback (most recent call last):",
        b"    ^^^",
        b"",
        b"2026-03-03 12:00:01,003 INFO a.B: text",
        b"no header at all",
        b'{"log": "2026-03-03 12:00:02.000 7 INFO x [-] y", "source": "s", "tenant": "t"}',
        b'{"log": "  continued", "source": "s", "tenant": "t"}',
        b'{"log": {}}',
        b"\xff",
        b'{"log": "same", "host": "h", "path": "/p", "offset": 3}',
    ]
)


@given(st.lists(LINES, max_size=40), st.integers(1, 7))
@settings(max_examples=150, deadline=None)
def test_any_cut_into_batches_gives_the_same(values: list[bytes], size: int) -> None:
    """Lines, rejects and drops are those of one batch, and every message is one of the three."""
    whole = Decoder(DecodeConfig()).decode(raw(values))
    decoder = Decoder(DecodeConfig())
    parts = [decoder.decode(raw(values[i : i + size], i)) for i in range(0, len(values), size)]
    assert len(whole.lines) + len(whole.rejects) + sum(whole.drops.values()) == len(values)
    assert sum(len(part.lines) + len(part.rejects) + sum(part.drops.values()) for part in parts) == len(values)
    if parts:
        together = pl.concat([part.lines for part in parts]).drop("row")
        assert together.equals(whole.lines.drop("row"))
