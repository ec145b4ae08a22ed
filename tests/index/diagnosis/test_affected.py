"""Which other services a failure hit."""

import pytest

from index.diagnosis.rule_based import diagnose
from index.diagnosis.types import Diagnosis
from index.evidence.gather import gather
from tests.index.cloud import INSTANCE, OTHER, PORT, REQUEST, fired, line, material, templates

QUIET = [
    line(at, "nova-api", f'10.0.0.1 "GET /servers HTTP/1.1" status: 200 len: {at} time: 0.1') for at in range(-60, 0)
]
FAILED = f"[instance: {INSTANCE}] Instance failed to spawn"
PROBE = "tcp:127.0.0.1:6640: no response to inactivity probe after 10 seconds, disconnecting"
LOST = "AMQP server on 10.0.0.1:5672 is unreachable: timed out"


def diagnosis(values: list[bytes], end: float = 900) -> Diagnosis:
    """Diagnosis of lines behind a quiet minute."""
    return diagnose(gather(material([*QUIET, *values]), [fired(0, end)], known=templates(QUIET)))


def first(text: str = FAILED, request: str = REQUEST) -> bytes:
    """The error where it began."""
    return line(5, "nova-compute", text, "ERROR", request=request)


@pytest.mark.parametrize(
    ("at", "service", "text", "request_id"),
    [
        (185, "neutron-dhcp-agent", PROBE, ""),
        (20, "neutron-l3-agent", PROBE, ""),
        (30, "cinder-volume", "Volume service is down: no space left on pool", OTHER),
        (10, "glance-api", "Image cache is full", ""),
        (50, "keystone", "Token flush failed", OTHER),
        (800, "neutron-server", "Cannot tell nova of an event", ""),
        (12, "nova-api", "Unexpected exception in nova.api.openstack", OTHER),
    ],
)
def test_an_error_that_nothing_connects_is_no_hit(at: float, service: str, text: str, request_id: str) -> None:
    """It is told, as one of its own."""
    told = diagnosis([first(), line(at, service, text, "ERROR", request=request_id, host="node-2")])
    assert told.services == ("nova-compute",)
    assert "It hits" not in told.summary
    assert [
        claim.text for claim in told.claims if f"{service} reports an error of its own, which nothing" in claim.text
    ]
    assert not [claim.text for claim in told.claims if "fails as well" in claim.text]


@pytest.mark.parametrize(
    ("at", "service", "text", "request_id"),
    [
        (300, "nova-conductor", "Failed to schedule instances", REQUEST),
        (200, "neutron-server", f"Binding of the port of instance {INSTANCE} failed", ""),
        (20, "neutron-server", "Cannot tell nova of an event", OTHER),
        (40, "nova-api", "Unexpected answer of nova-compute", OTHER),
        (40, "nova-scheduler", "Host node-1 does not answer", OTHER),
        (2, "cinder-volume", "Nova refused to attach a volume", ""),
    ],
)
def test_an_error_of_the_same_request_or_id_or_that_names_it_is_a_hit(
    at: float, service: str, text: str, request_id: str
) -> None:
    """By what it says, or whom."""
    told = diagnosis([first(), line(at, service, text, "ERROR", request=request_id, host="node-2")])
    assert set(told.services) == {"nova-compute", service}
    assert f"It hits {service}." in told.summary or told.service == service


def test_who_tells_of_the_same_known_failure_is_hit() -> None:
    """Shortly after; not much later."""
    both = [first(LOST, ""), line(60, "neutron-server", LOST, "ERROR")]
    assert set(diagnosis(both).services) == {"rabbitmq", "nova-compute", "neutron-server"}
    late = [first(LOST, ""), line(700, "neutron-server", LOST, "ERROR")]
    assert diagnosis(late).services == ("nova-compute",)


def test_whom_the_first_error_names_is_hit_if_it_fails_too() -> None:
    """A port that could not be had of neutron."""
    told = diagnosis([first("Cannot reach neutron for a port", ""), line(9, "neutron-server", PROBE, "ERROR")])
    assert set(told.services) == {"nova-compute", "neutron-server"}
    assert PORT not in told.summary


def test_an_error_of_a_request_that_failed_by_the_same_service_is_a_hit() -> None:
    """The database is lost once; each call that fails by it has a request of its own."""
    lost = "DBConnectionError: Lost connection to MySQL server during query"
    values = [
        line(5, "neutron-server", lost, "ERROR"),
        line(9, "neutron-server", f"GET failed: {lost}", "ERROR", request=OTHER),
        line(10, "nova-compute", "Instance failed network setup", "ERROR", request=OTHER),
        line(11, "glance-api", "Image cache is full", "ERROR", request=REQUEST),
    ]
    assert diagnosis(values).services == ("neutron-server", "nova-compute")
