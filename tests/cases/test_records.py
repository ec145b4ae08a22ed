"""Cases 01, 02, 12, 13 and 30: records of shippers, libraries and the journal."""

import json
from typing import Any, Final

import pytest

from tests.cases.reading import GLOBAL, HEAD, INSTANCE, REQUEST, TIME, check, decoded, facts

PATH: Final = "/var/log/nova/nova-compute.log"
LINE: Final = HEAD.format("ERROR", "Build failed")
READ: Final = "2025-03-04T10:00:01.000Z"
OSLO: Final = {"time": TIME, "level": "ERROR", "service": "nova-compute", "request": REQUEST, "message": "Build failed"}
NODE: Final = {"name": "cmp1"}
FILE: Final = {"file": {"path": PATH}}
MICROS: Final = "1741082400123456"
JOURNAL: Final = {"level": "ERROR", "service": "nova-compute", "host": "cmp1", "time": TIME}
UNIT: Final = "nova-compute.service"
CONTAINER: Final = "a1" * 32


@pytest.mark.parametrize(
    "record",
    [
        # The case: Filebeat 8, without a path's service, with a level, Filebeat 6, Logstash.
        {"@timestamp": READ, "@metadata": {"beat": "filebeat"}, "log": {"offset": 12, **FILE}, "message": LINE}
        | {"host": NODE, "agent": {"type": "filebeat", "hostname": "cmp1"}},
        {"@timestamp": READ, "message": LINE, "host": "cmp1", "log": {"level": "error", **FILE}},
        {"@timestamp": READ, "message": LINE, "source": PATH, "offset": 12, "beat": {"hostname": "cmp1"}, "host": NODE},
        {"@version": "1", "@timestamp": READ, "message": LINE, "host": NODE, "event": {"original": LINE}, "log": FILE},
        # Elastic Agent, Filebeat 5, fields as lists, documents of an index.
        {"@timestamp": READ, "message": LINE, "log": FILE, "agent": {"name": "cmp1"}, "data_stream": {"dataset": "x"}},
        {"@timestamp": READ, "message": LINE, "source": PATH, "beat": {"name": "cmp1"}, "input_type": "log"},
        {"@timestamp": READ, "message": [LINE], "log": FILE, "host": {"name": ["cmp1"]}},
        {"@timestamp": READ, "event": {"original": LINE}, "log": FILE, "host": {"hostname": "cmp1"}},
        {"_index": "logs", "_id": "x", "_source": {"@timestamp": READ, "message": LINE, "log": FILE, "host": NODE}},
        {"@timestamp": READ, "message": LINE + "\r\n", "log.file.path": PATH, "host.name": "cmp1"},
        # Splunk, Datadog, syslog-ng, NXLog, Kafka Connect, GCP, Vector.
        {"event": LINE, "host": "cmp1", "source": PATH, "sourcetype": "nova", "time": 1741082401},
        {"message": LINE, "ddsource": "nova", "hostname": "cmp1", "service": "nova-compute"},
        {"MESSAGE": LINE, "HOST": "cmp1", "PROGRAM": "nova-compute", "DATE": "Mar  4 10:00:01"},
        {"Message": LINE, "Hostname": "cmp1", "SourceName": "nova-compute", "EventTime": "2025-03-04 10:00:01"},
        {"schema": {"type": "struct"}, "payload": {"message": LINE, "host": "cmp1", "path": PATH}},
        {"textPayload": LINE, "severity": "INFO", "labels": {"path": PATH, "host": "cmp1"}, "timestamp": READ},
        {"raw": LINE, "file": PATH, "node": "cmp1"},
    ],
    ids=lambda record: " ".join(record)[:60],
)
def test_case_01_records_of_shippers_of_files(record: dict[str, Any]) -> None:
    """Whatever the fields are called: line, host, and service by the path."""
    check(record, OSLO | {"host": "cmp1"})


