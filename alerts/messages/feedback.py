"""What people say of incidents: records of the topic ``feedback``, apart from what the machine knows.

A record is kept under a key of its own for each thing that can be said only once (a person's vote, whether an incident
is acknowledged …), so that compaction drops what has been taken back and nothing else.  Keys begin with the incident's
id; the topic has one partition, so their order is that in which they were said.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final, TypeAlias

from alerts.messages.json_record import JsonForm, JsonName, JsonRecord, Time
from models.errors import InvalidError
from models.rfc3339 import DAY

FEEDBACK_SCHEMA: Final = "tocsin.feedback/1"

KNOWN_DAYS: Final = 30
"""Days for which a pattern voted *known* is silent, unless the vote says otherwise: a judgement, about a release."""

LONGEST_DAYS: Final = 366
"""Days for which anything is silenced at most: a judgement; what is silenced for ever is forgotten."""

MAX_TEXT: Final = 4_000
"""Characters of a text or name: a judgement, a page of text."""

_ID: Final = re.compile(r"[0-9a-f]{32}")


class Action(StrEnum):
    """What is done to an incident."""

    VOTE = "vote"
    ACK = "ack"
    UNACK = "unack"
    MUTE = "mute"
    UNMUTE = "unmute"
    NOTE = "note"
    RESOLVE = "resolve"
    MERGE = "merge"
    SPLIT = "split"


class Opinion(StrEnum):
    """What a vote says: a real fault, nothing, or something that is known and need not page again."""

    REAL = "real"
    NOISE = "noise"
    KNOWN = "known"


_SLOTS: Final[Mapping[Action, str]] = {Action.UNACK: "ack", Action.UNMUTE: "mute"}
"""What takes something back stands in its place."""


CauseVerdict: TypeAlias = Annotated[
    bool, JsonForm(lambda right: "right" if right else "wrong", {"right": True, "wrong": False}.__getitem__)
]
"""Whether a diagnosed cause is right; ``right`` or ``wrong`` in JSON."""


@dataclass(frozen=True, slots=True)
class Feedback:
    """One record; times in microseconds by the wall clock.

    A vote has an ``opinion`` and may say of the diagnosed ``cause`` whether it is right; *known* and a mute end at
    ``expires``.  A merge names the incident that goes on (``into``), a split the ``services`` that leave.
    """

    incident_id: str
    action: Action
    by: str
    time: Annotated[Time, JsonName("at")]
    opinion: Opinion | None = None
    cause: CauseVerdict | None = None
    expires: Time | None = None
    text: str = ""
    into: str = ""
    services: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        if not _ID.fullmatch(self.incident_id):
            raise InvalidError(
                f"{self.incident_id!r} is no incident's id (32 hexadecimal digits)", "see `tocsin incidents list`"
            )
        if not self.by.strip() or len(self.by) > MAX_TEXT or len(self.text) > MAX_TEXT:
            raise InvalidError(f"feedback needs a name (--by) and texts of at most {MAX_TEXT} characters")
        if (self.action is Action.VOTE) != (self.opinion is not None):
            raise InvalidError("a vote, and nothing else, has an opinion: real, noise or known")
        if self.action is Action.NOTE and not self.text.strip():
            raise InvalidError("a note needs a text")
        if self.action is Action.MERGE and (not _ID.fullmatch(self.into) or self.into == self.incident_id):
            raise InvalidError("a merge needs the id of another incident, the one that goes on")
        if self.action is Action.SPLIT and not self.services:
            raise InvalidError("a split needs the services that become an incident of their own")
        self._check_expiry()

    def _check_expiry(self) -> None:
        ends = self.action is Action.MUTE or self.opinion is Opinion.KNOWN
        if ends != (self.expires is not None):
            raise InvalidError("a vote `known` and a mute, and nothing else, have a time at which they end (--expires)")
        if self.expires is not None and not self.time < self.expires <= self.time + LONGEST_DAYS * DAY:
            raise InvalidError(f"it must end later than now, and within {LONGEST_DAYS} days (--expires)")

    @property
    def key(self) -> str:
        """Return the key of the record."""
        slot = _SLOTS.get(self.action, self.action.value)
        match self.action:
            case Action.VOTE:
                return f"{self.incident_id}/{slot}/{self.by}"
            case Action.NOTE | Action.SPLIT:
                return f"{self.incident_id}/{slot}/{self.time}/{self.by}"
            case _:
                return f"{self.incident_id}/{slot}"

    @property
    def order(self) -> str:
        """Return what tells this order from all others on the same incident."""
        return "/".join((self.action, str(self.time), self.by, self.into, *self.services))

    def to_json(self) -> bytes:
        """Return the record as it stands on the topic."""
        return _RECORD.to_json(self)

    @classmethod
    def from_json(cls, data: bytes | str) -> "Feedback":
        """Read a record of the topic.

        Raises:
            InvalidError: it is no feedback, of another version, or makes no sense.
        """
        return _RECORD.from_json(data)


_RECORD: Final = JsonRecord(Feedback, FEEDBACK_SCHEMA, "not a record of feedback", "see what writes to the topic")


def vote(  # noqa: PLR0913 - the parts of a vote
    incident_id: str,
    opinion: Opinion,
    by: str,
    now: int,
    *,
    cause: bool | None = None,
    expires: int | None = None,
    text: str = "",
) -> Feedback:
    """Return a vote cast ``now``; *known* ends after ``KNOWN_DAYS`` unless ``expires`` says otherwise.

    Raises:
        InvalidError: it makes no sense.
    """
    time = now - now % 1000  # as the record carries it
    if opinion is Opinion.KNOWN and expires is None:
        expires = time + KNOWN_DAYS * DAY
    return Feedback(incident_id, Action.VOTE, by, time, opinion, cause, expires, text)
