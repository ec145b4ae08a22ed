"""Who does not answer is to blame, not who waits, and not who happens to be quiet meanwhile."""

from collections.abc import Sequence

from index.diagnosis.types import Diagnosis
from index.evidence.types import Evidence
from index.incident import IncidentSignals, explain_incident
from models.findings import Finding, FindingKind
from models.rfc3339 import SECOND
from tests.index.cloud import NOON, fired, line, material, templates, traceback

QUIET = [
    line(at, service, f"Beat {at}", host=host)
    for at in range(-600, 300, 10)
    for service, host in (("nova-api", "ctl"), ("keystone", "ctl"), ("nova-compute", "cmp1"))
]
CONDUCTOR = [
    line(at, "nova-conductor", f"Beat {at}", host="ctl") for at in (*range(-600, -5, 10), *range(100, 300, 10))
]
TIMEOUT = "oslo_messaging.exceptions.MessagingTimeout: Timed out waiting for a reply to message ID 1"
CALLS = [
    record.replace(b'"host":"node-1"', b'"host":"cmp1"')
    for at in (55, 75, 95)
    for record in traceback(at, "nova-compute", TIMEOUT, ("nova/conductor/rpcapi.py:247:object_action",))
]
SILENT = Finding(FindingKind.SILENT, value=90.0, usual=15.0, unit="s", service="keystone", host="ctl", moment=NOON)


def told(
    values: Sequence[bytes], services: Sequence[str], end: float = 100, findings: Sequence[Finding] = ()
) -> tuple[Evidence, Diagnosis]:
    """The diagnosis of an incident of some services."""
    signals = IncidentSignals(NOON, NOON + round(end * SECOND), frozenset(services))
    lines = material(sorted([*QUIET, *values], key=lambda value: value[8:31]))
    windows = [fired(0, end, services, findings=findings)]
    return explain_incident(signals, lines, fired=windows, known=templates([*QUIET, *CONDUCTOR]))


def test_who_is_called_is_blamed_and_not_a_bystander_that_is_quiet() -> None:
    """With how often and where, and what its own log shows, though its lines are in no signal."""
    _, diagnosis = told([*CONDUCTOR, *CALLS], ("nova-compute", "keystone"), findings=(SILENT,))
    assert diagnosis.service == "nova-conductor"
    assert diagnosis.cause.startswith(
        "nova-conductor does not answer nova-compute: an answer over the message queue did not come, 3 times on cmp1. "
        "nova-conductor on ctl wrote nothing from 11:59:50 to 12:01:40 UTC (110 s). "
    )
    assert diagnosis.confidence == 0.75
    assert diagnosis.actions[0].startswith("On ctl: systemctl status nova-conductor;")
    assert diagnosis.summary.startswith("nova-conductor does not answer nova-compute; nova-compute on cmp1 failed at ")


def test_silence_explains_calls_of_which_nobody_knows_whom_they_asked() -> None:
    """Here the quiet one is the best guess there is."""
    alone = [line(55, "nova-compute", "MessagingTimeout: Timed out waiting for a reply", "ERROR", host="cmp1")]
    _, diagnosis = told([*CONDUCTOR, *alone], ("nova-compute", "keystone"), findings=(SILENT,))
    assert diagnosis.service == "keystone"
    assert diagnosis.summary.startswith("keystone on ctl has written nothing for 90 s")


def test_a_queue_without_a_reader_is_put_down_to_who_reads_it() -> None:
    """By its whole name, though the broker's line has only a part of it."""
    broker = line(5, "rabbitmq", "Channel error: no exchange 'scheduler_fanout' in vhost '/'", "ERROR", host="ctl")
    _, diagnosis = told([broker], ("rabbitmq",))
    assert diagnosis.service == "nova-scheduler"
    assert diagnosis.cause.startswith("nova-scheduler does not answer: nobody reads a message queue. ")


def test_a_client_that_left_without_a_word_is_to_blame_and_not_the_broker() -> None:
    """Its own log shows that it wrote nothing from then on."""
    stopped = [value for value in QUIET if b"cmp1" not in value or value[8:31] < b"2026-03-04 12:00:00.000"]
    left = "closing AMQP connection <0.7.0> (1.1.1.1:2 -> 1.1.1.2:5672 - nova-compute:77:24520c12, vhost: '/'):"
    values = [*stopped, *(line(at, "rabbitmq", left, "WARNING", host="ctl") for at in (2.0, 2.1, 2.2))]
    signals = IncidentSignals(NOON, NOON + 90 * SECOND, frozenset({"rabbitmq"}))
    lines = material(sorted(values, key=lambda value: value[8:31]))
    _, diagnosis = explain_incident(signals, lines, known=templates(QUIET))
    assert diagnosis.service == "nova-compute"
    assert diagnosis.cause.startswith(
        "nova-compute dropped its connection to RabbitMQ without closing it, 3 times on ctl. "
        "nova-compute on cmp1 has written nothing for 100 s. "
    )
    assert diagnosis.summary == (
        "nova-compute dropped its connection to RabbitMQ without closing it: rabbitmq on ctl warned at 12:00:02 UTC "
        "(3 times)."
    )


def test_a_restart_is_told_where_nothing_failed() -> None:
    """And a warning about a later version is no failure."""
    gone = [value for value in QUIET if b"cmp1" not in value or value[8:31] < b"2026-03-04 12:00:00.000"]
    again = [
        line(at, "nova-compute", text, level, host="cmp1").replace(b" 7 ", b" 9 ")
        for at, text, level in (
            (80, 'Deprecated: Option "api_servers" is deprecated for removal', "WARNING"),
            (81, "Starting compute node", "INFO"),
        )
    ]
    signals = IncidentSignals(NOON, NOON + 90 * SECOND, frozenset({"nova-compute"}))
    lines = material(sorted([*gone, *again], key=lambda value: value[8:31]))
    _, diagnosis = explain_incident(signals, lines, known=templates(QUIET))
    assert diagnosis.summary.startswith(
        "nova-compute on cmp1 was started again at 12:01:20 UTC, 90 s after its last line."
    )
    assert (diagnosis.service, diagnosis.confidence) == ("nova-compute", 0.5)
    assert diagnosis.actions[0].startswith("On cmp1: journalctl -u nova-compute")


def test_a_warning_about_a_later_version_is_no_cause() -> None:
    """Though training never saw it and nothing else is new."""
    for text in ("EventletDeprecationWarning: Eventlet is deprecated", "Using x is deprecated, use y"):
        _, diagnosis = told([line(5, "nova-api", text, "WARNING", host="ctl")], ("nova-api",))
        assert "deprecat" not in f"{diagnosis.summary} {diagnosis.cause}".lower()
