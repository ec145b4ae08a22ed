"""What a sink is: it returns what to send next for an alert, and what an answer means.  It sends nothing itself.

A sink brings one incident at a service to the state of an alert, in one or more steps.  What stands there after each
step is its ``Remote`` (ids, digests), which the receipts on ``deliveries`` keep: a process that was killed goes on with
the step that has no receipt.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime
from enum import StrEnum
from hashlib import blake2b
from typing import Any, Final, Protocol, TypeAlias
from urllib.parse import urlsplit

from alerts.messages.alert import Alert
from index.text.sanitize import escape_control

Remote: TypeAlias = Mapping[str, Any]
"""What stands at a service for an incident, as its sink wrote it; empty for one that it has not been sent."""

LAST_DIGEST: Final = "told"
"""The key of ``Remote`` under which every sink keeps the digest of the alert that it was sent last."""

SYNTHETIC: Final = "synthetic"
"""Kind of the alert that only proves the way."""

CHANGE: Final = "change"
"""Kind of what is sent like an alert and is none: something was deployed, or configured otherwise."""

TOO_MANY: Final = 429
"""HTTP's status for a refusal by rate."""

REQUEST_TIMEOUT: Final = 408
"""HTTP's status for a request that took too long to arrive."""

LONGEST_WAIT_S: Final = 3600.0
"""Seconds that a ``Retry-After`` is obeyed at most: a judgement, a mistaken header must not silence a sink for days."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request, and what stands at the service once it is done.  Nothing of it is shown: it is full of secrets."""

    url: str = field(repr=False)
    body: bytes = field(default=b"", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    method: str = "POST"
    step: str = "send"
    remote: Remote = field(default_factory=dict, repr=False)
    dedup_check: "Request | None" = None
    """The question whether the service has done this already; None where doing it twice does no harm, or none helps."""
    remote_if_lost: Remote | None = field(default=None, repr=False)
    """What to take for standing at the service when the answer is lost; None where that changes nothing."""


@dataclass(frozen=True, slots=True)
class Response:
    """What came back; header names in lower case."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SendFailure:
    """No answer, and why; ``reached`` if the service may have done what was asked all the same."""

    reason: str
    reached: bool = False


@dataclass(frozen=True, slots=True)
class Delivered:
    """The step is done; ``remote`` is what stands at the service now."""

    remote: Remote


@dataclass(frozen=True, slots=True)
class Absent:
    """The answer to a check: it has not been done."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Not now; ``after`` in seconds where the service said when; ``maybe_done`` if it may have been done."""

    reason: str
    after: float | None = None
    maybe_done: bool = False


@dataclass(frozen=True, slots=True)
class GivenUp:
    """No retry mends it; ``mendable`` if a person can (a wrong token or channel): then a restart tries again."""

    reason: str
    mendable: bool = False


Outcome: TypeAlias = Delivered | Retry | GivenUp | Absent


@dataclass(frozen=True, slots=True)
class Rate:
    """How fast a service may be asked: a token bucket."""

    per_second: float
    burst: int = 1


class Feed(StrEnum):
    """A topic whose records are sent to sinks as alerts."""

    ALERTS = "alerts"
    CHANGES = "changes"


class Sink(Protocol):
    """One place that alerts are sent to.

    Pure; ``now`` is in seconds since the epoch.  A sink inherits from this class for what it does not do otherwise.
    """

    @property
    def name(self) -> str:
        """Name in settings, metrics and receipts."""

    @property
    def rate(self) -> Rate:
        """How fast it may be asked."""

    @property
    def refresh_s(self) -> float:
        """Seconds between two calls of ``refresh``; infinite where there is nothing to refresh."""
        return math.inf

    def render(self, alert: Alert, remote: Remote, now: float) -> Request | None:
        """Return the next step that brings ``remote`` to the alert; None when it is there."""

    def classify(self, request: Request, response: Response, remote: Remote) -> Outcome:
        """Return what an answer to a request of this sink means."""

    def refresh(self, known: Mapping[str, Remote], now: float) -> Request | None:
        """Return what repeats all that stands at the service (by incident), for a service that forgets; else None."""
        del known, now
        return None

    def feeds(self) -> "Mapping[Feed, Sink]":
        """Return the topics that it takes, and for each the sink that gets its records: the alerts, and itself."""
        return {Feed.ALERTS: self}


def digest_of(alert: Alert) -> str:
    """Return 16 hexadecimal digits: alerts that are sent twice have the same, whoever signed them."""
    return blake2b(replace(alert, receipt=None).to_json(), digest_size=8).hexdigest()


def outcome_of(response: Response, request: Request, secrets: tuple[str, ...] = (), detail: str = "") -> Outcome:
    """Classify by the status alone, as HTTP means it."""
    status = response.status
    reason = clean(f"{status} {detail}".strip(), secrets)
    if 200 <= status < 300:  # noqa: PLR2004 - HTTP's successes
        return Delivered(request.remote)
    if status in {TOO_MANY, REQUEST_TIMEOUT} or status >= 500:  # noqa: PLR2004 - HTTP's server errors
        # Only a refusal by rate is sure to have done nothing.
        return Retry(reason, retry_after(response), maybe_done=status != TOO_MANY)
    return GivenUp(reason, mendable=status in {401, 403, 404, 405, 407} or status < 400)  # noqa: PLR2004 - redirects


def failed(failure: SendFailure) -> Retry:
    """Return what a lost request means."""
    return Retry(failure.reason, maybe_done=failure.reached)


def retry_after(response: Response) -> float | None:
    """Return the seconds that ``Retry-After`` asks for, at most an hour; None where it says nothing useful."""
    text = response.headers.get("retry-after", "").strip()
    try:
        seconds = float(text)
    except ValueError:
        seconds = _until(text, response.headers.get("date", ""))
    return min(seconds, LONGEST_WAIT_S) if seconds >= 0 else None


def _until(date: str, now: str) -> float:
    """Seconds between two HTTP dates, by the service's own clock; -1 where one is none."""
    try:
        return (parsedate_to_datetime(date) - parsedate_to_datetime(now)).total_seconds()
    except (ValueError, TypeError):
        return -1.0


def clean(text: str, secrets: tuple[str, ...] = ()) -> str:
    """Return a service's words as one short line without our secrets."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "[secret]")
    return escape_control(text)[:200].strip()


def redacted(url: str) -> str:
    """Return a URL as logs and errors may show it: no path, no query, no password."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "a URL that cannot be read"
    return f"{parts.scheme}://{parts.hostname or ''}{port}/…"
