"""What people do on a page, as records for the topic ``feedback``: votes, acknowledgements, mutes, notes, orders."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from alerts.messages.feedback import LONGEST_DAYS, Action, Feedback, Opinion, vote
from models.errors import InvalidError
from models.rfc3339 import DAY, SECOND
from stream.ui.memory.incident_log import IncidentHead

MUTES: Final[Mapping[str, str]] = {"1h": "1 hour", "4h": "4 hours", "24h": "a day", "7d": "a week"}
"""Durations that the page offers."""

KNOWN_FOR: Final[Mapping[str, str]] = {"7d": "a week", "30d": "30 days", "90d": "90 days"}
"""The same, for a pattern that is known."""

WEEK: Final = 7 * DAY
"""Microseconds that a preview looks back."""

_DURATION: Final = re.compile(r"(\d{1,4})([mhdw])")
_UNITS: Final[Mapping[str, int]] = {"m": 60, "h": 3600, "d": 86_400, "w": 604_800}
"""Seconds."""


def feedback_of(form: Mapping[str, Sequence[str]], head: IncidentHead, by: str, now: int) -> Feedback:
    """Return what a form says of an incident.

    Args:
        form: The fields, each with all its values.
        head: The incident.
        by: Who sent it.
        now: The wall clock, in microseconds.

    Raises:
        InvalidError: it makes no sense.
    """
    said = {name: values[0].strip() for name, values in form.items() if values}
    try:
        action = Action(said.get("action", ""))
    except ValueError as error:
        raise InvalidError(
            f"{said.get('action', '')[:40]!r} is nothing that can be done", "load the page again"
        ) from error
    now -= now % 1000  # as the record carries it
    text = said.get("text", "")
    match action:
        case Action.VOTE:
            return _vote(said, head, by, now)
        case Action.MUTE:
            return Feedback(head.id, action, by, now, expires=now + _duration(said.get("for", "")), text=text)
        case Action.MERGE:
            return Feedback(head.id, action, by, now, into=said.get("into", ""))
        case Action.SPLIT:
            services = tuple(form.get("services", ()))
            if not set(services) <= set(head.services[1:]):
                raise InvalidError("a service cannot be split off", "choose among those that the incident hit later")
            return Feedback(head.id, action, by, now, services=services)
        case _:
            return Feedback(head.id, action, by, now, text=text)


def alike(head: IncidentHead, heads: Sequence[IncidentHead], now: int) -> tuple[IncidentHead, ...]:
    """Return the other incidents of the week before ``now`` that a vote *known* on this one would have silenced.

    The role ``explain`` decides window by window, so this is near, and not exact: the same tenant, service of the begin
    and kind, with a message in common if both have any.
    """
    return tuple(
        other
        for other in heads
        if other.id != head.id
        and now - WEEK <= other.started <= now
        and (other.tenant, other.kind, other.services[:1]) == (head.tenant, head.kind, head.services[:1])
        and (not head.templates or not other.templates or set(head.templates) & set(other.templates))
    )


def _vote(said: Mapping[str, str], head: IncidentHead, by: str, now: int) -> Feedback:
    try:
        opinion = Opinion(said.get("opinion", ""))
    except ValueError as error:
        raise InvalidError("a vote is real, noise or known", "choose one") from error
    cause = {"right": True, "wrong": False}.get(said.get("cause", ""))
    expires = now + _duration(said.get("for", "")) if opinion is Opinion.KNOWN else None
    return vote(head.id, opinion, by, now, cause=cause, expires=expires, text=said.get("text", ""))


def _duration(text: str) -> int:
    """Return a duration such as ``4h`` in microseconds."""
    match = _DURATION.fullmatch(text)
    length = int(match[1]) * _UNITS[match[2]] if match else 0
    if not 0 < length * SECOND <= LONGEST_DAYS * DAY:
        raise InvalidError(f"{text[:20]!r} is no duration", f"write 90m, 4h, 7d or 2w; at most {LONGEST_DAYS} days")
    return length * SECOND
