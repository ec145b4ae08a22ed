"""A local HTTP server that behaves like Slack, PagerDuty and Alertmanager, to show that alerts arrive."""

import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Self

import orjson

TOKEN: Final = "xoxb-demo"  # noqa: S105 - for the receiver below
ROUTING_KEY: Final = "demo" * 8
CHANNEL: Final = "demo"
POST_INTERVAL_S: Final = 1.0
"""Slack accepts one message per second and channel: its documented rate limit."""


@dataclass(slots=True)
class Received:
    """What each service holds."""

    messages: dict[str, str] = field(default_factory=dict)
    """Slack, outside of threads: ts → current text."""
    replies: int = 0
    updates: int = 0
    pages: dict[str, bool] = field(default_factory=dict)
    """PagerDuty: dedup key → whether it is resolved."""
    alerts: dict[str, str] = field(default_factory=dict)
    """Alertmanager: labels → time at which it ends."""

    def lines(self, now: str) -> list[str]:
        """Return what arrived as lines of text; ``now`` is the time as Alertmanager's API has it."""
        resolved = sum("RESOLVED" in text for text in self.messages.values())
        ended = sum(self.pages.values())
        firing = sum(end > now for end in self.alerts.values())
        chat = f"{len(self.messages)} messages, {self.updates} updates, {self.replies} replies; {resolved} resolved"
        return [
            "delivered to a local receiver:",
            f"  Slack         {chat}",
            f"  PagerDuty     {len(self.pages)} pages; {ended} resolved",
            f"  Alertmanager  {len(self.alerts)} alerts; {len(self.alerts) - firing} resolved",
        ]


class Receiver:
    """The server; use it as a context manager."""

    def __init__(self) -> None:
        self.received = Received()
        self._lock = threading.Lock()
        self._posted = 0.0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        """Return its address."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        """Start to listen."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def take(self, path: str, body: Any) -> tuple[int, dict[str, str], bytes]:
        """Handle a request; return status, headers and body of the response."""
        with self._lock:
            match path.rsplit("/", 1)[-1]:
                case "chat.postMessage" if time.monotonic() - self._posted < POST_INTERVAL_S:
                    return 429, {"retry-after": "1"}, b""
                case "chat.postMessage":
                    self._posted = time.monotonic()
                    return 200, {}, orjson.dumps({"ok": True, "ts": self._post(body), "channel": CHANNEL})
                case "chat.update" if body["ts"] in self.received.messages:
                    self.received.updates += 1
                    self.received.messages[body["ts"]] = body["text"]
                    return 200, {}, b'{"ok":true}'
                case "chat.update":
                    return 200, {}, b'{"ok":false,"error":"message_not_found"}'
                case "conversations.history" | "conversations.replies":
                    return 200, {}, b'{"ok":true,"messages":[]}'
                case "enqueue":
                    self._event(body["event_action"], body["dedup_key"])
                    return 202, {}, b'{"status":"success"}'
                case "alerts":
                    for alert in body:
                        self.received.alerts[str(sorted(alert["labels"].items()))] = alert["endsAt"]
                    return 200, {}, b""
                case _:
                    return 404, {}, b""

    def _post(self, body: Any) -> str:
        ts = f"{time.time():.6f}"
        if body.get("thread_ts"):
            self.received.replies += 1
        else:
            self.received.messages[ts] = body["text"]
        return ts

    def _event(self, action: str, key: str) -> None:
        # As at PagerDuty: an event that resolves or acknowledges an unknown incident is dropped.
        if action == "trigger" or key in self.received.pages:
            self.received.pages[key] = action == "resolve"


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            self._answer(*receiver.take(self.path, orjson.loads(body)))

        def do_GET(self) -> None:
            self._answer(*receiver.take(self.path.partition("?")[0], None))

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
            """Log nothing."""

        def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler
