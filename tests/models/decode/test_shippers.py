"""Records of every usual shipper: whoever ships a line, it comes to the same."""

from typing import Any

import numpy as np
import orjson
import pytest

from models.decode.decoder import DecodeConfig, Decoder
from models.records import NO_TIME, Level, LogBatch, RawBatch
from models.rfc3339 import parse_time, time_text

REQUEST = "req-3f0c1b52-7d1e-4a10-9c55-0a1b2c3d4e5f"
INSTANCE = "5f4dcc3b-aaaa-4bbb-8ccc-123456789abc"
LINE = f"2026-11-30 09:14:14.123 7 ERROR nova.compute.manager [{REQUEST} u p - - -] Build failed"
READ = "2026-11-30T09:14:15.000Z"
NANOS = parse_time("2026-11-30T09:14:14.123Z") * 1000
PATH = "/var/log/nova/nova-compute.log"
OSLO = {"level": Level.ERROR, "logger": "nova.compute.manager", "request": REQUEST, "message": "Build failed"}
TIME = "2026-11-30T09:14:14.123Z"


def decode(*values: bytes) -> LogBatch:
    """Decode messages of one partition, which came at an unknown time."""
    size = len(values)
    return Decoder(DecodeConfig()).decode(
        RawBatch(list(values), np.zeros(size, np.int32), np.arange(size), np.full(size, NO_TIME))
    )


def line_of(record: dict[str, Any] | bytes) -> dict[str, Any]:
    """Return the one line of a message that is read without loss."""
    batch = decode(record if isinstance(record, bytes) else orjson.dumps(record))
    assert batch.rejects == ()
    (line,) = batch.lines.to_dicts()
    return line | {"time": time_text(line["time"])}


