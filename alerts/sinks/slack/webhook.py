"""Slack by an incoming webhook: it knows no updates, so only what people must hear of becomes a message.

That is: an incident begins, gets worse, is diagnosed, ends, begins again.  A webhook cannot be asked what it has
posted: a message whose answer was lost is posted again.  The web API can do better; see ``alerts.sinks.slack.bot``.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from alerts.messages.alert import Alert, Status
from alerts.sinks.base import (
    LAST_DIGEST,
    SYNTHETIC,
    Delivered,
    GivenUp,
    Outcome,
    Rate,
    Remote,
    Request,
    Response,
    Retry,
    Sink,
    digest_of,
    outcome_of,
)
from alerts.sinks.slack.blocks import diagnosis_blocks, fallback, fitting, message_blocks

PROBE: Final = "probe"
"""Step of an empty message: Slack refuses it with ``no_text``, which proves the way and shows nothing to anyone."""
RATE: Final = Rate(1.0)
"""One message a second, as Slack documents for webhooks."""
_TOO_MUCH: Final = frozenset({"invalid_payload", "invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long"})
_WORD: Final = re.compile(r"[a-z_]+")


@dataclass(frozen=True, slots=True)
class SlackWebhookSink(Sink):
    """The URL is the secret."""

    url: str = field(repr=False)
    name: str = "slack"
    rate: Rate = RATE

    def render(self, alert: Alert, remote: Remote, now: float) -> Request | None:
        """Return a message where there is something to hear of."""
        del now
        digest = digest_of(alert)
        if remote.get(LAST_DIGEST) == digest:
            return None
        if alert.kind == SYNTHETIC:
            return self.probe({LAST_DIGEST: digest})
        state = Status.RESOLVED.value if alert.status is Status.RESOLVED else alert.severity.label
        diagnosed = bool(alert.diagnosis)
        after = {
            LAST_DIGEST: digest,
            "state": state,
            "revision": alert.revision,
            "paged": alert.page or bool(remote.get("paged")),
            "diagnosed": diagnosed or bool(remote.get("diagnosed")),
        }
        if not _is_news(alert, state, remote) and not (diagnosed and not remote.get("diagnosed")):
            return None
        blocks = message_blocks(alert, votes=False)
        if diagnosed and not remote.get("diagnosed"):
            blocks = fitting([*blocks, *diagnosis_blocks(alert)])
        if remote.get("bare"):
            blocks = []
        body = {"text": fallback(alert), "blocks": blocks, "unfurl_links": False, "unfurl_media": False}
        return self._call(body, "post", after)

    def classify(self, request: Request, response: Response, remote: Remote) -> Outcome:
        """Success is 200 with the body ``ok``; any other text is an error."""
        answer = response.body[:100].decode(errors="replace").strip()
        # Slack answers with a word; what is more could repeat the URL.
        text = answer if _WORD.fullmatch(answer) else ""
        if request.step == PROBE and response.status == 400 and text in {"no_text", "invalid_payload"}:  # noqa: PLR2004 - as Slack refuses
            return Delivered(request.remote)
        outcome = outcome_of(response, request, detail=text)
        if text in _TOO_MUCH and not remote.get("bare"):
            # Words without blocks are better than none.
            return Delivered({**remote, "bare": True})
        if isinstance(outcome, Delivered) and text != "ok":
            return GivenUp(f"200 {text or 'and not the word ok'}", mendable=text not in _TOO_MUCH)
        if isinstance(outcome, Retry) and text == "rollup_error":
            return GivenUp(f"{response.status} {text}")
        return outcome

    def probe(self, after: Remote) -> Request:
        """Return a request that shows that the webhook is there, and shows nothing to anyone."""
        return self._call({}, PROBE, after)

    def _call(self, body: Mapping[str, Any], step: str, after: Remote) -> Request:
        return Request(self.url, orjson.dumps(body), {"content-type": "application/json"}, step=step, remote=after)


def _is_news(alert: Alert, state: str, remote: Remote) -> bool:
    before = str(remote.get("state", ""))
    if before in {"", Status.RESOLVED.value} or state == Status.RESOLVED.value:
        return before != state
    return alert.page and (alert.revision > int(remote.get("revision", 0)) or not remote.get("paged"))
