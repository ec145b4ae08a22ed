"""The episode that an issue asks for is diagnosed; where none tells of it, that is said."""

import pytest

from models.rfc3339 import SECOND
from tests.index.cloud import INSTANCE, NOON, OTHER, REQUEST, line, traceback
from tests.index.episodes.clouds import HOUR, asked

FAULTS = [
    *traceback(HOUR, "nova-compute", "KeyError: 'numa'", ("nova/compute/manager.py:10:spawn_instance",)),
    line(HOUR + 1, "nova-compute", "Instance failed to spawn", "ERROR", request=REQUEST, host="compute-2"),
    *[
        line(2 * HOUR + n, "glance-api", "Failed to upload image data: No space left on device", "ERROR", request=OTHER)
        for n in range(30)
    ],
    line(3 * HOUR, "cinder-volume", "DBConnectionError: Can't connect to MySQL server", "ERROR"),
]
"""Three faults an hour apart; the second is the loudest."""


@pytest.mark.parametrize(
    ("issue", "service", "cause"),
    [
        ("Instance fails to launch", "nova-compute", "KeyError"),
        ("Uploading an image fails", "glance-api", "disk is full"),
        ("The database cannot be reached", "cinder-volume", "database cannot be reached"),
        ("Creating volumes fails", "cinder-volume", "database cannot be reached"),
        ("Something broke around 13:00", "nova-compute", "KeyError"),
        ("Something broke around 15:02", "cinder-volume", "database cannot be reached"),
        ("Something broke between 13:55 and 14:20 on 2026-03-04", "glance-api", "disk is full"),
        ("compute-2 is odd", "nova-compute", "KeyError"),
        (f"Request {OTHER} fails", "glance-api", "disk is full"),
    ],
)
def test_each_question_gets_its_own_cause(issue: str, service: str, cause: str) -> None:
    """By its words, its time, its host or its ids; not the loudest error."""
    analysis = asked(FAULTS, issue)
    assert analysis.diagnosis.service == service
    assert cause in f"{analysis.diagnosis.cause} {analysis.diagnosis.summary}"
    first = min(line.time for line in analysis.evidence.lines if line.level >= 4)
    assert all(first - 1 <= line.time <= first + 60_000_000 for line in analysis.evidence.lines if line.level >= 4)
    assert len(analysis.others) == 2


def test_an_older_error_of_another_service_is_not_the_answer() -> None:
    """An upload failed four minutes before a compute service died; the question is about instances."""
    upload = [
        line(HOUR + n, "glance-api", "Failed to upload image data: Image storage media is full", "ERROR", request=OTHER)
        for n in range(10)
    ]
    died = line(HOUR + 240, "nova-compute", "Unhandled error: InvalidConfiguration: No local node identity", "CRITICAL")
    analysis = asked([*upload, died], "New instances stay in BUILD")
    assert analysis.diagnosis.service == "nova-compute"
    assert "InvalidConfiguration" in analysis.diagnosis.summary
    assert [other.services for other in analysis.others] == [("glance-api",)]


def test_what_is_counted_is_what_the_sentence_says() -> None:
    """One answer of 41 was 500, beside sixty other errors: it is said once."""
    call = '10.0.0.5 "POST /v2.1/servers HTTP/1.1" status: {} len: 512 time: 0.4'
    answers = [line(HOUR + n, "nova-api", call.format(500 if n == 20 else 202)) for n in range(41)]
    others = [line(HOUR + n / 2 + 0.2, "nova-api", f"Beat {n} is late", "ERROR") for n in range(60)]
    told = asked([*answers, *others], "Servers cannot be created").diagnosis
    assert {"nova-api wrote this 60 times.", "nova-api answered 500 to POST /v2.1/servers."} <= {
        claim.text for claim in told.claims if claim.verified
    }


