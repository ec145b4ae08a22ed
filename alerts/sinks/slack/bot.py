"""Slack by its web API: one message an incident, updated in place, with the diagnosis in its thread.

An update notifies nobody, so what pages again (it got worse, it began again) is also posted in the thread and shown in
the channel.
Needs a bot token with ``chat:write``; with ``channels:history`` (``groups:history`` for a private channel) a message
whose sending was cut off is found again instead of being posted twice.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Final
from urllib.parse import urlencode

import orjson

from alerts.messages.alert import Alert, Status
from alerts.sinks.alert_text import diagnosis_lines
from alerts.sinks.base import (
    LAST_DIGEST,
    TOO_MANY,
    Absent,
    Delivered,
    GivenUp,
    Outcome,
    Rate,
    Remote,
    Request,
    Response,
    Retry,
    Sink,
    clean,
    digest_of,
    outcome_of,
    retry_after,
)
from alerts.sinks.slack.blocks import diagnosis_blocks, diagnosis_text, fallback, message_blocks

API: Final = "https://slack.com/api"
EVENT: Final = "tocsin_incident"
"""Type of the metadata that our messages carry: what they are found again by."""

_LATER: Final = frozenset(
    {"internal_error", "fatal_error", "service_unavailable", "request_timeout", "team_added_to_org"}
)
_GONE: Final = frozenset({"message_not_found", "cant_update_message", "edit_window_closed", "thread_not_found"})
_TOO_MUCH: Final = frozenset({"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_too_long"})
_CONFIGURATION: Final = frozenset(
    {
        "invalid_auth",
        "not_authed",
        "token_revoked",
        "token_expired",
        "account_inactive",
        "missing_scope",
        "no_permission",
        "channel_not_found",
        "not_in_channel",
        "is_archived",
        "restricted_action",
        "restricted_action_read_only_channel",
        "org_login_required",
        "ekm_access_denied",
        "access_denied",
        "not_allowed_token_type",
        "two_factor_setup_required",
    },
)
RATE: Final = Rate(50 / 60)
"""50 requests a minute is the tier of ``chat.update``; posting may be a little faster."""


@dataclass(frozen=True, slots=True)
class SlackSink(Sink):
    """``channel`` by id or name; ``votes`` where an endpoint takes the buttons' clicks."""

    token: str = field(repr=False)
    channel: str
    votes: bool = False
    api: str = API
    name: str = "slack"
    rate: Rate = RATE

    def render(self, alert: Alert, remote: Remote, now: float) -> Request | None:
        """Post or update the message, then say in its thread what an update would hide, then the diagnosis."""
        del now
        digest = digest_of(alert)
        if "ts" not in remote:
            return self._post(alert, digest, remote)
        if remote.get(LAST_DIGEST) != digest:
            return self._update(alert, digest, remote)
        if louder := _louder(alert, remote):
            times = int(remote.get("times", 0)) + 1
            change = {"loud": _state(alert), "times": times, "revision": alert.revision, "paged": True}
            return self._reply(alert, remote, f"loud-{times}", change, louder)
        diagnosis = _diagnosis_digest(alert)
        if diagnosis and remote.get("diagnosis") != diagnosis:
            return self._reply(alert, remote, f"diagnosis-{diagnosis}", {"diagnosis": diagnosis}, "")
        return None

    def classify(self, request: Request, response: Response, remote: Remote) -> Outcome:
        """Read ``ok`` and ``error``; a check finds its message by the metadata."""
        answer = _object(response.body)
        if response.status != 200 or answer is None:  # noqa: PLR2004 - anything else is no answer of the API
            outcome = outcome_of(response, request, (self.token,))
            return Retry("not an answer of Slack", maybe_done=True) if isinstance(outcome, Delivered) else outcome
        if answer.get("ok") is not True:
            return self._refused(str(answer.get("error")), response, request, remote)
        if request.step.startswith("check "):
            return _find_message(answer, request)
        merged = dict(request.remote)
        if request.step == "post":
            merged |= {"ts": str(answer.get("ts")), "channel": str(answer.get("channel", self.channel))}
        return Delivered(merged)

    def _refused(self, error: str, response: Response, request: Request, remote: Remote) -> Outcome:
        reason = clean(f"Slack says {error}", (self.token,))
        if error in {"ratelimited", "rate_limited"}:
            return Retry(str(TOO_MANY), retry_after(response))
        if error in _LATER:
            return Retry(reason, maybe_done=True)
        if request.step.startswith("check "):
            # A token that may not read: posted twice is better than not at all.
            return Absent()
        if error in _GONE:
            return Delivered({name: value for name, value in remote.items() if name not in {"ts", LAST_DIGEST}})
        if error in _TOO_MUCH and not remote.get("bare"):
            return Delivered({**remote, "bare": True})
        return GivenUp(reason, mendable=error in _CONFIGURATION)

    def _post(self, alert: Alert, digest: str, remote: Remote) -> Request:
        after = {**remote, LAST_DIGEST: digest, "loud": _state(alert), "revision": alert.revision, "paged": alert.page}
        body = {"channel": self.channel, **self._content(alert, remote), **_marked(alert, "message")}
        seek = {"channel": self.channel, "include_all_metadata": "true", "limit": "200"}
        check = self._ask("conversations.history", seek, _mark(alert, "message"), after)
        return self._call("chat.postMessage", "post", body, after, check)

    def _update(self, alert: Alert, digest: str, remote: Remote) -> Request:
        message = {"channel": remote.get("channel", self.channel), "ts": remote["ts"]}
        body = {**message, **self._content(alert, remote), **_marked(alert, "message")}
        after = {**remote, LAST_DIGEST: digest}
        if alert.status is Status.RESOLVED:
            after["loud"] = _state(alert)
        return self._call("chat.update", "update", body, after)

    def _reply(self, alert: Alert, remote: Remote, part: str, change: Remote, loud: str) -> Request:
        channel = str(remote.get("channel", self.channel))
        after = {**remote, **change}
        body: dict[str, Any] = {"channel": channel, "thread_ts": remote["ts"], **_quiet(), **_marked(alert, part)}
        if loud:
            body |= {"text": loud, "reply_broadcast": True}
        else:
            body |= {"text": diagnosis_text(alert)}
            body |= {} if remote.get("bare") else {"blocks": diagnosis_blocks(alert)}
        seek = {"channel": channel, "ts": str(remote["ts"]), "include_all_metadata": "true", "limit": "200"}
        check = self._ask("conversations.replies", seek, _mark(alert, part), after)
        return self._call("chat.postMessage", "reply", body, after, check)

    def _content(self, alert: Alert, remote: Remote) -> dict[str, Any]:
        """Text and blocks; text alone where Slack has refused our blocks."""
        blocks = [] if remote.get("bare") else message_blocks(alert, votes=self.votes)
        return {"text": fallback(alert), "blocks": blocks, **_quiet()}

    def _call(self, method: str, step: str, body: Any, after: Remote, check: Request | None = None) -> Request:
        headers = {"content-type": "application/json; charset=utf-8", "authorization": f"Bearer {self.token}"}
        return Request(f"{self.api}/{method}", orjson.dumps(body), headers, step=step, remote=after, dedup_check=check)

    def _ask(self, method: str, query: Mapping[str, str], mark: str, after: Remote) -> Request:
        url = f"{self.api}/{method}?{urlencode(query)}"
        headers = {"authorization": f"Bearer {self.token}"}
        return Request(url, headers=headers, method="GET", step=f"check {mark}", remote=after)


