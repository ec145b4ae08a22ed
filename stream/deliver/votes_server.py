"""The endpoint that takes clicks on Slack's buttons and writes votes to ``feedback``.

It may face the internet: the number of clients, the size of a body and the time to send a request are bounded, one
request is answered per connection, and bodies are not unpacked.
"""

import asyncio
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Final, Self

from aiohttp import web

from alerts.messages.feedback import Feedback
from alerts.monitoring.metrics import Metrics
from alerts.sinks.slack.interactions import MAX_BODY, SignatureVerifier, votes_of
from models.errors import InvalidError, TocsinError
from models.rfc3339 import SECOND

log = logging.getLogger(__name__)

# A scanner's malformed requests must not fill the logs; failures of our own are logged in `_answer`.
_http_log = logging.getLogger(f"{__name__}.http")
_http_log.setLevel(logging.CRITICAL)

PATH: Final = "/slack/votes"
PATIENCE_S: Final = 5.0
"""Seconds that a client may take for the headers of its request, and again for the body: a judgement, Slack itself
waits 3 s for an answer."""

MAX_CLIENTS: Final = 32
"""Connections at once; more are turned away.  A judgement: Slack sends one request at a time."""


class _LimitedServer(web.Server):
    """Closes every connection beyond ``MAX_CLIENTS`` at once."""

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        if len(self.connections) > MAX_CLIENTS:
            transport.close()


class VotesServer:
    """An HTTP server in a thread of its own; ``record`` stores a vote, and has stored it when it returns."""

    def __init__(  # noqa: PLR0913 - an address, a secret, and what it is connected to
        self,
        host: str,
        port: int,
        secret: str,
        record: Callable[[Feedback], None],
        metrics: Metrics,
        clock: Callable[[], float] = time.time,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Listen, with ``tls`` encrypted; port 0 takes a free one.

        Raises:
            InvalidError: the address cannot be used.
        """
        self._verifier = SignatureVerifier(secret)
        self._record = record
        self._metrics = metrics
        self._clock = clock
        self._tls = tls
        # One vote at a time, beside the event loop: storing waits for Kafka, and the verifier remembers what it saw.
        self._storing = ThreadPoolExecutor(max_workers=1, thread_name_prefix="votes")
        try:
            # A connection that finds no room in the backlog is tried again by its client only after a second or more.
            self._socket = socket.create_server((host, port), backlog=MAX_CLIENTS)
        except (OSError, OverflowError) as error:
            raise InvalidError(
                f"cannot take votes on {host}:{port} ({error})", "set TOCSIN_VOTES_PORT (0 turns them off)"
            ) from error
        self._port: int = self._socket.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._closing = asyncio.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """Return the port that it listens on."""
        return self._port

    def close(self) -> None:
        """Stop listening, and wait for the request that is being stored."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._closing.set)
            self._thread.join()
        self._storing.shutdown()

    def __enter__(self) -> Self:
        """Return the endpoint, listening."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop listening."""
        self.close()

    def take(self, body: bytes, stamp: str, signature: str) -> int:
        """Take one request, signed at ``stamp``, and return the HTTP status; one at a time."""
        now = self._clock()
        if not self._verifier.admits(body, stamp, signature, now):
            return self._refused(HTTPStatus.UNAUTHORIZED)
        try:
            votes = votes_of(body, int(now * SECOND))
        except InvalidError as error:
            log.warning("%s", error)
            return self._refused(HTTPStatus.BAD_REQUEST)
        try:
            for vote in votes:
                self._record(vote)
        except TocsinError as error:
            # Slack shows the person that it failed; the click can be made again.
            log.error("a vote was not stored: %s", error)  # noqa: TRY400 - the message says it all
            return self._refused(HTTPStatus.SERVICE_UNAVAILABLE)
        self._metrics.vote_requests.labels("taken").inc()
        return HTTPStatus.OK

    def _refused(self, status: int) -> int:
        self._metrics.vote_requests.labels("refused").inc()
        return status

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        server = _LimitedServer(
            self._answer,
            keepalive_timeout=PATIENCE_S,
            lingering_time=PATIENCE_S,
            auto_decompress=False,
            access_log=None,
            logger=_http_log,
        )
        # Its patience with handshakes is that with headers.
        patience = None if self._tls is None else PATIENCE_S
        listener = await self._loop.create_server(
            server, sock=self._socket, backlog=MAX_CLIENTS, ssl=self._tls, ssl_handshake_timeout=patience
        )
        async with listener:
            await self._closing.wait()
            listener.close()
            await server.shutdown(PATIENCE_S)

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        try:
            status = await self._status(request)
        except Exception:
            log.exception("a request for a vote failed")
            status = HTTPStatus.INTERNAL_SERVER_ERROR
        response = web.Response(status=status)
        response.force_close()
        return response

    async def _status(self, request: web.BaseRequest) -> int:
        if request.path != PATH:
            return HTTPStatus.NOT_FOUND
        if request.method != "POST":
            return HTTPStatus.METHOD_NOT_ALLOWED
        if request.content_length is None or request.content_length > MAX_BODY:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        try:
            async with asyncio.timeout(PATIENCE_S):
                body = await request.read()
        except TimeoutError:
            return HTTPStatus.REQUEST_TIMEOUT
        except (OSError, web.RequestPayloadError):
            # The client broke off: nobody reads the answer.
            return HTTPStatus.BAD_REQUEST
        stamp = request.headers.get("x-slack-request-timestamp", "")
        signature = request.headers.get("x-slack-signature", "")
        return await self._loop.run_in_executor(self._storing, self.take, body, stamp, signature)
