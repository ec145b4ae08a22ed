"""A Faust app that runs inside our own program: no banner, no web server, no signals, no logging of its own."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

import faust
from faust.auth import Credentials, SASLCredentials, SSLCredentials
from faust.types import AppT

from models.errors import FatalError
from stream.kafka import faust_transport
from stream.kafka.clients import Broker
from stream.kafka.security import Security, security_of
from stream.kafka.topic_specs import MAX_MESSAGE_BYTES

REQUEST_TIMEOUT_S: Final = 30.0
SESSION_TIMEOUT_S: Final = 10.0
"""After this a silent worker's partitions go to others; never more than the request time-out, or Faust refuses."""


class QuietApp(faust.App):
    """A Faust app that leaves the working directory alone."""

    def _create_directories(self) -> None:
        """Create nothing: Tocsin keeps no tables, so Faust's data folder would stay empty."""


def create_app(group: str, broker: Broker, **settings: Any) -> faust.App:
    """Return an app whose consumer group is ``group``, with commits of our own (``faust_transport.commit``).

    Call it inside the running event loop that will serve the app.  ``settings`` are Faust's and win over ours.

    Raises InvalidError for what ``broker.extra`` says of passwords and TLS and Faust's client cannot do.
    """
    ours: dict[str, Any] = {
        "broker": [f"kafka://{address}" for address in broker.bootstrap.split(",")],
        "broker_credentials": _credentials(security_of(broker.extra)),
        "autodiscover": False,
        "value_serializer": "raw",
        "key_serializer": "raw",
        "web_enabled": False,
        # Topics are ours to create (stream.topics), and nothing elects a leader.
        "topic_disable_leader": True,
        "topic_allow_declare": False,
        "consumer_auto_offset_reset": "earliest",
        "consumer_max_fetch_size": MAX_MESSAGE_BYTES,
        "broker_session_timeout": SESSION_TIMEOUT_S,
        "broker_heartbeat_interval": SESSION_TIMEOUT_S / 4,
        "broker_request_timeout": REQUEST_TIMEOUT_S,
        "stream_wait_empty": False,
    }
    app = QuietApp(group, **{**ours, **settings})
    faust_transport.install(app)
    return app


def _credentials(security: Security) -> Credentials | None:
    """Turn what librdkafka's properties say into Faust's form; None for a connection in clear."""
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

    Faust's own Worker would take over logging, signals and the process's end; here they stay with the caller.  Faust
    only records that it crashed: serve stops then, without draining, and raises it as FatalError.
    """
    await app.start()
    told, stopped = asyncio.create_task(until.wait()), asyncio.create_task(app.wait_until_stopped())
    try:
        await asyncio.wait([told, stopped], return_when=asyncio.FIRST_COMPLETED)
        if drain is not None and not app.crashed:
            await drain()
    finally:
        told.cancel()
        await app.stop()
        # Ends by itself now.  Cancelled, it would leave a task of its own that waits for ever.
        await stopped
    if app.crash_reason is not None:
        raise FatalError(
            f"the stream of {app.conf.id} stopped: {app.crash_reason!r}", "restart the role"
        ) from app.crash_reason