@pytest.mark.parametrize(
    "fields",
    [
        {"container": {"name": "nova_api", "id": CONTAINER}, "log": {"file": {"path": f"/x/{CONTAINER}-json.log"}}},
        {
            "docker": {"container": {"name": "nova_api"}},
            "beat": {"hostname": "c"},
            "source": f"/x/{CONTAINER}-json.log",
        },
        {"container_name": "/nova_api", "container_id": CONTAINER, "source": "stderr"},
        {"kubernetes": {"container_name": "nova_api", "pod_name": "p"}, "file": "/var/log/pods/n_p_u/c/0.log"},
        {"kubernetes": {"container": {"name": "nova_api"}, "pod": {"name": "p"}, "node": {"name": "w1"}}},
        {"_container_name": "nova_api", "host": "c"},
    ],
    ids=str,
)
def test_case_01_records_of_containers(fields: dict[str, Any]) -> None:
    """The container is the service, whatever its file is called."""
    check({"message": "m", "@timestamp": TIME, **fields}, {"service": "nova_api", "message": "m"})


def test_case_01_offsets_tell_what_was_sent_twice() -> None:
    """Where the path and the offset stand, wherever they stand."""
    once = {"@timestamp": READ, "message": LINE, "log": {"offset": 12, **FILE}, "host": NODE}
    again = {"@timestamp": READ, "message": LINE, "log.offset": 12, "log.file.path": PATH, "host.name": "cmp1"}
    assert decoded([once, again]).drops == {"duplicate": 1}


KOLLA: Final = {
    "Timestamp": "2025-03-04 10:00:00.123",
    "Pid": "7",
    "log_level": "ERROR",
    "python_module": "nova.compute.manager",
    "request_id": REQUEST[4:],
    "Payload": f"[instance: {INSTANCE}] Build failed",
    "Hostname": "cmp1",
    "Logger": "openstack.nova",
    "programname": "nova-compute",
}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"global_request_id": "", "user_id": "u1", "tenant_id": "t1"}, {"global_request": None}),
        ({"global_request_id": GLOBAL[4:]}, {"global_request": GLOBAL}),
        ({"request_id": REQUEST}, {}),
        ({"request_id": "-"}, {"request": None}),
        ({"Timestamp": "2025-03-04T10:00:00.123Z"}, {}),
        ({"Timestamp": "04/Mar/2025:10:00:00 +0000"}, {"time": "2025-03-04T10:00:00.000Z"}),
        ({"Timestamp": None, "@timestamp": TIME}, {}),
        ({"log_level": "CRITICAL", "severity": "info"}, {"level": "INFO"}),
        ({"Payload": "Build failed"}, {"instance": None}),
        ({"Payload": f"[instance: {INSTANCE}] Build failed\nTraceback"}, {"message": "Build failed\nTraceback"}),
    ],
    ids=str,
)
def test_case_02_records_of_kolla_ansible(change: dict[str, Any], expected: dict[str, Any]) -> None:
    """Its Fluentd takes the line apart, and cuts the begin of the request's id off."""
    known = {"logger": "nova.compute.manager", "instance": INSTANCE, "host": "cmp1"}
    check({**KOLLA, **change}, OSLO | known | expected)


@pytest.mark.parametrize(
    ("program", "payload", "level", "time"),
    [
        ("mariadb", "2025-03-04 10:00:01 5 [Note] WSREP: Member 1.0 synced", "INFO", "2025-03-04T10:00:01.000Z"),
        ("mariadb", "2025-03-04  9:00:01 5 [ERROR] WSREP: failed", "ERROR", "2025-03-04T09:00:01.000Z"),
        ("rabbitmq", "2025-03-04 10:00:01.123456+00:00 [error] <0.1.0> down", "ERROR", "2025-03-04T10:00:01.123Z"),
        (
            "keystone",
            '10.0.0.1 - - [04/Mar/2025:10:00:01 +0100] "GET / HTTP/1.1" 503 5',
            "ERROR",
            "2025-03-04T09:00:01.000Z",
        ),
        ("ovs-vswitchd", "2025-03-04T10:00:01.5Z|00012|bridge|WARN|slow", "WARNING", "2025-03-04T10:00:01.500Z"),
        ("haproxy", "Mar  4 10:00:01 ctl1 haproxy[7]: Server down", "UNKNOWN", "1970-03-04T10:00:01.000Z"),
    ],
)
def test_case_02_other_programs_of_kolla_ansible(program: str, payload: str, level: str, time: str) -> None:
    """Whose lines it does not take apart."""
    record = {"Payload": payload, "Hostname": "ctl1", "programname": program}
    check(record, {"service": program, "host": "ctl1", "level": level, "time": time})


