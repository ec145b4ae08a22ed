"""A Faust app inside our own program: no banner, no web server, no signal handlers, no log set-up of its own."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

import faust
from aiokafka.abc import AbstractTokenProvider
from aiokafka.errors import KafkaConnectionError
from faust.auth import Credentials, OAuthCredentials, SASLCredentials, SSLCredentials
from faust.types import AppT

from models.errors import FatalError, TocsinError
from stream.kafka import faust_transport
from stream.kafka.clients import METADATA_MS, Broker
from stream.kafka.security import Security, security_of
from stream.kafka.security.tokens import TokenSource
from stream.kafka.topic_specs import MAX_MESSAGE_BYTES

REQUEST_TIMEOUT_S: Final = 30.0
"""Longest time of one request to the cluster.  A judgement."""

SESSION_TIMEOUT_S: Final = 10.0
"""After this time a silent worker's partitions go to others: the same as for our other consumers.  Faust refuses more
than the request timeout."""


class QuietApp(faust.App):
    """A Faust app that leaves the working directory alone."""

    def _create_directories(self) -> None:
        """Create nothing: Tocsin keeps no tables, so Faust's data folder would stay empty."""


def create_app(group: str, broker: Broker, **settings: Any) -> faust.App:
    """Return an app whose consumer group is ``group``, with commits of our own (``faust_transport.commit``).

    Call it inside the running event loop that will serve the app.  ``settings`` are Faust's and win over ours.

    Raises:
        InvalidError: ``broker.extra`` holds settings of passwords or TLS that Faust's client does not support.
    """
    defaults: dict[str, Any] = {
        "broker": [f"kafka://{address}" for address in broker.bootstrap.split(",")],
        "broker_credentials": _credentials(security_of(broker.extra)),
        "autodiscover": False,
        "value_serializer": "raw",
        "key_serializer": "raw",
        "web_enabled": False,
        # Topics are created by stream.kafka.clients, and nothing here needs a leader.
        "topic_disable_leader": True,
        "topic_allow_declare": False,
        "consumer_auto_offset_reset": "earliest",
        "consumer_max_fetch_size": MAX_MESSAGE_BYTES,
        "broker_session_timeout": SESSION_TIMEOUT_S,
        "broker_heartbeat_interval": SESSION_TIMEOUT_S / 4,
        "broker_request_timeout": REQUEST_TIMEOUT_S,
        "consumer_metadata_max_age_ms": METADATA_MS,
        "stream_wait_empty": False,
    }
    app = QuietApp(group, **{**defaults, **settings})
    faust_transport.install(app)
    return app


class SharedTokens(AbstractTokenProvider):  # type: ignore[misc]  # it has no types
    """The process's source of tokens, as aiokafka asks for them: at every new connection."""

    def __init__(self, source: TokenSource) -> None:
        self._source = source

    async def token(self) -> str:
        """Return a token, off the event loop, for the provider may have to be asked."""
        try:
            token, _ = await asyncio.to_thread(self._source.token)
        except TocsinError as error:
            # What its client takes for a connection that failed: it logs it, and tries again.
            raise KafkaConnectionError(str(error)) from error
        return token


def _credentials(security: Security) -> Credentials | None:
    """Return the credentials in Faust's form; None for a connection without password and TLS."""
    if security.tokens is not None:
        return OAuthCredentials(oauth_cb=SharedTokens(security.tokens), ssl_context=security.tls)
    if security.mechanism:
        return SASLCredentials(
            username=security.username,
            password=security.password,
            ssl_context=security.tls,
            mechanism=security.mechanism,
        )
    return SSLCredentials(security.tls) if security.tls is not None else None


async def serve(app: AppT, until: asyncio.Event, drain: Callable[[], Awaitable[None]] | None = None) -> None:
    """Run the app until the event is set, then call ``drain`` (last commits are possible there) and stop the app.

    Faust's own Worker would take over logging, signals and the end of the process; here they stay with the caller.

    Raises:
        FatalError: Faust crashed, which it only records; then nothing was drained.
    """
    await app.start()
    requested, stopped = asyncio.create_task(until.wait()), asyncio.create_task(app.wait_until_stopped())
    try:
        await asyncio.wait([requested, stopped], return_when=asyncio.FIRST_COMPLETED)
        if drain is not None and not app.crashed:
            await drain()
    finally:
        requested.cancel()
        await app.stop()
        # It ends by itself now; cancelled, it would leave a task of Faust's that waits for ever.
        await stopped
    if app.crash_reason is not None:
        raise FatalError(
            f"the stream of {app.conf.id} stopped: {app.crash_reason!r}", "restart the role"
        ) from app.crash_reason
