"""Serve a registry's metrics over HTTP for Prometheus to scrape."""

from dataclasses import dataclass
from threading import Thread
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, start_http_server

from models.errors import InvalidError


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


def serve_metrics(registry: CollectorRegistry, port: int, host: str = "0.0.0.0") -> MetricsServer:  # noqa: S104 - Prometheus scrapes from outside
    """Serve ``registry`` on every path of ``host:port`` from a thread of its own; port 0 takes a free one.

    Raises:
        InvalidError: the address cannot be used.
    """
    try:
        server, thread = start_http_server(port, host, registry)
    except (OSError, OverflowError) as error:
        raise InvalidError(
            f"cannot serve metrics on {host}:{port} ({error})", "set TOCSIN_METRICS_PORT (0 turns them off)"
        ) from error
    return MetricsServer(server.server_port, server, thread)