@pytest.mark.parametrize(
    ("issue", "looked_for"),
    [
        ("Swift containers cannot be listed", "Swift, containers"),
        ("Users cannot log in, keystone rejects passwords", "keystone"),
        ("Something broke around 12:20", "around 12:20 UTC"),
        ("nova-compute on compute-9 is dead", "compute-9, which no line names"),
        (f"Instance {INSTANCE} does not start", f"{INSTANCE}, which no line names"),
        ("Heat stacks cannot be created", "Heat"),
        ("The load balancer drops connections", "balancer"),
    ],
)
def test_what_no_line_tells_of_is_said_so(issue: str, looked_for: str) -> None:
    """With what was looked for; the other faults are named, and none is offered as the cause."""
    analysis = asked(FAULTS, issue)
    assert analysis.diagnosis.summary.startswith("Nothing in these logs tells of it: looked in ")
    assert looked_for in analysis.diagnosis.summary
    assert analysis.diagnosis.cause == "Unknown: nothing in these logs tells of it."
    assert analysis.diagnosis.confidence <= 0.1
    assert analysis.diagnosis.service == ""
    assert {"A disk is full", "The database cannot be reached"} <= {other.title for other in analysis.others}
    assert all("seemingly unrelated" in other.text() for other in analysis.others)


def test_an_id_that_only_harmless_lines_name_is_shown_with_these() -> None:
    """It was there, and nothing failed with it."""
    harmless = line(600, "nova-compute", f"[instance: {INSTANCE}] Resumed", host="compute-1")
    analysis = asked([*FAULTS, harmless], f"Instance {INSTANCE} does not answer")
    assert "which some lines name" in analysis.diagnosis.summary
    assert [one.text for one in analysis.evidence.lines if INSTANCE in one.text]


def test_two_that_may_be_meant_are_both_told() -> None:
    """Neither is called unrelated."""
    twice = [
        line(at, "nova-compute", f"Instance failed to spawn: {why}", "ERROR")
        for at, why in ((HOUR, "bent"), (3 * HOUR, "torn"))
    ]
    analysis = asked(twice, "Instance fails to spawn")
    (other,) = analysis.others
    assert other.rival
    assert "may mean as well" in other.text()


def refused(at: float, request: str, call: str) -> list[bytes]:
    """A request that ends in a server error for no reason that a line names."""
    answered = f'10.0.0.1 "{call} HTTP/1.1" status: 500 len: 410 time: 2.0'
    return [
        line(at, "cinder-api", f"Caught error {at}", "ERROR", request=request),
        line(at + 0.1, "cinder-api", answered, request=request),
    ]


@pytest.mark.parametrize(
    ("issue", "hour"),
    [
        ("Creating a volume fails", 1),
        ("Listing volumes returns an error", 2),
        ("Attaching a volume to an instance fails", 3),
    ],
)
def test_what_people_do_is_the_request_by_which_it_is_done(issue: str, hour: int) -> None:
    """Of three errors that read alike, the one of its request is meant."""
    calls = ("POST /v3/p/volumes", "GET /v3/p/volumes/detail", f"POST /v3/p/volumes/{INSTANCE}/action")
    requests = (f"req-{number}1111111-1111-4111-8111-111111111111" for number in (1, 2, 3))
    values = [
        value
        for number, (call, request) in enumerate(zip(calls, requests, strict=True), 1)
        for value in refused(number * HOUR, request, call)
    ]
    analysis = asked(values, issue)
    errors = [one for one in analysis.evidence.lines if one.level >= 4]
    assert {(one.time - NOON) // (3_600 * SECOND) for one in errors} == {hour}


def test_a_backend_that_the_issue_names_is_the_one_that_errors_name() -> None:
    """Not the other one that the same service lost, though more of its errors speak of messages."""
    amqp = "AMQP server on 10.0.0.1:5672 is unreachable: [Errno 111] ECONNREFUSED"
    mysql = "DBConnectionError: Can't connect to MySQL server: no reply to the message queue of report_state"
    values = [
        *(line(HOUR + n, "neutron-server", amqp, "ERROR") for n in range(3)),
        *(line(3 * HOUR + n, "neutron-server", mysql, "ERROR") for n in range(3)),
    ]
    analysis = asked(values, "neutron-server loses its message queue")
    assert analysis.diagnosis.cause.startswith("RabbitMQ cannot be reached.")
