"""An incident is explained by its own signals."""

from dataclasses import replace

from index.incident import IncidentSignals, explain_incident
from models.findings import Finding, FindingKind
from models.records import Level
from models.rfc3339 import SECOND
from tests.index.cloud import NOON, OTHER, REQUEST, fired, line, material, templates

QUIET = [
    line(at, service, f"Beat {at}", host=host)
    for at in range(-1_200, 400, 10)
    for service, host in (("nova-api", "ctl"), ("nova-compute", "compute-2"), ("cinder-volume", "storage-1"))
]
LOST = "AMQP server on 10.0.0.1:5672 is unreachable: timed out"
FULL = "No space left on device"
EARLIER = line(-300, "nova-scheduler", "DBConnectionError: Can't connect to MySQL server", "CRITICAL")
OWN = [line(at, "nova-api", LOST, "ERROR", request=REQUEST, host="ctl") for at in (5, 15)]
ALIEN = [line(at, "cinder-volume", FULL, "CRITICAL", request=OTHER, host="storage-1") for at in (2, 8, 20)]

SIGNALS = IncidentSignals(NOON, NOON + 60 * SECOND, frozenset({"nova-api"}), frozenset({"ctl"}))


def lines(values: list[bytes]) -> list[bytes]:
    """Lines in order of time."""
    return sorted([*QUIET, *values], key=lambda value: value[8:31])


def test_neither_another_incident_nor_what_was_before_becomes_the_cause() -> None:
    """However loud it is: a full disk in cinder, and a database that was gone five minutes ago."""
    evidence, diagnosis = explain_incident(
        SIGNALS, material(lines([EARLIER, *OWN, *ALIEN])), fired=[fired(0, 60)], known=templates(QUIET)
    )
    assert diagnosis.cause.startswith("RabbitMQ cannot be reached.")
    assert diagnosis.service == "nova-api"
    assert {one.service for one in evidence.lines if one.level >= Level.ERROR} == {"nova-api"}
    assert all(one.time >= NOON for one in evidence.lines if one.level >= Level.ERROR)


def test_what_a_service_said_before_it_was_drawn_in_is_not_its_cause() -> None:
    """An incident goes on while cinder has a full disk, which is another; then cinder loses RabbitMQ as well."""
    late = [line(at, "cinder-volume", LOST, "ERROR", host="storage-1") for at in (85, 95)]
    signals = IncidentSignals(NOON, NOON + 100 * SECOND, frozenset({"nova-api", "cinder-volume"}))
    both = material(lines([*ALIEN, *late]))
    assert explain_incident(signals, both, known=templates(QUIET))[1].cause.startswith("A disk is full.")
    drawn_in = replace(signals, joined={"cinder-volume": NOON + 60 * SECOND})
    assert explain_incident(drawn_in, both, known=templates(QUIET))[1].cause.startswith("RabbitMQ cannot be reached.")


def test_each_of_two_incidents_at_once_gets_its_own_cause() -> None:
    """By services, hosts or ids."""
    both = material(lines([*OWN, *ALIEN]))
    cinder = replace(SIGNALS, services=frozenset({"cinder-volume"}), hosts=frozenset({"storage-1"}))
    assert explain_incident(cinder, both, known=templates(QUIET))[1].cause.startswith("A disk is full.")
    by_id = IncidentSignals(NOON, NOON + 60 * SECOND, ids=frozenset({OTHER}))
    assert explain_incident(by_id, both, known=templates(QUIET))[1].service == "cinder-volume"
    by_message = IncidentSignals(NOON, NOON + 60 * SECOND, templates=frozenset({FULL}))
    assert explain_incident(by_message, both, known=templates(QUIET))[1].service == "cinder-volume"


def test_a_cause_in_another_service_that_evidence_ties_to_it_is_taken_in() -> None:
    """The same request failed deeper down."""
    deeper = line(4, "nova-conductor", "DBConnectionError: Can't connect to MySQL server", "ERROR", request=REQUEST)
    hit = line(5, "nova-api", "Unexpected exception in API method", "ERROR", request=REQUEST, host="ctl")
    _, diagnosis = explain_incident(SIGNALS, material(lines([deeper, hit])), known=templates(QUIET))
    assert diagnosis.cause.startswith("The database cannot be reached.")
    assert set(diagnosis.services) == {"nova-conductor", "nova-api"}


