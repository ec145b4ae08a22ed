"""The endpoint that takes clicks on Slack's buttons and writes votes to ``feedback``."""

import logging
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Self

from alerts.messages.feedback import Feedback
from alerts.monitoring.metrics import Metrics
from alerts.sinks.slack.interactions import MAX_BODY, SignatureVerifier, votes_of
from models.errors import InvalidError, TocsinError
from models.rfc3339 import SECOND

log = logging.getLogger(__name__)

PATH: Final = "/slack/votes"
PATIENCE_S: Final = 5.0
"""A client that sends more slowly is let go."""

LOOK_S: Final = 0.1
"""How often it is looked whether to close."""

MAX_CLIENTS: Final = 32
"""More at once are turned away: Slack sends one at a time."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # A connection that finds no room here is asked for again only after a second or more.
    request_queue_size = MAX_CLIENTS

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._places = threading.BoundedSemaphore(MAX_CLIENTS)
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._places.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - as the library calls it
        log.debug("a client of the votes endpoint broke off")


class VotesServer:
    """A small HTTP server; ``record`` stores a vote, and has stored it when it returns."""

    def __init__(  # noqa: PLR0913 - an address, a secret, and what it is connected to
        self,
        host: str,
        port: int,
        secret: str,
        record: Callable[[Feedback], None],
        metrics: Metrics,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Listen; port 0 takes a free one.  Raises InvalidError when the address cannot be used."""
        self._gate = SignatureVerifier(secret)
        self._record = record
        self._metrics = metrics
        self._clock = clock
        # One vote at a time: the gate remembers what it has seen.
        self._lock = threading.Lock()
        try:
            self._server = _Server((host, port), _handler(self))
        except (OSError, OverflowError) as error:
            raise InvalidError(
                f"cannot take votes on {host}:{port} ({error})", "set TOCSIN_VOTES_PORT (0 turns them off)"
            ) from error
        self._thread = threading.Thread(target=self._server.serve_forever, args=(LOOK_S,), daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """Return the port that it listens on."""
        return self._server.server_port

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        """Return the endpoint, listening."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop listening."""
        self.close()

    def take(self, body: bytes, stamp: str, signature: str) -> int:
        """Take one request; returns the HTTP status."""
        now = self._clock()
        with self._lock:
            if not self._gate.admits(body, stamp, signature, now):
                return self._refused(401)
            try:
                votes = votes_of(body, int(now * SECOND))
            except InvalidError as error:
                log.warning("%s", error)
                return self._refused(400)
            try:
                for vote in votes:
                    self._record(vote)
            except TocsinError as error:
                # Slack shows the person that it failed; the click can be made again.
                log.error("a vote was not stored: %s", error)  # noqa: TRY400 - the message says it all
                return self._refused(503)
        self._metrics.vote_requests.labels("taken").inc()
        return 200

    def _refused(self, status: int) -> int:
        self._metrics.vote_requests.labels("refused").inc()
        return status


def _handler(votes: VotesServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = PATIENCE_S

        def do_POST(self) -> None:
            length = self.headers.get("content-length", "")
            if self.path != PATH or not length.isdecimal() or int(length) > MAX_BODY:
                self._answer(404 if self.path != PATH else 413)
                return
            body = self.rfile.read(int(length))
            stamp = self.headers.get("x-slack-request-timestamp", "")
            self._answer(votes.take(body, stamp, self.headers.get("x-slack-signature", "")))

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
            """Say nothing: the metrics count."""

        def _answer(self, status: int) -> None:
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

    return Handler
