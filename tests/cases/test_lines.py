"""Cases 05, 09, 20, 21, 23 and 33: what is read of a line, whatever it looks like and however it is written.

More variants of 05, 09 and 33 stand in ``tests/models/decode/samples.toml``, under these numbers.
"""

from pathlib import Path
from typing import Any, Final

import pytest

from models.decode.log_files import read_paths
from tests.cases.reading import ARRIVED, GIVEN, HEAD, INSTANCE, REQUEST, check, decoded, facts, only, rests
from tests.models.decode.samples import groups

APP: Final = "/var/log/app/app.log"
DAY: Final = "2025-03-04"


@pytest.mark.parametrize(
    ("line", "level", "logger"),
    [
        (f"{DAY} 10:00:00 3 [ERROR] InnoDB: Operating system error number 28 in a file operation.", "ERROR", ""),
        (f"{DAY}T10:00:00.777501Z 0 [Note] Shutting down slave threads", "INFO", ""),
        (f"{DAY}T10:00:00.777501Z 12 [ERROR] [MY-010584] [Repl] Replica failed", "ERROR", ""),
        (f"{DAY} 10:00:00.123+0000: 1234: error : virNetSocketReadWire:1832 : End of file", "ERROR", ""),
        (f"{DAY} 10:00:00.123+0000: 1234: warning : qemuDomainObjTaint:6000 : tainted", "WARNING", ""),
        (f"{DAY}T10:00:00.123Z|00012|bridge|INFO|bridge br-int: added", "INFO", "bridge"),
        (f"{DAY}T10:00:00.123Z|00014|dpif(handler12)|ERR|failed to put", "ERROR", "dpif"),
        (f"{DAY}T10:00:00.123Z|00015|fatal_signal(urcu4)|EMER|terminating", "CRITICAL", "fatal_signal"),
        (f"{DAY}T10:00:00.123Z|00016|poll_loop|DBG|wakeup", "DEBUG", "poll_loop"),
        (f"{DAY}T10:00:00.123+0000 7f1234567700 -1 osd.3 123 heartbeat_check: no reply", "ERROR", ""),
        (f"{DAY}T10:00:00.123456+0000 mon.a (mon.0) 125 : cluster [INF] healthy", "INFO", "mon.a"),
        (f"{DAY} 10:00:00.188806 7fa2ca12e700  0 log_channel(cluster) log [DBG] : scrub ok", "DEBUG", "log_channel"),
        (f"{DAY} 10:00:00,123 - util.py[WARNING]: Running module failed", "WARNING", "util.py"),
        ("Mar 04 10:00:00 c1 pacemaker-controld  [123] (do) \twarning: State", "WARNING", "pacemaker-controld"),
        ("Mar 04 10:00:00 [1234] c1 corosync error   [TOTEM ] A processor failed", "ERROR", "corosync"),
        (f"{DAY} 10:00:00.123456 E | etcdserver: publish error: timed out", "ERROR", "etcdserver"),
        (f"{DAY} 10:00:00,123 [7] ERROR    gnocchi.cli: Unexpected error", "ERROR", "gnocchi.cli"),
        (f"{DAY} 10:00:00,123 [main] ERROR com.x.Y - boom", "ERROR", "com.x.Y"),
        (f"[{DAY} 10:00:00 +0000] [12] [ERROR] Worker timeout (pid:13)", "ERROR", ""),
        (f"{DAY} 10:00:00.123 UTC [71] ERROR:  duplicate key", "ERROR", ""),
        (f"{DAY} 10:00:00.123 CET [71] postgres@db FATAL:  terminating", "CRITICAL", ""),
    ],
)
@pytest.mark.parametrize("end", ["", "\r\n", "\n"])
def test_case_05_the_level_does_not_stand_behind_the_time(line: str, level: str, logger: str, end: str) -> None:
    """Databases, virtual networks, storage, clusters, servers."""
    check(line + end, {"level": level, "logger": logger}, APP)


@pytest.mark.parametrize(
    ("line", "time", "level"),
    [
        ("2025-03-04 24:00:00.000 7 INFO a.b [-] hour 24", None, "INFO"),
        ("2025-12-31 23:59:60.000 7 INFO a.b [-] leap second", "2026-01-01T00:00:00.000Z", "INFO"),
        ("2025-03-04 10:00:00 7 INFO a.b [-] without ms", "2025-03-04T10:00:00.000Z", "INFO"),
        ("2025-03-04 10:00:00.123456 7 INFO a.b [-] micros", "2025-03-04T10:00:00.123Z", "INFO"),
        ("2025-03-04T10:00:00.123+0530 7 INFO a.b [-] zone", "2025-03-04T04:30:00.123Z", "INFO"),
        ("2025-03-04 10:00:00.123 7 TRACE a.b [-] trace", "2025-03-04T10:00:00.123Z", "DEBUG"),
        ("2025-03-04 10:00:00.123 7 AUDIT a.b [-] audit", "2025-03-04T10:00:00.123Z", "INFO"),
        ("1970-01-01 00:00:00.000 7 INFO a.b [-] epoch", "1970-01-01T00:00:00.000Z", "INFO"),
        ("9999-12-31 23:59:59.999 7 WARN a.b [-] far", None, "WARNING"),
        ("0000-00-00 00:00:00.000 7 INFO a.b [-] zeros", None, "INFO"),
    ],
)
def test_case_33_another_date_format_of_oslo(line: str, time: str | None, level: str) -> None:
    """What is no time is none; level, logger and text are read all the same."""
    text = line.partition("[-] ")[2]
    found = only(line, APP)
    assert (found["level"], found["logger"], found["message"]) == (level, "a.b", text)
    assert found["time"] == (time or "1970-01-01T00:00:00.000Z")


