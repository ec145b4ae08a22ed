"""What commands know of incidents, and how they say something of one."""

import time
from collections.abc import Callable
from dataclasses import dataclass
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

SHORTEST: Final = 6
"""Digits of an id that are enough where no other begins with them."""


@dataclass(frozen=True, slots=True)
class IncidentClient:
    """The incidents as the topics tell them at this moment, with what people said."""

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
        humans = annotations_by_incident(read_feedback(broker, topics.feedback))
        return cls(broker, topics, IncidentGrouper(restored.policy, restored.groups, restored.topology, humans), now)

    def find(self, name: str) -> Incident:
        """Return the incident whose id begins so.  Raises InvalidError where there is none, or more than one."""
        found = [
            each
            for each in self.incidents.all()
            if each.id.startswith(name) and each.state is not IncidentState.PENDING
        ]
        if len(name) < SHORTEST or not found:
            raise InvalidError(f"no incident has an id that begins with {name!r}", "see `tocsin incidents list --all`")
        if len(found) > 1:
            raise InvalidError(f"{len(found)} incidents have ids that begin with {name!r}", "give more of it")
        return found[0]

    def publish(self, make: Callable[[int], Feedback]) -> Feedback:
        """Write what ``make`` says at this moment to ``feedback``."""
        said = make(self.now - self.now % 1000)
        send(self.broker, self.topics.feedback, said)
        return said
