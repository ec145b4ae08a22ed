"""The endpoint for votes: what Slack signed is stored, once; all else is refused."""

import http.client
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self
from urllib.parse import urlencode

import orjson
import pytest
from prometheus_client import CollectorRegistry

from alerts.messages.feedback import Feedback, Opinion
from alerts.monitoring.metrics import Metrics
from alerts.monitoring.server_tls import server_tls
from alerts.sinks.slack.interactions import MAX_BODY, sign
from models.errors import InvalidError, TransientError
from stream.deliver.votes_server import MAX_CLIENTS, PATH, VotesServer
from tests.certificates import TestAuthority
from tests.waiting import PATIENCE_S

SECRET = "only-for-tests"  # noqa: S105
INCIDENT = "0123456789abcdef0123456789abcdef"


def click(opinion: str = "noise", incident: str = INCIDENT) -> bytes:
    """Return the body of a click, as Slack sends it."""
    payload = {
        "type": "block_actions",
        "user": {"id": "U1", "username": "ada"},
        "team": {"id": "T1"},
        "actions": [{"action_id": f"tocsin_vote_{opinion}", "value": incident}],
    }
    return urlencode({"payload": orjson.dumps(payload).decode()}).encode()


class Endpoint:
    """A running endpoint, and what it has stored."""

    def __init__(self) -> None:
        self.stored: list[Feedback] = []
        self.broken = False
        self.registry = CollectorRegistry()
        self.votes = VotesServer("127.0.0.1", 0, SECRET, self._record, Metrics.on(self.registry))

    def _record(self, feedback: Feedback) -> None:
        if self.broken:
            raise TransientError("Kafka is away; it is tried again")
        self.stored.append(feedback)

    def post(self, body: bytes, *, age_s: float = 0.0, secret: str = SECRET, path: str = PATH, stamp: str = "") -> int:
        """Send a request signed with a secret; returns the status."""
        stamp = stamp or str(int(time.time() - age_s))
        headers = {"x-slack-request-timestamp": stamp, "x-slack-signature": sign(secret, stamp, body)}
        connection = http.client.HTTPConnection("127.0.0.1", self.votes.port, timeout=PATIENCE_S)
        try:
            connection.request("POST", path, body, headers)
            return connection.getresponse().status
        finally:
            connection.close()

    def __enter__(self) -> Self:
        """Return the endpoint, listening."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop listening."""
        self.votes.close()


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    """Give an endpoint that listens."""
    with Endpoint() as endpoint:
        yield endpoint


def test_a_signed_click_becomes_a_vote(endpoint: Endpoint) -> None:
    """Of the person that Slack vouches for; *known* ends by itself."""
    assert endpoint.post(click()) == 200
    assert endpoint.post(click("known")) == 200
    noise, known = endpoint.stored
    assert (noise.incident_id, noise.opinion, noise.by) == (INCIDENT, Opinion.NOISE, "slack:T1/U1")
    assert known.expires is not None
    assert endpoint.registry.get_sample_value("tocsin_vote_requests_total", {"outcome": "taken"}) == 2


def test_what_is_forged_old_or_seen_is_refused(endpoint: Endpoint) -> None:
    """Nothing of it is stored."""
    stamp = str(int(time.time()))
    assert endpoint.post(click(), secret="other") == 401
    assert endpoint.post(click(), age_s=400) == 401
    assert endpoint.post(click(), age_s=-400) == 401
    assert endpoint.post(click(), stamp="now") == 401
    assert endpoint.post(click(), stamp=stamp) == 200
    assert endpoint.post(click(), stamp=stamp) == 401
    assert len(endpoint.stored) == 1


@pytest.mark.parametrize(
    "body", [b"", b"payload={}", b"payload=[]", b"payload=x", b"\xff", click("nothing"), click(incident="../../etc")]
)
def test_what_makes_no_sense_is_refused(endpoint: Endpoint, body: bytes) -> None:
    """Even when it is signed."""
    assert endpoint.post(body) == 400
    assert endpoint.stored == []


def test_other_clicks_are_taken_and_store_nothing(endpoint: Endpoint) -> None:
    """A link is a button too."""
    payload = {"type": "block_actions", "user": {"id": "U1"}, "actions": [{"action_id": "tocsin_link_0"}]}
    assert endpoint.post(urlencode({"payload": orjson.dumps(payload).decode()}).encode()) == 200
    assert endpoint.stored == []


def test_a_vote_that_is_not_stored_is_not_confirmed(endpoint: Endpoint) -> None:
    """Slack shows that it failed, and it can be clicked again."""
    endpoint.broken = True
    assert endpoint.post(click()) == 503


def test_other_paths_and_big_bodies_are_refused(endpoint: Endpoint) -> None:
    """Before anything of them is read."""
    assert endpoint.post(click(), path="/") == 404
    connection = http.client.HTTPConnection("127.0.0.1", endpoint.votes.port, timeout=PATIENCE_S)
    connection.putrequest("POST", PATH)
    connection.putheader("content-length", str(MAX_BODY + 1))
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()


def test_clients_that_only_hold_the_line_are_turned_away_and_let_go(
    endpoint: Endpoint,
) -> None:
    """Their number is bounded, and their places are given back."""
    address = ("127.0.0.1", endpoint.votes.port)
    *lines, extra = [socket.create_connection(address, timeout=PATIENCE_S) for _ in range(MAX_CLIENTS + 1)]
    assert extra.recv(1) == b""
    for line in (*lines, extra):
        line.close()
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            assert endpoint.post(click()) == 200
            break
        except (ConnectionError, http.client.HTTPException):
            assert time.monotonic() < deadline
            time.sleep(0.1)


def test_an_address_in_use_says_which_setting(endpoint: Endpoint) -> None:
    """The port's."""
    with pytest.raises(InvalidError, match="TOCSIN_VOTES_PORT"):
        VotesServer("127.0.0.1", endpoint.votes.port, SECRET, endpoint._record, Metrics.on(CollectorRegistry()))


def test_votes_come_encrypted(tmp_path: Path) -> None:
    """To who trusts the authority."""
    authority = TestAuthority(tmp_path)
    files = authority.issue("tocsin")
    stored: list[Feedback] = []
    tls = server_tls(files.certificate, files.key)
    with VotesServer("127.0.0.1", 0, SECRET, stored.append, Metrics.on(CollectorRegistry()), tls=tls) as votes:
        body, stamp = click(), str(int(time.time()))
        headers = {"x-slack-request-timestamp": stamp, "x-slack-signature": sign(SECRET, stamp, body)}
        trusted = ssl.create_default_context(cafile=str(authority.file))
        connection = http.client.HTTPSConnection("127.0.0.1", votes.port, timeout=PATIENCE_S, context=trusted)
        try:
            connection.request("POST", PATH, body, headers)
            assert connection.getresponse().status == 200
        finally:
            connection.close()
    assert len(stored) == 1