@pytest.mark.parametrize("number", ["05", "09", "33"])
def test_the_table_of_samples_holds_variants(number: str) -> None:
    """Each of them is a test of its own, alone and behind all others."""
    (group,) = [group for group in groups() if f"(case {number})" in group["name"]]
    assert len(group["lines"]) >= 5


COLOURED: Final = (
    "{e}[01;31mERROR nova.compute.manager [{e}[01;36mNone " + REQUEST + " {e}[00;36mdemo admin{e}[01;31m] "
)
BUILT: Final = "{e}[01;35m[instance: " + INSTANCE + "] {e}[01;31mBuild failed{e}[00m"


@pytest.mark.parametrize("escape", ["\x1b", "#033", "^[", "\\x1b", "\\u001b", "\\e", ""])
@pytest.mark.parametrize(
    "head",
    [
        "Mar 04 10:00:00 devstack n-cpu[142]: ",
        "2025-03-04T10:00:00.000000+00:00 devstack n-cpu: ",
        "<27>Mar  4 10:00:00 devstack n-cpu[7]: ",
    ],
)
def test_case_09_colours_of_devstack(escape: str, head: str) -> None:
    """Level, logger and ids of a header without time behind one of syslog, however the escapes are written."""
    line = (
        (COLOURED + BUILT).format(e=escape)
        if escape
        else COLOURED.format(e="").replace("[01;31m", "").replace("[01;36m", "").replace("[00;36m", "")
        + BUILT.format(e="").replace("[01;35m", "").replace("[01;31m", "").replace("[00m", "")
    )
    facts_ = {"level": "ERROR", "logger": "nova.compute.manager", "request": REQUEST, "instance": INSTANCE}
    check(head + line, facts_ | {"message": "Build failed"}, APP)


@pytest.mark.parametrize("field", ["MESSAGE", "log", "message"])
def test_case_09_colours_in_records(field: str) -> None:
    """The journal gives a line with colours as an array of bytes; others as text."""
    line = (COLOURED + BUILT).format(e="\x1b")
    value: Any = list(line.encode()) if field == "MESSAGE" else line
    check(
        {field: value, "_SYSTEMD_UNIT": "devstack@n-cpu.service", "PRIORITY": "6"},
        {"level": "ERROR", "request": REQUEST, "instance": INSTANCE, "message": "Build failed", "service": "n-cpu"},
    )


def test_case_09_coloured_lines_are_no_continuations() -> None:
    """Whole lines in colour begin records."""
    lines = [
        "\x1b[31m2025-03-04 10:00:00.123 7 ERROR nova.api [-] whole\x1b[0m",
        '\x1b[90m2025-03-04T10:00:00Z\x1b[0m \x1b[31mERR\x1b[0m failed \x1b[36merror=\x1b[0m"x"',
        "\x1b[90m10:00AM\x1b[0m \x1b[31mERR\x1b[0m failed",
        "\x1b[31mERRO\x1b[0m[0042] failed",
        "\x1b[2m2025-03-04 10:00:00\x1b[0m [\x1b[31m\x1b[1merror    \x1b[0m] \x1b[1mfailed\x1b[0m",
        "\x1b[1;31mERROR: failed\x1b[0m",
        "nova_api  | \x1b[31m2025-03-04 10:00:00.123 7 ERROR nova.api [-] failed\x1b[0m",
    ]
    assert rests(lines, APP, ARRIVED) == "HHHHHHH"
    assert {line["level"] for line in facts(decoded(lines, APP, ARRIVED))} == {"ERROR"}


CRASH: Final = f"{DAY} 10:00:00.123456+00:00 [error] <0.1.0>     crasher:"
BODY: Final = HEAD.format("DEBUG", "body:")