def test_silence_is_told_by_name() -> None:
    """With service, host, and how long it usually is."""
    finding = Finding(
        FindingKind.SILENT, value=96.0, usual=31.0, unit="s", service="nova-compute", host="compute-2", moment=NOON
    )
    signals = IncidentSignals(NOON, NOON + 60 * SECOND, frozenset({"nova-compute"}), frozenset({"compute-2"}))
    silent = [value for value in QUIET if b"compute-2" not in value or value[8:31] < b"2026-03-04 12:00:00.000"]
    _, diagnosis = explain_incident(
        signals, material(silent), fired=[fired(0, 60, findings=[finding])], known=templates(QUIET)
    )
    assert diagnosis.cause.startswith("nova-compute on compute-2 has written nothing for 96 s, usually at most 31 s")


def test_a_quiet_host_is_told_by_its_name() -> None:
    """And not as one of its services."""
    finding = Finding(FindingKind.HOST_SILENT, value=96.0, usual=31.0, unit="s", host="compute-2", count=2, moment=NOON)
    signals = IncidentSignals(NOON, NOON + 60 * SECOND, frozenset({"nova-compute"}), frozenset({"compute-2"}))
    silent = [value for value in QUIET if b"compute-2" not in value or value[8:31] < b"2026-03-04 12:00:00.000"]
    _, diagnosis = explain_incident(
        signals, material(silent), fired=[fired(0, 60, findings=[finding])], known=templates(QUIET)
    )
    assert diagnosis.cause.startswith("Host or shipper of compute-2 is quiet: all its 2 sources have written nothing")
    assert diagnosis.summary.startswith("Host or shipper of compute-2 is quiet: ")
    assert diagnosis.actions[0].startswith("Does compute-2 answer (")


def test_an_incident_without_lines_is_explained_by_nothing() -> None:
    """The topic may have lost them."""
    evidence, diagnosis = explain_incident(SIGNALS, material([]))
    assert not evidence.lines
    assert diagnosis.confidence <= 0.1


def test_what_is_over_does_not_hide_what_goes_on() -> None:
    """RabbitMQ was gone for a while, loudly; minutes later a full disk is what keeps the incident going."""
    lost = [line(at, "nova-api", f"{LOST} {at}", "ERROR", request=REQUEST, host="ctl") for at in range(0, 40, 2)]
    full = [line(at, "nova-api", FULL, "ERROR", request=OTHER, host="ctl") for at in (290, 295)]
    long = replace(SIGNALS, end=NOON + 300 * SECOND)
    evidence, diagnosis = explain_incident(long, material(lines([*lost, *full])), known=templates(QUIET))
    assert diagnosis.cause.startswith("A disk is full.")
    assert all(LOST not in one.text for one in evidence.lines)
    still = line(290, "nova-api", f"{LOST} 290", "ERROR", request=REQUEST, host="ctl")
    going_on = material(lines([*lost, still, *full]))
    assert explain_incident(long, going_on, known=templates(QUIET))[1].cause.startswith("RabbitMQ cannot be reached.")


def test_what_explains_nothing_does_not_take_its_place() -> None:
    """An odd warning after the outage is no better cause, and who is quiet then has not stopped."""
    lost = [line(at, "nova-api", f"{LOST} {at}", "ERROR", request=REQUEST, host="ctl") for at in range(0, 40, 2)]
    odd = line(295, "nova-api", "Odd value 7 of the quux", "WARNING", host="ctl")
    long = replace(SIGNALS, end=NOON + 300 * SECOND)
    _, diagnosis = explain_incident(long, material(lines([*lost, odd])), known=templates(QUIET))
    assert diagnosis.cause.startswith("RabbitMQ cannot be reached.")


def test_silence_goes_on_though_its_last_line_is_old() -> None:
    """Others' errors since are no better cause."""
    finding = Finding(
        FindingKind.SILENT, value=296.0, usual=31.0, unit="s", service="nova-compute", host="compute-2", moment=NOON
    )
    signals = IncidentSignals(
        NOON, NOON + 300 * SECOND, frozenset({"nova-compute", "nova-api"}), frozenset({"compute-2", "ctl"})
    )
    silent = [value for value in QUIET if b"compute-2" not in value or value[8:31] < b"2026-03-04 12:00:00.000"]
    failed = line(290, "nova-api", "No valid host was found", "ERROR", request=OTHER, host="ctl")
    everything = material(sorted([*silent, failed], key=lambda value: value[8:31]))
    fires = [fired(0, 300, findings=[finding])]
    _, diagnosis = explain_incident(signals, everything, fired=fires, known=templates(QUIET))
    assert diagnosis.cause.startswith("nova-compute on compute-2 has written nothing for 296 s")
