"""Incidents as commands read them from the topics, and feedback as they write it."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from alerts.incidents.annotations import annotations_by_incident
from alerts.incidents.grouping import IncidentGrouper, IncidentPolicy
from alerts.incidents.incident import Incident, IncidentState
from alerts.messages.feedback import Feedback
from models.errors import InvalidError
from stream.kafka.clients import Broker
from stream.kafka.reader import read_range
from stream.kafka.topic_specs import Topics
from stream.settings import Settings
from stream.topics.feedback import read_feedback, send
from stream.wiring.core import make_broker, make_topics

SHORTEST: Final = 4
"""Digits of an id that are enough where no other begins with them: a judgement, shorter ones are often mistyped."""


@dataclass(frozen=True, slots=True)
class IncidentClient:
    """The incidents as they stand on the topics ``now`` (microseconds), with what people said."""

    broker: Broker
    topics: Topics
    incidents: IncidentGrouper
    now: int

    @classmethod
    def open(cls, settings: Settings) -> "IncidentClient":
        """Read the topics."""
        broker, topics = make_broker(settings), make_topics(settings)
        now = time.time_ns() // 1000
        records = read_range(broker, topics.incidents)
        pairs = (((record.key or b"").decode(), record.value or None) for record in records)
        restored = IncidentGrouper.restore(IncidentPolicy(), pairs, now)
        annotations = annotations_by_incident(read_feedback(broker, topics.feedback))
        return cls(broker, topics, replace(restored, annotations=annotations), now)

    def find(self, name: str) -> Incident:
        """Return the incident whose id begins so.

        Raises:
            InvalidError: there is none, or more than one.
        """
        matches = [
            incident
            for incident in self.incidents.all()
            if incident.id.startswith(name) and incident.state is not IncidentState.PENDING
        ]
        if len(name) < SHORTEST:
            raise InvalidError(f"{name!r} is too short for an id", f"give at least {SHORTEST} characters of it")
        if not matches:
            raise InvalidError(f"no incident has an id that begins with {name!r}", "see `tocsin incidents list --all`")
        if len(matches) > 1:
            raise InvalidError(f"{len(matches)} incidents have ids that begin with {name!r}", "give more of it")
        return matches[0]

    def voted(self) -> Iterator[tuple[Incident, Feedback | None]]:
        """Yield every incident with the last vote on it, None where nobody has voted."""
        state = self.incidents
        return ((incident, state.annotations_of(incident).opinion) for incident in state.all())

    def publish(self, make: Callable[[int], Feedback]) -> Feedback:
        """Write the feedback that ``make`` returns for this moment to the topic, and return it."""
        feedback = make(self.now - self.now % 1000)
        send(self.broker, self.topics.feedback, feedback)
        return feedback
