"""A local HTTP server with faults: it can refuse connections, answer errors, be slow, or never answer."""

import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from tests.ports import hold


class Fault(StrEnum):
    """How a service fails."""

    NONE = "none"
    BUSY = "429"
    ERROR = "500"
    HANG = "time-out"
    REFUSE = "refused"
    SLOW = "slow"


@dataclass(frozen=True, slots=True)
class Call:
    """One request; header names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    at: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class _Quiet(ThreadingHTTPServer):
    """A server whose clients may be killed without a word about it."""

    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


class Service:
    """A service on loopback: subclasses say in ``take`` what it does with a call."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, hang_s: float = 3.0, slow_s: float = 1.0) -> None:
        self.fault = Fault.NONE
        self.calls = 0
        self.injected = 0
        self.heard: list[Call] | None = None
        """Every call, where a test sets a list."""
        self._clock = clock
        self._hang_s = hang_s
        self._slow_s = slow_s
        self._lock = threading.Lock()
        self._listening = threading.Lock()
        self._server: _Quiet | None = None
        # While it refuses connections, its port must not go to one of somebody else.
        self._held = hold()
        self.port: int = self._held.getsockname()[1]
        self._listen()

    def take(self, call: Call) -> Answer:
        """Do what the service does."""
        raise NotImplementedError

    @property
    def url(self) -> str:
        """Return where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def fail(self, fault: Fault) -> None:
        """Fail in this way from now on."""
        with self._listening:
            self.fault = fault
            if fault is Fault.REFUSE:
                self._deafen()
            elif self._server is None:
                self._listen()

    def close(self) -> None:
        """Stop listening."""
        with self._listening:
            self._deafen()
            self._held.close()

    def __enter__(self) -> Self:
        """Return the service, listening."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop listening."""
        self.close()

    def serve(self, call: Call) -> Answer | None:
        """Take a call as the fault has it; None for no answer."""
        with self._lock:
            self.calls += 1
            turn = self.calls
            if self.heard is not None:
                self.heard.append(call)
        self.injected += self.fault is not Fault.NONE
        match self.fault:
            case Fault.BUSY:
                return Answer(429, b"", {"retry-after": "1"})
            case Fault.ERROR:
                # Now and then it has been done all the same.
                if turn % 4 == 0:
                    self._taken(call)
                return Answer(500 if turn % 2 else 503, b"injected")
            case Fault.HANG:
                if turn % 2 == 0:
                    self._taken(call)
                time.sleep(self._hang_s)
                return None
            case Fault.SLOW:
                answer = self._taken(call)
                time.sleep(self._slow_s)
                return answer
            case _:
                return self._taken(call)

    def _taken(self, call: Call) -> Answer:
        with self._lock:
            return self.take(call)

    def _listen(self) -> None:
        self._server = _Quiet(("127.0.0.1", self.port), _handler(self, self._clock))
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def _deafen(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


class Limit:
    """At most ``count`` calls in any ``seconds``."""

    def __init__(self, count: int, seconds: float) -> None:
        self._count = count
        self._seconds = seconds
        self._times: list[float] = []
        self.broken = 0

    def wait(self, now: float) -> float:
        """Count a call; returns 0, or for how long it comes too early."""
        self._times = [at for at in self._times if at > now - self._seconds]
        if len(self._times) >= self._count:
            self.broken += 1
            return self._times[0] + self._seconds - now
        self._times.append(now)
        return 0.0


def _gone(connection: socket.socket) -> bool:
    """Say whether the client has hung up."""
    try:
        return connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def _handler(service: Service, clock: Callable[[], float]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            self._do()

        def do_GET(self) -> None:
            self._do()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
            pass

        def _do(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            if _gone(self.connection):
                # Nobody waits for it any more: to do it late would make of a slow machine a service without order.
                self.close_connection = True
                return
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = service.serve(Call(self.command, self.path, headers, body, clock()))
            if answer is None or service.fault is Fault.REFUSE:
                self.close_connection = True
                return
            try:
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)
            except OSError:
                # The client has gone, as it may.
                self.close_connection = True

    return Handler