def _louder(alert: Alert, remote: Remote) -> str:
    """Return what to say aloud: that it has got worse, or has begun again; "" for nothing."""
    before = str(remote.get("loud", ""))
    if alert.status is Status.RESOLVED or not alert.page:
        return ""
    if before == Status.RESOLVED.value:
        return "Firing again"
    louder = alert.revision > int(remote.get("revision", 0)) or not remote.get("paged", True)
    return f"Now {alert.severity.label}" if louder else ""


def _state(alert: Alert) -> str:
    return Status.RESOLVED.value if alert.status is Status.RESOLVED else alert.severity.label


def _diagnosis_digest(alert: Alert) -> str:
    """Return a digest of what the thread would show of the diagnosis, so that it is posted once."""
    lines = diagnosis_lines(alert.diagnosis)
    return blake2b(orjson.dumps(lines), digest_size=8).hexdigest() if lines else ""


def _quiet() -> dict[str, Any]:
    """No mention is made of a name, no link is found and none is unfolded in what we send."""
    return {"link_names": False, "parse": "none", "mrkdwn": False, "unfurl_links": False, "unfurl_media": False}


def _mark(alert: Alert, part: str) -> str:
    return f"{alert.incident_id}/{part}"


def _marked(alert: Alert, part: str) -> dict[str, Any]:
    return {"metadata": {"event_type": EVENT, "event_payload": {"mark": _mark(alert, part)}}}


def _find_message(answer: Mapping[str, Any], request: Request) -> Outcome:
    mark = request.step.removeprefix("check ")
    for message in answer.get("messages") or ():
        metadata = message.get("metadata") or {}
        payload = metadata.get("event_payload") or {}
        if metadata.get("event_type") == EVENT and payload.get("mark") == mark:
            # The message that was found may tell an older state: its update follows.
            position = {} if "ts" in request.remote else {"ts": str(message.get("ts")), LAST_DIGEST: ""}
            return Delivered({**request.remote, **position})
    return Absent()


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return answer if isinstance(answer, dict) else None
