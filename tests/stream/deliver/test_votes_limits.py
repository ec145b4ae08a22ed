"""The endpoint for votes against clients that mean no good: slow, many, or talking nonsense."""

import gzip
import logging
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from stream.deliver import votes_server
from stream.deliver.votes_server import MAX_CLIENTS, PATH
from tests.stream.deliver.test_votes_server import Endpoint, click, endpoint
from tests.waiting import PATIENCE_S

__all__ = ["endpoint"]


def raw(endpoint: Endpoint, data: bytes) -> bytes:
    """Send bytes, and return all that comes back until the server hangs up."""
    with socket.create_connection(("127.0.0.1", endpoint.votes.port), timeout=PATIENCE_S) as line:
        line.sendall(data)
        answer = b""
        while chunk := line.recv(4096):
            answer += chunk
        return answer


def test_a_burst_of_votes_is_taken_without_waiting_for_seconds(endpoint: Endpoint) -> None:
    """As many at once as there may be clients: none of them has to ask again."""
    began = time.monotonic()
    with ThreadPoolExecutor(MAX_CLIENTS) as pool:
        incidents = [f"{number:032x}" for number in range(MAX_CLIENTS)]
        statuses = list(pool.map(lambda incident: endpoint.post(click(incident=incident)), incidents))
    assert statuses == [200] * MAX_CLIENTS
    assert sorted(vote.incident_id for vote in endpoint.stored) == incidents
    assert time.monotonic() - began < PATIENCE_S


@pytest.mark.parametrize("begun", [b"", b"POST ", b"POST %s HTTP/1.1\r\nhost: x\r\n" % PATH.encode()])
def test_who_does_not_finish_the_headers_is_let_go(monkeypatch: pytest.MonkeyPatch, begun: bytes) -> None:
    """After the time that a client has; nothing is answered."""
    monkeypatch.setattr(votes_server, "PATIENCE_S", 0.2)
    with Endpoint() as endpoint:
        assert raw(endpoint, begun) == b""


def test_who_does_not_finish_the_body_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """With 408."""
    monkeypatch.setattr(votes_server, "PATIENCE_S", 0.2)
    with Endpoint() as endpoint:
        head = b"POST %s HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nabc" % PATH.encode()
        assert raw(endpoint, head).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"nonsense\r\n\r\n", b" 400 "),
        (b"POST %s HTTP/1.1\r\nno header\r\n\r\n" % PATH.encode(), b" 400 "),
        (b"GET %s HTTP/1.1\r\nhost: x\r\n\r\n" % PATH.encode(), b" 405 "),
        (b"POST %s HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n" % PATH.encode(), b" 413 "),
    ],
)
def test_nonsense_is_refused_without_noise(
    endpoint: Endpoint, caplog: pytest.LogCaptureFixture, data: bytes, status: bytes
) -> None:
    """A scanner must not fill the logs."""
    with caplog.at_level(logging.INFO):
        assert status in raw(endpoint, data).split(b"\r\n")[0]
    assert caplog.records == []


def test_who_breaks_off_leaves_no_trace(endpoint: Endpoint, caplog: pytest.LogCaptureFixture) -> None:
    """In the middle of a body; the next client is served."""
    with caplog.at_level(logging.INFO):
        with socket.create_connection(("127.0.0.1", endpoint.votes.port), timeout=PATIENCE_S) as line:
            line.sendall(b"POST %s HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nabc" % PATH.encode())
        assert endpoint.post(click()) == 200
        endpoint.votes.close()
    assert caplog.records == []


def test_a_packed_body_is_not_unpacked(endpoint: Endpoint) -> None:
    """It could grow without bound, and Slack signs what it sends: a packed body has no valid signature."""
    body = gzip.compress(bytes(10_000_000))
    head = b"POST %s HTTP/1.1\r\nhost: x\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % (
        PATH.encode(),
        len(body),
    )
    assert raw(endpoint, head + body).startswith(b"HTTP/1.1 401 ")
