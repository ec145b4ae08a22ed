"""Serve over HTTP a registry's metrics for Prometheus, and a process's health for who restarts it."""

import hmac
import ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from threading import Thread
from typing import TYPE_CHECKING
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, start_http_server

from alerts.monitoring.health import LoopHealth
from models.errors import InvalidError

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment


@dataclass(frozen=True, slots=True)
class MetricsServer:
    """A running server; ``port`` is the one it listens on."""

    port: int
    server: WSGIServer
    thread: Thread

    def stop(self) -> None:
        """Stop listening and end the server's thread."""
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def serve_metrics(  # noqa: PLR0913 - an address, what is served, and to whom
    registry: CollectorRegistry,
    port: int,
    host: str = "0.0.0.0",  # noqa: S104 - Prometheus scrapes from outside
    health: LoopHealth | None = None,
    tls: ssl.SSLContext | None = None,
    token: str = "",
) -> MetricsServer:
    """Serve ``registry`` from a thread of its own; port 0 takes a free one.

    ``/healthz`` and ``/readyz`` answer 200 and ``ok``, or 503 and a line for each reason; every other path has the
    metrics, for whom shows the ``token`` as ``Authorization: Bearer``, if one is set.  Probes cannot show one.

    Raises:
        InvalidError: the address cannot be used.
    """
    try:
        server, thread = start_http_server(port, host, registry)
    except (OSError, OverflowError) as error:
        raise InvalidError(
            f"cannot serve metrics on {host}:{port} ({error})", "set TOCSIN_METRICS_PORT (0 turns them off)"
        ) from error
    metrics = server.get_app()
    assert metrics is not None  # noqa: S101 - start_http_server has set it
    server.set_app(_with_health(_for_bearer(metrics, token), health or LoopHealth()))
    if tls is not None:
        # The handshake is made in the request's thread: a client that never makes its part holds up no probe.
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    return MetricsServer(server.server_port, server, thread)


def _for_bearer(metrics: "WSGIApplication", token: str) -> "WSGIApplication":
    """Return the application, asking for a bearer token (RFC 6750) if there is one."""
    expected = f"Bearer {token}".encode()

    def answer(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        # WSGI decodes headers as Latin-1.
        if hmac.compare_digest(str(environ.get("HTTP_AUTHORIZATION", "")).encode("latin-1"), expected):
            return metrics(environ, start_response)
        status = HTTPStatus.UNAUTHORIZED
        headers = [("Content-Type", "text/plain; charset=utf-8"), ("WWW-Authenticate", "Bearer")]
        start_response(f"{status.value} {status.phrase}", headers)
        return [b"send the token of TOCSIN_METRICS_TOKEN as Authorization: Bearer\n"]

    return answer if token else metrics


def _with_health(metrics: "WSGIApplication", health: LoopHealth) -> "WSGIApplication":
    answers: dict[str, Callable[[], list[str]]] = {"/healthz": health.stuck, "/readyz": health.waiting}

    def answer(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        problems_of = answers.get(environ["PATH_INFO"])
        if problems_of is None:
            return metrics(environ, start_response)
        problems = problems_of()
        status = HTTPStatus.SERVICE_UNAVAILABLE if problems else HTTPStatus.OK
        start_response(f"{status.value} {status.phrase}", [("Content-Type", "text/plain; charset=utf-8")])
        return ["".join(f"{line}\n" for line in problems or ["ok"]).encode()]

    return answer
