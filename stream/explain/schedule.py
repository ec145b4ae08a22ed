"""When an incident is explained: at once from the lines alone, and once more, by all means, when it has settled.

A plain state machine with time as an argument; the threads that do the work stand in ``stream.explain.explainer``.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from alerts.incidents.incident import Incident
from models.rfc3339 import SECOND


@dataclass(frozen=True, slots=True)
class ExplainPolicy:
    """When to explain; seconds by the wall clock."""

    settle_s: float = 10.0
    """An incident is explained by all means once it is so old: by then its windows tell more than its first."""
    again_s: float = 30.0
    """An incident that has grown is explained again at most so often."""


@dataclass(frozen=True, slots=True)
class Task:
    """One explanation to make of an incident as it is; only a ``deep`` one, once an episode, may ask a model."""

    incident: Incident
    deep: bool


@dataclass(slots=True)
class _Episode:
    """What is known of one open incident; times in microseconds by the wall clock."""

    incident: Incident
    opened: int
    explained: int | None = None
    scope: tuple[object, ...] = ()
    """Of the incident when it was explained last."""
    deep: bool = False
    final: bool = False
    running: bool = False

    def due(self, now: int, policy: ExplainPolicy) -> bool:
        """Say whether it is time for an explanation."""
        if self.running or self.final:
            return False
        if self.explained is None:
            return True
        if not self.deep:
            return now - self.opened >= policy.settle_s * SECOND
        return scope(self.incident) != self.scope and now - self.explained >= policy.again_s * SECOND


class Schedule:
    """Which incidents are to be explained, and when; not thread-safe."""

    def __init__(self, policy: ExplainPolicy) -> None:
        """Begin with no incident."""
        self._policy = policy
        self._episodes: dict[str, _Episode] = {}

    def __contains__(self, incident_id: object) -> bool:
        return incident_id in self._episodes

    def open(self, incident: Incident, now: int) -> None:
        """Note that an incident is open, and as what it stands."""
        episode = self._episodes.setdefault(incident.id, _Episode(incident, now))
        episode.incident = incident

    def over(self, incident_id: str) -> None:
        """Forget an incident that is no longer open."""
        self._episodes.pop(incident_id, None)

    def due(self, now: int) -> Iterator[Task]:
        """Give the explanations whose time has come; each counts as running until ``done`` tells of it."""
        for episode in self._episodes.values():
            if episode.due(now, self._policy):
                deep = not episode.deep and now - episode.opened >= self._policy.settle_s * SECOND
                episode.running = True
                episode.deep |= deep
                episode.scope = scope(episode.incident)
                yield Task(episode.incident, deep)

    def done(self, incident_id: str, now: int, *, final: bool) -> bool:
        """Note that an explanation was made, ``final`` if no later one can be better; False if nobody waits for it."""
        episode = self._episodes.get(incident_id)
        if episode is None:
            return False
        episode.running, episode.explained, episode.final = False, now, final
        return True


def scope(incident: Incident) -> tuple[object, ...]:
    """Return what makes an incident worth another look when it changes."""
    return (incident.severity, *sorted(incident.services))
