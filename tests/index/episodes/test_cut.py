"""What is joined to one episode, and what is not."""

import pytest

from tests.index.cloud import INSTANCE, OTHER, REQUEST, line, traceback
from tests.index.episodes.clouds import HOUR, episodes


def error(at: float, service: str, text: str, request: str = "") -> bytes:
    """An ERROR line."""
    return line(at, service, text, "ERROR", request=request)


LOST = "AMQP server on 10.0.0.1:5672 is unreachable: timed out"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        # A shared request, across services.
        (error(0, "nova-api", "Bent", request=REQUEST), error(90, "cinder-api", "Torn", request=REQUEST)),
        # A shared instance.
        (error(0, "nova-api", f"Server {INSTANCE} is bent"), error(60, "neutron-server", f"Instance {INSTANCE}")),
        # The same backend.
        (line(0, "nova-api", LOST, "ERROR"), line(120, "cinder-volume", LOST, "ERROR", host="node-2")),
        # The same thing on the same service.
        (line(0, "nova-api", "Disk 7 is full", "ERROR"), line(500, "nova-api", "Disk 9 is full", "ERROR")),
    ],
)
def test_a_common_cause_joins(first: bytes, second: bytes) -> None:
    """Whatever the services and hosts."""
    assert len(episodes([first, second])) == 1


@pytest.mark.parametrize(
    ("first", "second"),
    [
        # At the same time, and nothing in common.
        (line(0, "nova-api", "Bent", "ERROR", request=REQUEST), line(1, "glance-api", "Torn", "ERROR", request=OTHER)),
        # The same again an hour later.
        (line(0, "nova-api", LOST, "ERROR"), line(HOUR, "nova-api", LOST, "ERROR")),
        # Other things on other hosts of one service.
        (line(0, "nova-compute", "Bent", "ERROR", host="a"), line(2, "nova-compute", "Torn", "ERROR", host="b")),
    ],
)
def test_time_alone_joins_nothing(first: bytes, second: bytes) -> None:
    """In a large cloud something is always going on somewhere."""
    assert len(episodes([first, second])) == 2


def test_who_waits_for_a_service_meets_what_it_said_before_it_died() -> None:
    """The traceback of a time-out names the service that was asked."""
    calls = ("nova/conductor/manager.py:10:build", "nova/scheduler/rpcapi.py:20:select")
    died = line(0, "nova-scheduler", "Unhandled error: (HTTP 401)", "CRITICAL")
    waits = traceback(60, "nova-conductor", "MessagingTimeout: no reply", calls)
    assert len(episodes([died, *waits])) == 1
    assert len(episodes([died, *traceback(60, "nova-conductor", "ValueError: bent", calls[:1])])) == 2


def test_warnings_tie_no_errors_together() -> None:
    """What always warns a little has something in common with everything."""
    nags = [line(at, "neutron-server", "No agents available", "WARNING") for at in range(0, 900, 30)]
    errors = [line(10, "nova-api", "Bent", "ERROR", request=REQUEST), line(700, "glance-api", "Torn", "ERROR")]
    assert len(episodes([*nags, *errors])) == 2
