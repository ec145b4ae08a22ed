"""Cases 07 and 16: which lines belong to the one before them."""

from typing import Any, Final

import pytest

from tests.cases.reading import HEAD, INSTANCE, REQUEST, decoded, facts, rests

LINE: Final = HEAD.format("INFO", f"[instance: {INSTANCE}] Starting instance")


def record(second: int, line: str, **more: Any) -> dict[str, Any]:
    """A record of one host, read so many seconds after 10:00."""
    return {
        "host": "cmp1",
        "@timestamp": f"2025-03-04T10:{second // 60:02}:{second % 60:02}.000Z",
        "message": line,
        **more,
    }


def test_case_07_complete_records_keep_what_they_say() -> None:
    """A record with a level of its own takes over nothing from a line that another program wrote."""
    lines = facts(
        decoded(
            [
                record(0, LINE, level="info"),
                record(5, "EXT4-fs error (device vda1): reading directory lblock 0", level="error"),
                record(420, "Out of memory: Killed process 4242 (qemu-system-x86)", level="critical"),
            ]
        )
    )
    assert [(line["rest"], line["level"], line["time"][11:19]) for line in lines] == [
        (False, "INFO", "10:00:00"),
        (False, "ERROR", "10:00:05"),
        (False, "CRITICAL", "10:07:00"),
    ]
    assert [line["request"] for line in lines] == [REQUEST, None, None]
    assert [line["instance"] for line in lines] == [INSTANCE, None, None]


@pytest.mark.parametrize(
    ("shared", "own"),
    [
        ({"host": "c"}, {"log.level": "error", "@timestamp": "2025-03-04T10:00:01Z"}),
        ({"host": "c", "path": "/var/log/n.log"}, {"log": {"level": "error"}, "@timestamp": "2025-03-04T10:00:01Z"}),
        ({"hostname": "c", "programname": "x"}, {"syslogseverity": "3", "timereported": "2025-03-04T10:00:01Z"}),
        ({"hostname": "c", "programname": "x"}, {"timereported": "2025-03-04T10:00:01Z"}),
        ({"host": "c", "version": "1.1"}, {"level": 3, "timestamp": 1741082401.5}),
        (
            {"_HOSTNAME": "c", "_SYSTEMD_UNIT": "n.service"},
            {"PRIORITY": "3", "__REALTIME_TIMESTAMP": "1741082401000000"},
        ),
        (
            {"_HOSTNAME": "c", "_SYSTEMD_UNIT": "n.service", "PRIORITY": "6"},
            {"__REALTIME_TIMESTAMP": "1741082700000000"},
        ),
        ({"_HOSTNAME": "c", "SYSLOG_IDENTIFIER": "kernel"}, {"_TRANSPORT": "kernel", "PRIORITY": "6"}),
        ({"host": "c"}, {"severityNumber": 17, "timeUnixNano": "1741082401000000000"}),
        ({"host": "c"}, {"trace": {"id": "t-1"}}),
        ({"host": "c"}, {"pri": "27", "ident": "x"}),
        ({"host": "c"}, {"level": {"name": "ERROR", "no": 40}}),
    ],
    ids=str,
)
def test_case_07_other_records_that_say_something_of_themselves(shared: dict[str, Any], own: dict[str, Any]) -> None:
    """By level, time, trace or way into the journal, of the same source."""
    name = "MESSAGE" if "_HOSTNAME" in shared else "message"
    first = {**shared, name: LINE, "__REALTIME_TIMESTAMP": "1741082400000000", "@timestamp": "2025-03-04T10:00:00Z"}
    assert rests([first, {**shared, **own, name: "disk"}, {**shared, **own, name: "disk"}]) == "HHH"


@pytest.mark.parametrize(("second", "flags"), [(0, "Hc"), (4, "Hc"), (7, "HH"), (420, "HH")])
def test_case_07_what_says_nothing_belongs_to_a_recent_line(second: int, flags: str) -> None:
    """A traceback comes at once; what comes later is of another time."""
    path = {"path": "/var/log/nova/nova-compute.log"}
    assert rests([record(0, LINE, **path), record(second, "Traceback (most recent call last):", **path)]) == flags


