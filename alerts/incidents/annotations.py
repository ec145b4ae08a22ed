"""What people have said of one incident so far: a fold of its records on ``feedback``; the machine never writes it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from alerts.messages.feedback import Action, Feedback, Opinion
from models.rfc3339 import time_text

NOTES: Final = 32
"""Notes of an incident that are kept in memory, the newest: a judgement; the topic keeps all."""


@dataclass(frozen=True, slots=True)
class Annotations:
    """Votes by who cast them, and whether the incident is acknowledged or muted."""

    votes: Mapping[str, Feedback] = field(default_factory=dict)
    ack: Feedback | None = None
    mute: Feedback | None = None
    notes: tuple[Feedback, ...] = ()

    def with_feedback(self, said: Feedback) -> "Annotations":
        """Return it with one more record; the same record twice changes nothing."""
        match said.action:
            case Action.VOTE:
                earlier = self.votes.get(said.by)
                is_old = earlier is not None and earlier.time > said.time
                return self if is_old else replace(self, votes={**self.votes, said.by: said})
            case Action.ACK | Action.UNACK:
                return replace(self, ack=said if said.action is Action.ACK else None)
            case Action.MUTE | Action.UNMUTE:
                return replace(self, mute=said if said.action is Action.MUTE else None)
            case Action.NOTE:
                return self if said in self.notes else replace(self, notes=(*self.notes, said)[-NOTES:])
            case _:
                return self

    @property
    def opinion(self) -> Feedback | None:
        """Return the newest vote: people learn, and the last word counts."""
        return max(self.votes.values(), key=lambda vote: (vote.time, vote.by), default=None)

    @property
    def acknowledged(self) -> str:
        """Return who takes care of it."""
        return self.ack.by if self.ack else ""

    def known_until(self, now: int) -> int | None:
        """Return until when its pattern is known, None where it is not, or no longer."""
        vote = self.opinion
        if vote is None or vote.opinion is not Opinion.KNOWN or vote.expires is None or vote.expires <= now:
            return None
        return vote.expires

    def silence(self, now: int) -> str:
        """Return why the incident is not published at this moment (``now``, in microseconds); "" where it is."""
        if self.mute is not None and self.mute.expires is not None and self.mute.expires > now:
            return f"muted by {self.mute.by} until {time_text(self.mute.expires)}{_why(self.mute)}"
        vote = self.opinion
        if vote is None or vote.opinion is Opinion.REAL:
            return ""
        if vote.opinion is Opinion.NOISE:
            return f"noise, says {vote.by}{_why(vote)}"
        until = self.known_until(now)
        return "" if until is None else f"known, says {vote.by}, until {time_text(until)}{_why(vote)}"


def _why(said: Feedback) -> str:
    return f": {said.text}" if said.text else ""


def annotations_by_incident(records: Iterable[Feedback]) -> dict[str, Annotations]:
    """Return what was said of each incident, of records in their order."""
    annotations: dict[str, Annotations] = {}
    for said in records:
        annotations[said.incident_id] = annotations.get(said.incident_id, Annotations()).with_feedback(said)
    return annotations
