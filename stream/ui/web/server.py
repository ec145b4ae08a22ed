"""Serves the application until it is told to stop."""

import logging
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import uvicorn

from models.errors import InvalidError
from stream.ui.web.app import Streams, make_app
from stream.ui.web.headers import LOOPBACK
from stream.ui.web.site import Site

PATIENCE_S: Final = 2
"""Seconds that requests may take to end when the server stops: a judgement; pages need milliseconds."""

BACKLOG: Final = 128
"""Connections that wait to be taken: a judgement."""


class PageServer:
    """The server and its socket; ``run`` serves until ``stop``."""

    def __init__(self, site: Site, host: str, port: int) -> None:
        """Listen; port 0 takes a free one.

        Raises:
            InvalidError: the address cannot be used.
        """
        try:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            self._socket = socket.create_server((host, port), family=family, backlog=BACKLOG)
        except (OSError, OverflowError) as error:
            raise InvalidError(f"cannot serve pages on {host}:{port} ({error})", "choose another --port") from error
        self._streams = Streams()
        own_names = LOOPBACK if host in LOOPBACK else None
        config = uvicorn.Config(
            make_app(site, own_names, self._streams),
            access_log=False,
            log_config=None,
            log_level=logging.WARNING,
            server_header=False,
            timeout_graceful_shutdown=PATIENCE_S,
            lifespan="off",
            proxy_headers=False,
            ws="none",
        )
        self._server = uvicorn.Server(config)
        self.port: int = self._socket.getsockname()[1]
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{self.port}/"

    def run(self) -> None:
        """Serve until ``stop`` is called; in the main thread also until SIGINT or SIGTERM."""
        self._server.run([self._socket])

    def stop(self) -> None:
        """End ``run``; pages that listen for news are let go."""
        self._streams.closing = True
        self._server.should_exit = True


@contextmanager
def serving(site: Site, host: str = "127.0.0.1", port: int = 0) -> Iterator[PageServer]:
    """Serve in a thread of its own while the context lasts."""
    server = PageServer(site, host, port)
    thread = threading.Thread(target=server.run, name="ui-server", daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join()


def serve_until_signal(site: Site, host: str, port: int, tell: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT; ``tell`` is called with the address.

    Raises:
        InvalidError: the address cannot be used.
    """
    ended = threading.Event()
    before = {number: signal.signal(number, lambda *_: ended.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        with serving(site, host, port) as server:
            tell(server.url)
            ended.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