STAMP: Final = "2025-03-04T10:00:00.73{}+00:00 {} {} "


def cri(number: int, stream: str, tag: str, line: str) -> str:
    """A line of a file of the CRI."""
    return STAMP.format(number, stream, tag) + line


def test_case_16_pieces_of_two_streams_in_one_file() -> None:
    """Each piece goes to the begin of its own stream."""
    lines = [
        cri(0, "stdout", "F", HEAD.format("INFO", "short A")),
        cri(0, "stdout", "P", HEAD.format("ERROR", "longer B part one")),
        cri(1, "stdout", "F", " end of B"),
        cri(1, "stdout", "P", HEAD.format("INFO", "longer C part one")),
        cri(2, "stdout", "P", " C two"),
        cri(3, "stderr", "P", HEAD.format("WARNING", "D one on stderr")),
        cri(4, "stdout", "F", " C three"),
        cri(4, "stderr", "F", " D end"),
    ]
    found = facts(decoded(lines, "/var/log/pods/n_p_u/c/0.log"))
    assert "".join("c" if line["rest"] else line["level"][0] for line in found) == "IEcIcWcc"
    assert [line["level"] for line in found[-2:]] == ["INFO", "WARNING"]


FIRST, OTHER = HEAD.format("INFO", "one"), HEAD.format("ERROR", "two")
POD: Final = {"kubernetes": {"pod_name": "p", "namespace_name": "n", "container_name": "c"}}


@pytest.mark.parametrize(
    ("out", "err", "cut", "end"),
    [
        ({**POD, "stream": "stdout"}, {**POD, "stream": "stderr"}, {"logtag": "P"}, {"logtag": "F"}),
        ({**POD, "stream": "stdout"}, {**POD, "stream": "stderr"}, {"_p": "P"}, {"_p": "F"}),
        ({"log.iostream": "stdout"}, {"log.iostream": "stderr"}, {"log.iostream.tag": "P"}, {"log.iostream.tag": "F"}),
        (
            {"container_name": "/c", "source": "stdout"},
            {"container_name": "/c", "source": "stderr"},
            {"partial_message": "true"},
            {"partial_message": "true", "partial_last": "true"},
        ),
        (
            {"CONTAINER_NAME": "c", "PRIORITY": "6"},
            {"CONTAINER_NAME": "c", "PRIORITY": "3"},
            {"CONTAINER_PARTIAL_MESSAGE": "true"},
            {"CONTAINER_PARTIAL_MESSAGE": "true", "CONTAINER_PARTIAL_LAST": "true"},
        ),
    ],
    ids=["logtag", "_p", "otel", "fluentd", "journal"],
)
def test_case_16_pieces_of_two_streams_as_records(
    out: dict[str, Any], err: dict[str, Any], cut: dict[str, Any], end: dict[str, Any]
) -> None:
    """However runtimes and shippers mark stream and piece; the rest may look like a header."""
    lines = facts(
        decoded(
            [
                {"log": FIRST, **out, **cut},
                {"log": OTHER, **err, **cut},
                {"log": "2025-03-04 rest", **out, **end},
                {"log": " end", **err, **end},
                {"log": OTHER, **out},
            ]
        )
    )
    assert [line["rest"] for line in lines] == [False, False, True, True, False]
    assert [line["level"] for line in lines] == ["INFO", "ERROR", "INFO", "ERROR", "ERROR"]


def test_case_16_a_traceback_on_the_other_stream_takes_over_nothing() -> None:
    """It is no part of what stands before it on standard output; lines between go where they belong."""
    lines = [
        cri(0, "stdout", "F", FIRST),
        cri(1, "stderr", "F", "Traceback (most recent call last):"),
        cri(2, "stdout", "F", "  more of one"),
        cri(3, "stderr", "F", OTHER),
        cri(4, "stderr", "F", '  File "x.py", line 1, in f'),
        cri(5, "stdout", "F", "  and more"),
    ]
    found = facts(decoded(lines, "/var/log/pods/n_p_u/c/0.log"))
    assert [line["level"] for line in found] == ["INFO", "UNKNOWN", "INFO", "ERROR", "ERROR", "INFO"]
