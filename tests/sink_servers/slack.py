"""Slack's web API and incoming webhooks, as they are documented."""

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson

from tests.sink_servers.base import Answer, Call, Limit, Service

TOKEN = "xoxb-1-only-for-tests"  # noqa: S105
CHANNEL = "C0TOCSIN"
ACTIVE = re.compile(r"<[!@#]|<https?:|(?<![\w])@(channel|here|everyone)\b")


@dataclass(slots=True)
class Message:
    """One message; ``texts`` are all that it has said, the newest last."""

    ts: str
    body: dict[str, Any]
    thread: str = ""
    texts: list[str] = field(default_factory=list)

    @property
    def mark(self) -> str:
        """Return what its metadata says it is."""
        return str(self.body.get("metadata", {}).get("event_payload", {}).get("mark", ""))


class Slack(Service):
    """One channel; at most one message a second (three at once are borne), 60 updates or questions a minute."""

    def __init__(self, **options: Any) -> None:
        self.messages: dict[str, Message] = {}
        self.posting = Limit(3, 3.0)
        self.updating = Limit(60, 60.0)
        self.reading = Limit(60, 60.0)
        self.problems: list[str] = []
        self.may_read = True
        self._count = 0
        super().__init__(**options)

    @property
    def api(self) -> str:
        """Return the address of the web API."""
        return self.url + "/api"

    @property
    def incidents(self) -> list[Message]:
        """Return the messages of the channel that stand in no thread."""
        return [message for message in list(self.messages.values()) if not message.thread]

    def take(self, call: Call) -> Answer:
        """Take a call of the web API, or a message by webhook."""
        path = urlsplit(call.path)
        if path.path.startswith("/services/"):
            return self._webhook(call)
        method = path.path.removeprefix("/api/")
        if call.headers.get("authorization") != f"Bearer {TOKEN}":
            return _no("invalid_auth")
        if method == "auth.test":
            return _ok(user="tocsin", team="tests")
        if method in {"conversations.history", "conversations.replies"}:
            return self._read(method, {name: values[0] for name, values in parse_qs(path.query).items()}, call.at)
        body = orjson.loads(call.body)
        limit = self.updating if method == "chat.update" else self.posting
        if wait := limit.wait(call.at):
            return Answer(429, b'{"ok":false,"error":"ratelimited"}', {"retry-after": str(int(wait) + 1)})
        if body.get("channel") != CHANNEL:
            return _no("channel_not_found")
        if wrong := wrong_content(body):
            self.problems.append(wrong)
            return _no(wrong)
        if method == "chat.postMessage":
            return self._post(body)
        return self._update(body) if method == "chat.update" else _no("unknown_method")

    def _post(self, body: dict[str, Any]) -> Answer:
        thread = body.get("thread_ts", "")
        if thread and thread not in self.messages:
            return _no("thread_not_found")
        self._count += 1
        ts = f"1700000000.{self._count:06d}"
        self.messages[ts] = Message(ts, body, thread, [body["text"]])
        return _ok(ts=ts, channel=CHANNEL, message={"text": body["text"]})

    def _update(self, body: dict[str, Any]) -> Answer:
        message = self.messages.get(body.get("ts", ""))
        if message is None:
            return _no("message_not_found")
        message.body = body
        message.texts.append(body["text"])
        return _ok(ts=message.ts, channel=CHANNEL)

    def _read(self, method: str, query: dict[str, str], now: float) -> Answer:
        if wait := self.reading.wait(now):
            return Answer(429, b'{"ok":false,"error":"ratelimited"}', {"retry-after": str(int(wait) + 1)})
        if not self.may_read:
            return _no("missing_scope")
        thread = query.get("ts", "") if method == "conversations.replies" else ""
        in_thread = [m for m in self.messages.values() if m.thread == thread or (thread and m.ts == thread)]
        newest = sorted(in_thread, key=lambda m: m.ts, reverse=not thread)[: int(query.get("limit", "100"))]
        marked = query.get("include_all_metadata") == "true"
        return _ok(
            messages=[
                {"ts": m.ts, "text": m.texts[-1]} | ({"metadata": m.body.get("metadata")} if marked else {})
                for m in newest
            ],
        )

    def _webhook(self, call: Call) -> Answer:
        if call.path != "/services/T0/B0/secret":
            return Answer(404, b"no_service")
        body = orjson.loads(call.body)
        if not body.get("text"):
            return Answer(400, b"no_text")
        if wait := self.posting.wait(call.at):
            return Answer(429, b"rate_limited", {"retry-after": str(int(wait) + 1)})
        if wrong := wrong_content(body):
            self.problems.append(wrong)
            return Answer(400, wrong.encode())
        self._post(body)
        return Answer(200, b"ok")


def wrong_content(body: dict[str, Any]) -> str:
    """Return the error for what Slack would refuse; "" where it would not."""
    if not body.get("text"):
        return "no_text"
    blocks = body.get("blocks", [])
    if len(body["text"]) > 40_000:
        return "msg_too_long"
    if len(blocks) > 50 or len(orjson.dumps(blocks).decode()) > 13_200 * 2 or _chars(blocks) > 13_200:
        return "msg_blocks_too_long"
    if ACTIVE.search(body["text"]):
        return "invalid_blocks"
    return "" if all(_good(block) for block in blocks) else "invalid_blocks"


def _chars(blocks: list[dict[str, Any]]) -> int:
    texts = [text for block in blocks for text in _texts(block)]
    return sum(len(text.get("text", "")) for text in texts)


def _texts(block: dict[str, Any]) -> list[dict[str, Any]]:
    own = [block["text"]] if "text" in block else []
    if block.get("type") == "rich_text":
        return [part for section in block["elements"] for part in section["elements"]]
    return [*own, *block.get("fields", []), *(element["text"] for element in block.get("elements", []))]


def _good(block: dict[str, Any]) -> bool:
    limits = {"header": 150, "section": 3000, "actions": 75}
    kind = block.get("type")
    if kind == "rich_text":
        # Its texts are shown as they are: what is bold, code or a link says so in fields of its own.
        sections = [section for section in block["elements"] if section["type"] == "rich_text_section"]
        parts = [part for section in sections for part in section["elements"]]
        return len(sections) == len(block["elements"]) and all(p["type"] == "text" and p["text"] for p in parts)
    if kind not in limits or len(block.get("block_id", "")) > 255:
        return False
    texts = [block["text"]] if "text" in block else []
    if any(not 0 < len(text["text"]) <= limits[kind] for text in texts):
        return False
    fields = block.get("fields", [])
    if len(fields) > 10 or any(not 0 < len(text["text"]) <= 2000 for text in fields):
        return False
    if kind == "section" and not texts and not fields:
        return False
    # Mentions and links live only in mrkdwn.
    if any(text["type"] == "mrkdwn" and ACTIVE.search(text["text"]) for text in _texts(block)):
        return False
    buttons = block.get("elements", [])
    names = [button["action_id"] for button in buttons]
    fits = all(len(button["text"]["text"]) <= 75 and len(button.get("url", "")) <= 3000 for button in buttons)
    return len(buttons) <= 25 and len(set(names)) == len(names) and fits


def _ok(**content: Any) -> Answer:
    return Answer(200, orjson.dumps({"ok": True, **content}))


def _no(error: str) -> Answer:
    return Answer(200, orjson.dumps({"ok": False, "error": error}))