JSON: Final = {
    "message": "Failed to build",
    "asctime": "2025-03-04 10:00:00,123",
    "name": "nova.compute.manager",
    "msg": "Failed to %s",
    "args": ["build"],
    "levelname": "ERROR",
    "levelno": 40,
    "filename": "x.py",
    "created": 1741082400.5,
    "hostname": "cmp1",
    "context": {"request_id": REQUEST, "global_request_id": GLOBAL, "resource_uuid": INSTANCE},
    "extra": {"instance": INSTANCE},
}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, {}),
        ({"asctime": "2025-03-04T10:00:00.123+0000"}, {}),
        ({"asctime": None}, {"time": "2025-03-04T10:00:00.500Z"}),
        ({"extra": {"instance": {"uuid": INSTANCE}}, "context": {"request_id": REQUEST}}, {"global_request": None}),
        (
            {"extra": {}, "context": None, "message": f"[instance: {INSTANCE}] Failed"},
            {"request": None, "global_request": None},
        ),
        ({"levelname": None}, {}),
        ({"levelname": "AUDIT"}, {"level": "INFO"}),
    ],
    ids=str,
)
def test_case_12_json_of_oslo(change: dict[str, Any], expected: dict[str, Any]) -> None:
    """``use_json``: level, time, logger and ids are fields."""
    known = {"time": TIME, "level": "ERROR", "logger": "nova.compute.manager", "host": "cmp1", "request": REQUEST}
    check({**JSON, **change}, known | {"global_request": GLOBAL, "instance": INSTANCE} | expected)


