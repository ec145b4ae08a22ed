"""Clicks on the buttons of our Slack messages: whether Slack sent them, and what they say.

Slack signs each request (scheme ``v0``: HMAC-SHA256 over version, time and body); an old one, and one that has been
seen, is refused.
"""

import hmac
import re
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qs

import orjson

from alerts.messages.feedback import Feedback, Opinion, vote
from alerts.sinks.slack.blocks import ACTION
from models.errors import InvalidError

WINDOW_S: Final = 300.0
"""Seconds for which a signed request is taken, as Slack recommends."""

MAX_BODY: Final = 256 * 1024
"""Bytes of a request: a judgement, a click repeats its message, of at most 50 blocks."""


@dataclass(slots=True)
class SignatureVerifier:
    """Lets through what Slack has signed, once; times in seconds."""

    secret: str = field(repr=False)
    _seen: dict[str, float] = field(default_factory=dict, repr=False)

    def admits(self, body: bytes, stamp: str, signature: str, now: float) -> bool:
        """Say whether a request is Slack's, fresh and new."""
        # Slack's own stamp is a plain number; another form of the same one must not pass as another request.
        if not re.fullmatch(r"[0-9]{1,12}", stamp) or abs(now - int(stamp)) > WINDOW_S:
            return False
        if not hmac.compare_digest(sign(self.secret, stamp, body).encode(), signature.encode(errors="replace")):
            return False
        self._seen = {name: until for name, until in self._seen.items() if until > now}
        if signature in self._seen:
            return False
        self._seen[signature] = int(stamp) + WINDOW_S
        return True


def sign(secret: str, stamp: str, body: bytes) -> str:
    """Return the signature of a request, as Slack makes it."""
    return "v0=" + hmac.digest(secret.encode(), b"v0:" + stamp.encode() + b":" + body, "sha256").hex()


def votes_of(body: bytes, now: int) -> tuple[Feedback, ...]:
    """Return the votes of a request, ``now`` in microseconds; none for a click on something else.

    Raises:
        InvalidError: it is no click of ours.
    """
    try:
        payload = orjson.loads(parse_qs(body.decode(), strict_parsing=True)["payload"][0])
        if payload["type"] != "block_actions":
            return ()
        by = _name(payload["user"], payload.get("team") or {})
        clicks = [(str(click["action_id"]), str(click.get("value", ""))) for click in payload["actions"]]
        return tuple(
            vote(incident, Opinion(action.removeprefix(ACTION)), by, now)
            for action, incident in clicks
            if action.startswith(ACTION)
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InvalidError(
            f"not a click on a vote ({type(error).__name__})", "see the app's interactivity URL"
        ) from error


def _name(user: dict[str, Any], team: dict[str, Any]) -> str:
    """Return who clicked: the id is what Slack vouches for."""
    return f"slack:{team.get('id', '')}/{user['id']}"