@pytest.mark.parametrize(
    "record",
    [
        {"@timestamp": READ, "path": PATH, "offset": 123, "log": LINE, "host": "cmp1"},
        {"@timestamp": READ, "log": {"offset": 1, "file": {"path": PATH}}, "message": LINE, "host": {"name": "cmp1"}},
        {
            "@timestamp": READ,
            "@metadata": {"beat": "filebeat"},
            "agent": {"type": "filebeat", "hostname": "cmp1"},
            "message": LINE,
            "log": {"file": {"path": PATH}, "offset": 7},
            "input": {"type": "log"},
        },
        {"@timestamp": READ, "message": LINE, "source": PATH, "offset": 12, "beat": {"hostname": "cmp1"}},
        {"@timestamp": READ, "message": LINE, "log.file.path": PATH, "host.name": "cmp1", "ecs.version": "8.0"},
        {"@version": "1", "@timestamp": READ, "message": LINE, "host": "cmp1", "log": {"file": {"path": PATH}}},
        {"timestamp": READ, "message": LINE, "file": PATH, "host": "cmp1", "source_type": "file"},
        {"labels": {"filename": PATH, "job": "x", "host": "cmp1"}, "line": LINE, "timestamp": READ},
        {"tailed_path": PATH, "message": LINE, "hostname": "cmp1", "tag": "os.nova"},
        {
            "partition": 0,
            "offset": 3,
            "timestamp": NANOS // 10**6,
            "key": "k",
            "value": {"log": LINE, "path": PATH, "host": "cmp1"},
        },
        {
            "topic": "t",
            "partition": 0,
            "offset": 3,
            "ts": NANOS // 10**6,
            "broker": 1,
            "key": None,
            "payload": orjson.dumps({"log": LINE, "path": PATH, "host": "cmp1"}).decode(),
        },
        {
            "streams": [
                {"stream": {"filename": PATH, "hostname": "cmp1"}, "values": [[str(NANOS), LINE, {"trace": "x"}]]}
            ]
        },
        {
            "resourceLogs": [
                {
                    "resource": {"attributes": [{"key": "host.name", "value": {"stringValue": "cmp1"}}]},
                    "scopeLogs": [
                        {
                            "logRecords": [
                                {
                                    "timeUnixNano": str(NANOS),
                                    "body": {"stringValue": LINE},
                                    "attributes": [{"key": "log.file.path", "value": {"stringValue": PATH}}],
                                }
                            ]
                        }
                    ],
                }
            ]
        },
    ],
    ids=lambda record: ",".join(record)[:50],
)
def test_a_line_out_of_a_file_comes_to_the_same(record: dict[str, Any]) -> None:
    """Time, level, service, host and ids."""
    line = line_of(record)
    assert {name: line[name] for name in OSLO} == OSLO
    assert (line["time"], line["service"], line["host"]) == (TIME, "nova-compute", "cmp1")


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        # oslo's use_json
        (
            {
                "message": "Failed to build",
                "asctime": "2026-11-30 09:14:14,123",
                "name": "nova.compute.manager",
                "msg": "Failed to %s",
                "args": ["build"],
                "levelname": "ERROR",
                "levelno": 40,
                "process": 7,
                "filename": "x.py",
                "hostname": "cmp1",
                "extra": {"instance": INSTANCE},
                "created": 1.5,
                "context": {"request_id": REQUEST, "global_request_id": f"req-{INSTANCE}", "user_id": "u"},
            },
            {
                "time": TIME,
                "level": Level.ERROR,
                "logger": "nova.compute.manager",
                "request": REQUEST,
                "global_request": f"req-{INSTANCE}",
                "instance": INSTANCE,
                "host": "cmp1",
            },
        ),
        # Kolla-Ansible's Fluentd
        (
            {
                "Timestamp": "2026-11-30 09:14:14.123",
                "Pid": "7",
                "log_level": "ERROR",
                "request_id": REQUEST[4:],
                "python_module": "nova.compute.manager",
                "global_request_id": "",
                "Logger": "openstack.nova",
                "Payload": f"[instance: {INSTANCE}] Failed",
                "Hostname": "cmp1",
                "programname": "nova-compute",
            },
            {
                "time": TIME,
                "level": Level.ERROR,
                "service": "nova-compute",
                "host": "cmp1",
                "request": REQUEST,
                "logger": "nova.compute.manager",
                "instance": INSTANCE,
                "message": "Failed",
            },
        ),
        (
            {"Payload": "2026-11-30 09:14:14 5 [Note] WSREP: synced", "Hostname": "c1", "programname": "mariadb"},
            {"time": "2026-11-30T09:14:14.000Z", "level": Level.INFO, "service": "mariadb", "host": "c1"},
        ),
        # rsyslog
        (
            {"@timestamp": TIME, "host": "c1", "severity": "err", "tag": "nova-compute[12]:", "message": " lost"},
            {"time": TIME, "level": Level.ERROR, "service": "nova-compute", "host": "c1"},
        ),
        (
            {"timereported": TIME, "hostname": "c1", "syslogseverity": "3", "programname": "sshd", "message": "lost"},
            {"time": TIME, "level": Level.ERROR, "service": "sshd", "host": "c1"},
        ),
        (
            {"timestamp": TIME, "hostname": "c1", "syslogseverity-text": "warning", "app-name": "su", "msg": "lost"},
            {"time": TIME, "level": Level.WARNING, "service": "su"},
        ),
        # ECS, other loggers
        (
            {
                "@timestamp": TIME,
                "log.level": "error",
                "message": "lost",
                "service.name": "nova-api",
                "trace.id": "abc",
            },
            {"time": TIME, "level": Level.ERROR, "service": "nova-api", "trace": "abc"},
        ),
        (
            {"@timestamp": TIME, "log": {"level": "warn", "logger": "a.b"}, "service": {"name": "x"}, "message": "m"},
            {"time": TIME, "level": Level.WARNING, "service": "x", "logger": "a.b"},
        ),
        ({"time": TIME, "levelname": "ERROR", "message": "m"}, {"time": TIME, "level": Level.ERROR}),
        ({"ts": TIME, "lvl": "eror", "msg": "m"}, {"time": TIME, "level": Level.ERROR, "message": "m"}),
        ({"severity": "ERROR", "textPayload": "m", "timestamp": TIME}, {"level": Level.ERROR, "time": TIME}),
        ({"event": "started", "level": "info", "timestamp": TIME}, {"message": "started", "level": Level.INFO}),
        ({"short_message": "m", "level": 3, "timestamp": NANOS / 1e9, "host": "c1"}, {"level": Level.ERROR}),
        # journald
        (
            {
                "MESSAGE": "lost",
                "PRIORITY": "3",
                "_HOSTNAME": "c1",
                "_SYSTEMD_UNIT": "libvirtd.service",
                "__REALTIME_TIMESTAMP": str(NANOS // 1000),
            },
            {"time": TIME, "level": Level.ERROR, "service": "libvirtd", "host": "c1"},
        ),
        (
            {
                "message": "lost",
                "priority": "3",
                "hostname": "c1",
                "systemd_unit": "nova-compute.service",
                "source_realtime_timestamp": str(NANOS // 1000),
                "syslog_identifier": "nova-compute",
            },
            {"time": TIME, "level": Level.ERROR, "service": "nova-compute", "host": "c1"},
        ),
        (
            {
                "message": "lost",
                "priority": 4,
                "_hostname": "c1",
                "_systemd_unit": "a.service",
                "_source_realtime_timestamp": str(NANOS // 1000),
                "@timestamp": NANOS / 1e9 + 3,
            },
            {"time": TIME, "level": Level.WARNING, "service": "a", "host": "c1"},
        ),
        # Docker and podman in journald, and systemd's words about a unit
        ({"MESSAGE": "x", "_SYSTEMD_UNIT": "docker.service", "CONTAINER_NAME": "nova_api"}, {"service": "nova_api"}),
        (
            {"MESSAGE": "x", "_SYSTEMD_UNIT": f"libpod-conmon-{'a1' * 32}.scope", "CONTAINER_NAME": "nova_api"},
            {"service": "nova_api"},
        ),
        (
            {"MESSAGE": "x", "_SYSTEMD_UNIT": f"libpod-{'a1' * 32}.scope", "SYSLOG_IDENTIFIER": "cinder_api"},
            {"service": "cinder_api"},
        ),
        ({"MESSAGE": "x", "_SYSTEMD_UNIT": "session-12.scope", "SYSLOG_IDENTIFIER": "sshd"}, {"service": "sshd"}),
        (
            {"MESSAGE": "x", "_SYSTEMD_UNIT": "sshd@12-10.0.0.1:22-10.0.0.2:5.service", "SYSLOG_IDENTIFIER": "sshd"},
            {"service": "sshd"},
        ),
        ({"MESSAGE": "x", "_SYSTEMD_UNIT": "ceph-osd@3.service"}, {"service": "ceph-osd"}),
        ({"MESSAGE": "x", "SYSLOG_IDENTIFIER": "kernel", "_TRANSPORT": "kernel"}, {"service": "kernel"}),
        (
            {"MESSAGE": "exited", "UNIT": "nova-compute.service", "_SYSTEMD_UNIT": "init.scope", "PRIORITY": "2"},
            {"service": "nova-compute", "level": Level.CRITICAL},
        ),
        # Docker's Fluentd driver, Kubernetes by ECS
        ({"log": "x", "container_name": "/nova_compute", "source": "stdout"}, {"service": "nova_compute"}),
        (
            {"message": "x", "kubernetes": {"container": {"name": "c"}, "pod": {"name": "p"}, "node": {"name": "w1"}}},
            {"service": "c", "host": "w1"},
        ),
    ],
    ids=lambda value: str(value)[:60],
)
def test_what_a_record_says_of_its_line_is_known(record: dict[str, Any], expected: dict[str, Any]) -> None:
    """Under whatever name: level, time, service, host, logger and ids."""
    line = line_of(record)
    assert {name: line[name] for name in expected} == expected


def _varint(number: int) -> bytes:
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def _field(number: int, value: bytes | int) -> bytes:
    """One field of a protobuf message: bytes, or a fixed64 for a number."""
    if isinstance(value, int):
        return _varint(number << 3 | 1) + value.to_bytes(8, "little")
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _pair(key: str, value: str) -> bytes:
    return _field(1, key.encode()) + _field(2, _field(1, value.encode()))


def test_opentelemetry_protobuf_holds_several_lines() -> None:
    """Each is a line of its own, told by the message's place; the books add up."""
    resource = _field(1, _pair("host.name", "cmp1")) + _field(1, _pair("service.name", "nova-compute"))
    first = _field(1, NANOS) + _varint(2 << 3) + _varint(17) + _field(5, _field(1, b"lost"))
    second = _field(1, NANOS) + _field(3, b"WARN") + _field(5, _field(1, b"slow")) + _field(9, bytes(range(16)))
    scope = _field(2, first) + _field(2, second)
    message = _field(1, _field(1, resource) + _field(2, scope))
    batch = decode(LINE.encode(), message, b"\nno protobuf")
    lines = batch.lines.to_dicts()
    assert [line["row"] for line in lines] == [0, 1, 1, 2]
    assert [line["level"] for line in lines[1:3]] == [Level.ERROR, Level.WARNING]
    assert {(line["service"], line["host"], time_text(line["time"])) for line in lines[1:3]} == {
        ("nova-compute", "cmp1", TIME)
    }
    assert lines[2]["trace"] == bytes(range(16)).hex()
    assert batch.notes["unpacked"] == 1


def test_a_protobuf_message_as_long_as_a_brace_is_one() -> None:
    """Its second byte is a length, here 123: no JSON stands behind the line feed."""
    first = _field(1, NANOS) + _field(5, _field(1, b"lost"))
    scope = _field(2, first + _field(9, bytes(123 - 6 - len(first))))
    message = _field(1, _field(2, scope))
    assert message[:2] == b"\n{"
    assert decode(message).lines["message"].to_list() == ["lost"]


@pytest.mark.parametrize("severity", [{"severityNumber": 17}, {"severityText": "ERROR"}, {"severity_number": 20}])
def test_opentelemetry_says_levels_in_three_ways(severity: dict[str, Any]) -> None:
    """By number, by name, and in snake case; a body of fields is looked into."""
    record = {"body": {"kvlistValue": {"values": [{"key": "MESSAGE", "value": {"stringValue": "lost"}}]}}, **severity}
    line = line_of({"resource_logs": [{"scope_logs": [{"log_records": [record]}]}]})
    assert (line["level"], line["message"]) == (Level.ERROR, "lost")


def test_what_topics_cat_printed_is_read_again() -> None:
    """Records, plain text and base64, each with the broker's time where it has no other."""
    at = parse_time(TIME) // 1000
    head = {"partition": 0, "offset": 1, "timestamp": at, "key": None}
    wrapped = [{**head, "value": value} for value in ({"log": "one"}, "two", {"base64": "dGhyZWU="}, '{"log": "four"}')]
    lines = decode(*map(orjson.dumps, wrapped)).lines
    assert lines["message"].to_list() == ["one", "two", "three", "four"]
    assert {time_text(time) for time in lines["time"].to_list()} == {TIME}