@pytest.mark.parametrize(
    ("head", "rest"),
    [
        (CRASH, ["{timeout,{gen_server,call,[x]}}", "{'EXIT',{badmatch,x}}"]),
        (BODY, ["{", '  "server": {', '    "name": "x"', "  }", "}"]),
        (BODY, ['{"server": {"name": "x"}}', "{'server': {'name': 'x'}}"]),
        (CRASH, ["[{pid,<0.1.0>},", " {registered_name,[]}]", "#{a => 1}", '<<"bin">>', "#Pid<0.1.0>"]),
        (BODY, ['{"host": "cmp1", "binary": "nova-compute"}', '{"path": "/v2.1", "source": "x", "hostname": "y"}']),
        (BODY, ["[", '  {"id": 1},', "]", '[{"op": "replace"}]', "[1, 2]"]),
        (BODY, ['{"name": "cut', '{"host": "cut', "{% if x %}", "{{ x }}", "{0}", "{}"]),
        (BODY, ["{u'server': {u'name': u'x'}}", "{b'a': 1}", "{1, 2}", '{"a": 1,}', '{"a": nan}']),
        (BODY, ['<?xml version="1.0"?>', '<server name="x"/>', "---", "server:", "  name: x"]),
        (BODY, ["null", "true", "-1.5e3", '"text"', "    ", "\t{", "}"]),
    ],
)
def test_case_20_lines_that_look_like_records(head: str, rest: list[str]) -> None:
    """Erlang terms, dictionaries, printed JSON and bodies belong to the line before them, and none is lost."""
    lines = [head, *rest, HEAD.format("ERROR", "next"), *rest]
    assert rests(lines, APP) == ("H" + "c" * len(rest)) * 2


def test_case_20_fields_of_a_body_say_nothing_of_the_line() -> None:
    """Neither host nor level nor source."""
    lines = facts(decoded([BODY, '{"host": "cmp9", "level": "error", "source": "x"}'], APP))
    assert [(line["host"], line["level"], line["service"]) for line in lines] == [("", "DEBUG", "app")] * 2


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("M\u00fcller latin1".encode("latin-1"), "M\ufffdller latin1"),
        ("caf\u00e9".encode("cp1252"), "caf\ufffd"),
        (b"cut \xc3", "cut \ufffd"),
        (b"half \xed\xa0\x80 pair", "half \ufffd\ufffd\ufffd pair"),
        (b"long \xc0\xaf", "long \ufffd\ufffd"),
        (b"\xff\xfe mark within", "\ufffd\ufffd mark within"),
        (b"nul\0in", "nulin"),
    ],
)
def test_case_21_bytes_that_are_no_utf8(text: bytes, kept: str) -> None:
    """Plain, in JSON and as the journal's array: kept with U+FFFD, and counted."""
    line = f"{DAY} 10:00:00.127 7 ERROR a.b [-] ".encode() + text
    for value in (line, b'{"log":"' + line.replace(b"\0", b"\\u0000") + b'"}'):
        logs = decoded([value], APP)
        (found,) = facts(logs)
        assert (logs.rejects, found["level"], found["logger"], found["message"]) == ((), "ERROR", "a.b", kept)
        assert sum(logs.notes.values()) == 1
    check(
        {"MESSAGE": list(line), "_SYSTEMD_UNIT": "smbd.service", "PRIORITY": "4"}, {"message": kept, "level": "ERROR"}
    )


LINES: Final = f"{DAY} 10:00:00.123 7 ERROR nova.api [-] one \u00fc\r\n{DAY} 10:00:01.123 7 INFO nova.api [-] two\r\n"


@pytest.mark.parametrize(
    ("data", "first"),
    [
        (LINES.encode("utf-16"), "one \u00fc"),
        (LINES.encode("utf-16-le"), "one \u00fc"),
        (LINES.encode("utf-16-be"), "one \u00fc"),
        (b"\xfe\xff" + LINES.encode("utf-16-be"), "one \u00fc"),
        (LINES.encode("utf-16")[:-1], "one \u00fc"),
        (LINES.encode("utf-8-sig"), "one \u00fc"),
        (LINES.encode("latin-1"), "one \ufffd"),
    ],
)
@pytest.mark.parametrize("name", ["a.log", "a.jsonl"])
def test_case_23_files_in_other_encodings(tmp_path: Path, data: bytes, first: str, name: str) -> None:
    """With a mark, without, and cut within a character: two events."""
    (tmp_path / name).write_bytes(data)
    values = [value for batch in read_paths([tmp_path / name]) for value in batch.raw.values]
    lines = facts(decoded(values, APP))
    assert [(line["level"], line["message"]) for line in lines] == [("ERROR", first), ("INFO", "two")]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-8-sig"])
def test_case_23_messages_in_other_encodings(encoding: str) -> None:
    """As agents of Windows send them, one line each."""
    for line in LINES.splitlines():
        assert only(line.encode(encoding))["logger"] == "nova.api"


@pytest.mark.skipif(not GIVEN.is_dir(), reason="the inputs of the cases are not here")
@pytest.mark.parametrize(
    ("name", "levels"),
    [
        ("05.log", "EIE EWI IWECD EWEID W W E E E E E EC"),
        ("09.log", "DEEEEE"),
        ("20.log", "EEEED DDDDDDD"),
        ("33.log", "IIIIIIIIIDWIIII"),
    ],
)
def test_the_inputs_that_came_with_the_cases(name: str, levels: str) -> None:
    """By the first letters of their levels."""
    values = (GIVEN / name).read_bytes().splitlines()
    logs = decoded(values, APP)
    assert logs.rejects == ()
    assert "".join(line["level"][0] for line in facts(logs)) == levels.replace(" ", "")
