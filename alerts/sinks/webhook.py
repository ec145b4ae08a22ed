"""Any HTTP receiver: the alert as JSON, signed as https://www.standardwebhooks.com describes it.

Headers: ``webhook-id`` (the same for the same state of an incident: know a repetition by it), ``webhook-timestamp``
(seconds; refuse what is older than five minutes) and ``webhook-signature``: ``v1,`` and the base64 of the HMAC-SHA256
of ``id.timestamp.body``.  The key is the secret itself, or what stands in base64 behind ``whsec_``.

The alert that is posted has pseudonyms in place of secrets; the topic keeps what was written.  Its ``receipt``, where
there is one, is signed over the alert as it is posted: who has the receipt key verifies it as the command
``tocsin receipt verify`` does, and sees the windows, bundle, raw lines and rules that it was decided from.  What was
taken out stands, with a receipt of its own, on ``alerts``.
"""

import base64
import binascii
import hmac
from dataclasses import dataclass, field
from typing import Final

from alerts.messages.alert import Alert
from alerts.sinks.base import (
    LAST_DIGEST,
    Outcome,
    Rate,
    Remote,
    Request,
    Response,
    Sink,
    digest_of,
    outcome_of,
)

WEBHOOK_SCHEMA: Final = "tocsin.webhook/1"
PREFIX: Final = "whsec_"
RATE: Final = Rate(20.0, burst=20)
"""A judgement: a small receiver bears as much; it may slow us down with 429."""


@dataclass(frozen=True, slots=True)
class WebhookSink(Sink):
    """Without a ``secret`` nothing is signed."""

    url: str = field(repr=False)
    secret: str = field(default="", repr=False)
    name: str = "webhook"
    rate: Rate = RATE

    def render(self, alert: Alert, remote: Remote, now: float) -> Request | None:
        """Post every state of an incident."""
        digest = digest_of(alert)
        if remote.get(LAST_DIGEST) == digest:
            return None
        webhook_id = f"{alert.incident_id}.{digest}"
        body = b'{"schema":"%s","id":"%s","alert":%s}' % (WEBHOOK_SCHEMA.encode(), webhook_id.encode(), alert.to_json())
        stamp = str(int(now))
        headers = {"content-type": "application/json", "webhook-id": webhook_id, "webhook-timestamp": stamp}
        if self.secret:
            headers["webhook-signature"] = signature(self.secret, webhook_id, stamp, body)
        return Request(self.url, body, headers, remote={LAST_DIGEST: digest})

    def classify(self, request: Request, response: Response, remote: Remote) -> Outcome:
        """Any 2xx is taken; 409 says that it is known already."""
        del remote
        if response.status == 409:  # noqa: PLR2004 - conflict: the receiver has this id
            return outcome_of(Response(200), request)
        return outcome_of(response, request)


def signature(secret: str, name: str, stamp: str, body: bytes) -> str:
    """Return the value of ``webhook-signature``."""
    signed = b".".join((name.encode(), stamp.encode(), body))
    return "v1," + base64.b64encode(hmac.digest(key_of(secret), signed, "sha256")).decode()


def key_of(secret: str) -> bytes:
    """Return the bytes of a secret."""
    if secret.startswith(PREFIX):
        try:
            return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
        except binascii.Error:
            pass
    return secret.encode()


def verify(secret: str, headers: dict[str, str], body: bytes, now: float, tolerance_s: float = 300.0) -> bool:
    """Say whether a request is ours and fresh, as a receiver has to; header names in lower case."""
    name, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not stamp.isdecimal() or abs(now - int(stamp)) > tolerance_s:
        return False
    expected = signature(secret, name, stamp, body)
    return any(hmac.compare_digest(expected, one) for one in headers.get("webhook-signature", "").split(" "))