@pytest.mark.parametrize(
    ("record", "service"),
    [
        # The case: rsyslog in three spellings, ECS, python-json-logger, Grafana of old, GCP.
        ({"@timestamp": TIME, "host": "c1", "severity": "err", "tag": "nova-compute[12]:"}, "nova-compute"),
        ({"timestamp": TIME, "hostname": "c1", "syslogseverity-text": "err", "programname": "su"}, "su"),
        ({"timereported": TIME, "hostname": "c1", "syslogseverity": "3", "programname": "su"}, "su"),
        ({"@timestamp": TIME, "log.level": "error", "service.name": "nova-api", "trace.id": "abc"}, "nova-api"),
        ({"time": TIME, "levelname": "ERROR", "service": "a"}, "a"),
        ({"ts": TIME, "lvl": "eror", "app": "a"}, "a"),
        ({"severity": "ERROR", "timestamp": TIME, "job": "a"}, "a"),
        # Logstash's syslog, Fluentd's, Vector's, zap, log4j, logback, Serilog, slog, tracing, GELF, Datadog.
        ({"@timestamp": TIME, "logsource": "c1", "severity_label": "Error", "program": "su", "facility": 3}, "su"),
        ({"ident": "nova-api", "pri": "27", "host": "c1", "time": TIME}, "nova-api"),
        ({"appname": "nova-api", "procid": 7, "severity": "err", "timestamp": TIME, "host": "c1"}, "nova-api"),
        ({"timegenerated": TIME, "sysloghost": "c1", "pri": 11, "syslogtag": "/usr/sbin/cron[7]:"}, "cron"),
        ({"ts": 1741082400.123, "level": "error", "caller": "x.go:1", "app": "a"}, "a"),
        ({"timeMillis": 1741082400123, "level": "ERROR", "loggerName": "a.B", "service": "a"}, "a"),
        ({"@timestamp": TIME, "level": "ERROR", "level_value": 40000, "logger_name": "a.B", "service": "a"}, "a"),
        ({"@t": TIME, "@l": "Error", "application": "a"}, "a"),
        ({"t": {"$date": TIME}, "severity": "error", "app": "a"}, "a"),
        ({"instant": {"epochSecond": 1741082400}, "time": TIME, "level": "ERROR", "app": "a"}, "a"),
        ({"time": "2025-03-04 10:00:00.123 +0000 UTC", "level": "[ERROR]", "service": "a"}, "a"),
        ({"timestamp": TIME, "level": "LOG_ERR", "target": "app::x", "service": "a"}, "a"),
        ({"timestamp": 1741082400.123, "level": 3, "host": "c1", "_app": "a"}, "a"),
        ({"time": TIME, "level": "Fehler", "dd": {"service": "a", "trace_id": "t"}}, "a"),
        ({"@timestamp": TIME, "log": {"syslog": {"priority": 27, "appname": "su"}}}, "su"),
        ({"@timestamp": TIME, "syslog": {"severity_label": "Error"}, "process": {"program": "sshd"}}, "sshd"),
        ({"time": "Tue, 04 Mar 2025 10:00:00.123 GMT", "level": {"name": "ERROR", "no": 40}, "service": "a"}, "a"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_case_12_levels_times_and_programs_by_other_names(record: dict[str, Any], service: str) -> None:
    """Of every library and collector: an error of a service at a time."""
    check({**record, "message": "lost"}, {"level": "ERROR", "time": TIME, "service": service, "message": "lost"})


@pytest.mark.parametrize(
    ("record", "level"),
    [
        ({"level": 50, "time": 1741082400123, "pid": 7, "hostname": "c1", "msg": "lost"}, "ERROR"),
        ({"level": 40, "time": 1741082400123, "pid": 7, "hostname": "c1", "msg": "lost"}, "WARNING"),
        ({"level": 30, "time": TIME, "name": "api", "pid": 7, "hostname": "c1", "msg": "lost", "v": 0}, "INFO"),
        ({"level": 60, "time": TIME, "name": "api", "pid": 7, "hostname": "c1", "msg": "lost", "v": 0}, "CRITICAL"),
        ({"levelno": 40, "time": TIME, "name": "api", "process": 7, "msg": "lost"}, "ERROR"),
        ({"level": 40, "time": TIME, "name": "api", "message": "lost"}, "ERROR"),
        ({"level": 3, "time": TIME, "name": "api", "msg": "lost"}, "ERROR"),
    ],
    ids=["pino", "pino-warn", "bunyan", "bunyan-fatal", "levelno", "python", "syslog"],
)
def test_case_12_numbers_of_levels(record: dict[str, Any], level: str) -> None:
    """Node.js's loggers count from 10 to 60 as Python's does, and mean one step less; as records and as lines."""
    check(record, {"level": level, "time": TIME, "message": "lost"})
    check({"log": json.dumps(record), "source": "api"}, {"level": level, "time": TIME, "message": "lost"})


@pytest.mark.parametrize("wrapper", ["record", "jsonPayload", "body", "fields", "data", "result", "payload"])
def test_case_12_records_inside_a_field_of_another(wrapper: str) -> None:
    """What holds them has a name, and nothing else to say."""
    inner = {"message": "lost", "level": "error", "time": TIME, "service": "a"}
    check({wrapper: inner}, {"message": "lost", "level": "ERROR", "time": TIME, "service": "a"})


@pytest.mark.parametrize("key", ["result", "value", "body", "payload", "jsonPayload"])
def test_case_12_what_a_program_computed_says_nothing_of_its_line(key: str) -> None:
    """Such a field beside a line of its own is the program's."""
    record = {"message": "done", "level": "info", "host": "c1", key: {"name": "x", "level": "error", "service": "y"}}
    check(record, {"message": "done", "level": "INFO", "host": "c1", "service": "c1", "logger": ""})


@pytest.mark.parametrize("form", [b"[%b,%b]", b"%b\n%b\n", b" [ %b , %b ] ", b"\n%b\n%b"])
def test_case_12_several_records_in_one_message(form: bytes) -> None:
    """An array, as HTTP outputs send it, and one record a line."""
    one, two = b'{"log":"one","level":"error"}', b'{"log":"two","level":"info"}'
    lines = facts(decoded([form % (one, two)]))
    assert [(line["message"], line["level"]) for line in lines] == [("one", "ERROR"), ("two", "INFO")]


@pytest.mark.parametrize(
    "record",
    [
        # The case: Kolla-Ansible's Fluentd, Fluent Bit's Lowercase.
        {"hostname": "cmp1", "priority": "3", "systemd_unit": UNIT, "source_realtime_timestamp": MICROS}
        | {"syslog_identifier": "nova-compute", "message": "lost"},
        {"_hostname": "cmp1", "priority": "3", "_systemd_unit": UNIT, "_source_realtime_timestamp": MICROS}
        | {"message": "lost", "@timestamp": 1741082402.5},
        # journalctl, Vector, Filebeat, Journalbeat, Promtail, OpenShift, OpenTelemetry, lists, user units.
        {
            "MESSAGE": "lost",
            "PRIORITY": "3",
            "_HOSTNAME": "cmp1",
            "_SYSTEMD_UNIT": UNIT,
            "__REALTIME_TIMESTAMP": MICROS,
        },
        {"message": "lost", "PRIORITY": "3", "host": "cmp1", "_SYSTEMD_UNIT": UNIT, "timestamp": TIME},
        {"message": "lost", "systemd": {"unit": UNIT}, "syslog": {"priority": 3}, "host": NODE, "@timestamp": TIME},
        {
            "message": "lost",
            "systemd": {"unit": UNIT},
            "log": {"syslog": {"priority": 27}},
            "host": NODE,
            "@timestamp": TIME,
        },
        {"line": "lost", "labels": {"unit": UNIT, "hostname": "cmp1", "priority": "err"}, "timestamp": TIME},
        {
            "systemd": {"t": {"SYSTEMD_UNIT": UNIT}},
            "hostname": "cmp1",
            "level": "err",
            "message": "lost",
            "@timestamp": TIME,
        },
        {"body": {"MESSAGE": "lost", "PRIORITY": "3", "_HOSTNAME": "cmp1", "_SYSTEMD_UNIT": UNIT}, "timestamp": TIME},
        {"MESSAGE": ["lost"], "PRIORITY": ["3"], "_HOSTNAME": ["cmp1"], "_SYSTEMD_UNIT": [UNIT], "timestamp": TIME},
        {"MESSAGE": list(b"lost"), "PRIORITY": "3", "_HOSTNAME": "cmp1", "_SYSTEMD_USER_UNIT": UNIT, "timestamp": TIME}
        | {"_SYSTEMD_UNIT": "user@1000.service"},
        {"Message": "lost", "Priority": 3, "Hostname": "cmp1", "Systemd_Unit": UNIT, "Realtime_Timestamp": MICROS},
    ],
    ids=lambda record: " ".join(record)[:60],
)
def test_case_13_the_journal_through_other_shippers(record: dict[str, Any]) -> None:
    """Whatever they do to the names of its fields."""
    check(record, JOURNAL | {"message": "lost"})


@pytest.mark.parametrize(
    ("fields", "service"),
    [
        # The case.
        (
            {"_SYSTEMD_UNIT": "docker.service", "CONTAINER_NAME": "nova_compute", "SYSLOG_IDENTIFIER": "abc"},
            "nova_compute",
        ),
        ({"_SYSTEMD_UNIT": f"libpod-conmon-{CONTAINER}.scope", "CONTAINER_NAME": "nova_api"}, "nova_api"),
        ({"_SYSTEMD_UNIT": "session-12.scope", "SYSLOG_IDENTIFIER": "sshd"}, "sshd"),
        ({"_SYSTEMD_UNIT": "sshd@12-10.0.0.1:22-10.0.0.2:5555.service", "SYSLOG_IDENTIFIER": "sshd"}, "sshd"),
        ({"_SYSTEMD_UNIT": "user@1000.service", "SYSLOG_IDENTIFIER": "systemd"}, "systemd"),
        ({"SYSLOG_IDENTIFIER": "kernel", "_TRANSPORT": "kernel"}, "kernel"),
        ({"_SYSTEMD_UNIT": "init.scope", "UNIT": UNIT}, "nova-compute"),
        # Other runtimes, and other units that name no program.
        ({"_SYSTEMD_UNIT": f"docker-{CONTAINER}.scope", "CONTAINER_NAME": "/keystone"}, "keystone"),
        ({"_SYSTEMD_UNIT": f"libpod-{CONTAINER}.scope", "SYSLOG_IDENTIFIER": "glance_api"}, "glance_api"),
        ({"_SYSTEMD_UNIT": f"crio-{CONTAINER}.scope", "SYSLOG_IDENTIFIER": "etcd"}, "etcd"),
        ({"_SYSTEMD_UNIT": "tripleo_nova.service", "CONTAINER_NAME": "nova_compute"}, "nova_compute"),
        ({"CONTAINER_NAME": f"k8s_nova-api_nova-api-7d_openstack_{INSTANCE}_0"}, "nova-api"),
        ({"CONTAINER_NAME": "os_nova-api.1.x3f0c1b527d1e4a109c55abcd"}, "os_nova-api"),
        ({"_SYSTEMD_UNIT": "machine-qemu\\x2d1.scope", "SYSLOG_IDENTIFIER": "qemu"}, "qemu"),
        ({"_SYSTEMD_UNIT": "run-u123.service", "SYSLOG_IDENTIFIER": "backup"}, "backup"),
        ({"_SYSTEMD_UNIT": "user-1000.slice", "SYSLOG_IDENTIFIER": "sudo"}, "sudo"),
        # Instances of templates, words about other units, and who has no unit.
        ({"_SYSTEMD_UNIT": "devstack@n-cpu.service"}, "n-cpu"),
        ({"_SYSTEMD_UNIT": f"ceph-{INSTANCE}@osd.3.service"}, "ceph-osd"),
        ({"_SYSTEMD_UNIT": f"ceph-{INSTANCE}@mon.ctl-1.service", "SYSLOG_IDENTIFIER": "bash"}, "ceph-mon"),
        ({"_SYSTEMD_UNIT": "init.scope", "UNIT": "ceph-osd@3.service"}, "ceph-osd"),
        (
            {"_SYSTEMD_UNIT": "init.scope", "UNIT": f"docker-{CONTAINER}.scope", "SYSLOG_IDENTIFIER": "systemd"},
            "systemd",
        ),
        ({"_SYSTEMD_UNIT": "init.scope", "UNIT": "session-7.scope", "SYSLOG_IDENTIFIER": "systemd"}, "systemd"),
        ({"_SYSTEMD_UNIT": "user@1000.service", "USER_UNIT": "job.service"}, "job"),
        ({"_TRANSPORT": "kernel"}, "kernel"),
        ({"_TRANSPORT": "audit"}, "audit"),
        ({"SYSLOG_IDENTIFIER": "/usr/sbin/cron"}, "cron"),
        ({"SYSLOG_IDENTIFIER": "postfix/smtpd"}, "postfix/smtpd"),
    ],
    ids=str,
)
def test_case_30_who_wrote_it(fields: dict[str, Any], service: str) -> None:
    """A service is the same after a restart, and no two programs are one."""
    check({"MESSAGE": "x", "PRIORITY": "6", "_HOSTNAME": "cmp1", **fields}, {"service": service, "host": "cmp1"})


@pytest.mark.parametrize(
    ("value", "messages", "refused"),
    [
        (b'  {"log": "cut', [], ["invalid_json"]),
        (b" {x, y}", [" {x, y}"], []),
        (b"[not, json]", ["[not, json]"], []),
        (b'[{"log": "one"}, 5, {"log": "two"}]', ["one", "two"], []),
        (b'[{"log": "cut"', ['[{"log": "cut"'], []),
        (b"\n", [], []),
    ],
)
def test_case_12_what_begins_like_several_records(value: bytes, messages: list[str], refused: list[str]) -> None:
    """Each message is read once or refused once."""
    logs = decoded([b'{"log": "before"}', value])
    assert [line["message"] for line in facts(logs)[1:]] == messages
    assert [reject.reason for reject in logs.rejects] == refused
