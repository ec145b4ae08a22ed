"""What the demo delivers to: a local server that answers as Slack, PagerDuty and Alertmanager do, and keeps count."""

import threading
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Self

import orjson

SLACK_TOKEN: Final = "xoxb-demo"  # noqa: S105 - opens nothing
SLACK_CHANNEL: Final = "demo"
PAGERDUTY_KEY: Final = "0" * 32


@dataclass(slots=True)
class Received:
    """What has arrived, by service."""

    messages: dict[str, list[str]] = field(default_factory=dict)
    """Slack: the texts of each message of the channel, the newest last."""
    replies: int = 0
    """Slack: messages in threads."""
    pages: dict[str, list[str]] = field(default_factory=dict)
    """PagerDuty: the actions on each key."""
    alerts: dict[bytes, str] = field(default_factory=dict)
    """Alertmanager: when each set of labels ends."""

    def slack(self, method: str, body: dict[str, Any]) -> dict[str, Any]:
        """Answer one call of Slack's web API."""
        if method == "chat.update":
            if body["ts"] not in self.messages:
                return {"ok": False, "error": "message_not_found"}
            self.messages[body["ts"]].append(body["text"])
            return {"ok": True, "ts": body["ts"], "channel": body["channel"]}
        if method != "chat.postMessage":
            return {"ok": True, "messages": []}
        ts = f"{len(self.messages) + 1}.{self.replies:06d}"
        if body.get("thread_ts"):
            self.replies += 1
        else:
            self.messages[ts] = [body["text"]]
        return {"ok": True, "ts": ts, "channel": body["channel"]}

    def pagerduty(self, event: dict[str, Any]) -> None:
        """Take one event."""
        self.pages.setdefault(event["dedup_key"], []).append(event["event_action"])

    def alertmanager(self, alerts: list[dict[str, Any]]) -> None:
        """Take alerts."""
        for alert in alerts:
            self.alerts[orjson.dumps(alert["labels"], option=orjson.OPT_SORT_KEYS)] = alert["endsAt"]

    def table(self, now: float) -> str:
        """Say what each service was told; ``now`` in seconds since 1970."""
        open_pages = sum(actions[-1] != "resolve" for actions in self.pages.values())
        firing = sum(datetime.fromisoformat(ends).timestamp() > now for ends in self.alerts.values())
        updates = sum(len(texts) - 1 for texts in self.messages.values())
        return "\n".join(
            (
                f"Slack         {len(self.messages)} messages, {updates} updates in place, {self.replies} replies",
                f"PagerDuty     {len(self.pages)} pages, {open_pages} open at the end",
                f"Alertmanager  {len(self.alerts)} alerts, {firing} firing at the end",
            )
        )


class Receivers:
    """The server; close it, or use it as a context."""

    def __init__(self) -> None:
        """Listen on a free port of this machine."""
        self.received = Received()
        lock = threading.Lock()
        received = self.received

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._answer(200, {"ok": True, "messages": []})

            def do_POST(self) -> None:
                body = orjson.loads(self.rfile.read(int(self.headers["content-length"])))
                with lock:
                    if self.path == "/v2/enqueue":
                        received.pagerduty(body)
                        self._answer(202, {"status": "success", "dedup_key": body["dedup_key"]})
                    elif self.path == "/api/v2/alerts":
                        received.alertmanager(body)
                        self._answer(200, {})
                    else:
                        self._answer(200, received.slack(self.path.rpartition("/")[2], body))

            def _answer(self, status: int, content: dict[str, Any]) -> None:
                data = orjson.dumps(content)
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                """Say nothing: the demo prints what matters."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def settings(self) -> dict[str, Any]:
        """Return the settings that deliver here."""
        return {
            "slack_api_url": f"{self.url}/slack",
            "slack_token": SLACK_TOKEN,
            "slack_channel": SLACK_CHANNEL,
            "pagerduty_url": self.url,
            "pagerduty_routing_key": PAGERDUTY_KEY,
            "alertmanager_url": self.url,
            "synthetic_every_s": 0,
        }

    def __enter__(self) -> Self:
        """Return the running server."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
