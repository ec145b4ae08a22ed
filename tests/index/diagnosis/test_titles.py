"""What an alert is called by: a sentence that says what is wrong, and a short quote of the words that tell it."""

from index.diagnosis.rule_based import diagnose
from index.diagnosis.types import Diagnosis
from index.evidence.gather import gather
from tests.index.cloud import fired, line, material, templates

QUIET = [line(at, "nova-api", f"Beat {at}") for at in range(-60, 0)]
RABBIT = (
    '{{"log":"2026-03-04 12:00:{} [error] <0.1219.0> {}","path":"/var/log/rabbitmq/rabbitmq.log","host":"ctl",'
    '"tenant":"cloud"}}'
)
UWSGI = (
    '{"log":"[pid: 9803|app: 0|req: 4710/4710] 127.0.0.1 () {30 vars in 632 bytes} [Wed Mar  4 12:00:05 2026] POST '
    '/v2.1/servers => generated 228 bytes in 70 msecs (HTTP/1.1 403) 4 headers in 1 bytes (1 switches on core 0)",'
    '"path":"/var/log/nova/nova-api-uwsgi.log","host":"ctl","tenant":"cloud"}'
)


def said(values: list[bytes]) -> Diagnosis:
    """The diagnosis of lines behind a quiet minute."""
    return diagnose(gather(material([*QUIET, *values]), [fired()], known=templates(QUIET)))


def test_a_backend_that_several_miss_is_the_title_and_not_the_first_line() -> None:
    """It is as sure as if it had begun there; the words of one of them are quoted up to the end of their sentence."""
    error = RABBIT.format(
        "01.289911+00:00", "Error on AMQP connection <0.1219.0> (10.0.0.5:42148), channel 0:"
    ).encode()
    lost = "AMQP server on 10.0.0.1:5672 is unreachable: [Errno 111] ECONNREFUSED. Trying again in 1 seconds."
    others = [line(2 + n, service, lost, "ERROR") for n, service in enumerate(("nova-api", "cinder-api", "glance-api"))]
    told = said([error, *others])
    assert told.summary.startswith(
        "RabbitMQ cannot be reached: nova-api on node-1 says “AMQP server on 10.0.0.1:5672 is unreachable: [Errno 111] "
        "ECONNREFUSED”. First sign: rabbitmq on ctl failed at 12:00:01 UTC."
    )
    assert told.service == "rabbitmq"
    assert told.confidence == 0.72


def test_who_is_called_goes_before_the_refused_connection() -> None:
    """The first line only says that nobody listens at an address; the next one says whose it is."""
    url = "Unable to establish connection to http://127.0.0.1:18778/resource_providers: [Errno 111] Connection refused"
    lines = [
        line(2, "nova-compute", f"ConnectFailure: {url}", "ERROR"),
        *(line(3 + n, "nova-compute", "Placement API service is not responding.", "WARNING") for n in range(10)),
    ]
    told = said(lines)
    assert told.cause.startswith("Placement cannot be reached.")
    assert "{" not in told.cause + told.summary


def test_a_quoted_line_has_no_header() -> None:
    """Neither that of RabbitMQ nor that of uWSGI's request log."""
    error = RABBIT.format("01.289911+00:00", "Something is bent").encode()
    assert said([error]).summary == "rabbitmq on ctl failed at 12:00:01 UTC: Something is bent."


def test_a_refusal_is_told_in_the_words_of_the_project() -> None:
    """Also where no line is an error, and another log of the same project shows it first."""
    refused = "HTTP exception thrown: Quota exceeded for instances: Requested 1, but already used 3 of 0 instances"
    told = said([UWSGI.encode(), line(5.5, "nova-api", refused)])
    assert told.cause.startswith("A quota is used up.")
    assert "“Quota exceeded for instances: Requested 1, but already used 3 of 0 instances”" in told.summary
    assert "[pid:" not in told.summary
    assert told.confidence > 0.5


def test_a_refused_login_says_who_is_refused_by_whom() -> None:
    """With the status."""
    text = "Unauthorized: The request you have made requires authentication. (HTTP 401)"
    told = said([line(5, "nova-scheduler", text, "CRITICAL")])
    assert told.cause.startswith(
        "A service's login is refused. Keystone refuses the login of nova-scheduler (HTTP 401)"
    )
    assert told.service == "nova-scheduler"


def test_a_full_image_store_is_not_just_a_failing_one() -> None:
    """The first step is to look at its space."""
    text = "Image storage media is full: There is not enough disk space on the image storage media."
    told = said([line(5, "glance-api", text, "ERROR")])
    assert told.cause.startswith("The image store fails for lack of space.")
    assert told.actions[0].startswith("On node-1: df -h")
