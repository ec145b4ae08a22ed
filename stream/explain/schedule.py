"""When an incident is explained: at once from the lines alone, and once more, *deep*, when it has settled.

A deep explanation may ask a language model.  This is a state machine with time as an argument; the threads that do the
work are in ``stream.explain.explainer``.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from alerts.incidents.incident import Incident
from models.rfc3339 import SECOND


@dataclass(frozen=True, slots=True)
class ExplainPolicy:
    """When to explain; seconds by the wall clock.  The defaults are judgements."""

    settle_s: float = 10.0
    """Age of an incident at which it is explained deep: it has more windows by then than its first."""
    again_s: float = 30.0
    """Time from one explanation to the next of an incident that has grown."""


@dataclass(frozen=True, slots=True)
class Task:
    """One explanation to make, of an incident as it is now."""

    incident: Incident
    deep: bool
    """It may ask a language model; once an episode."""


@dataclass(slots=True)
class _Episode:
    """State of one open incident; times in microseconds by the wall clock."""

    incident: Incident
    opened: int
    explained: int | None = None
    """When the last explanation was made."""
    scope: tuple[object, ...] = ()
    """Scope of the incident when its last explanation began."""
    deep: bool = False
    """Its deep explanation has begun."""
    final: bool = False
    """No later explanation can be better."""
    running: bool = False

    def due(self, now: int, policy: ExplainPolicy) -> bool:
        """Return whether it is time for an explanation."""
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
        """Note that an incident is open, in its present state."""
        episode = self._episodes.setdefault(incident.id, _Episode(incident, now))
        episode.incident = incident

    def over(self, incident_id: str) -> None:
        """Forget an incident that is no longer open."""
        self._episodes.pop(incident_id, None)

    def due(self, now: int) -> Iterator[Task]:
        """Return the explanations that are due; each counts as running until ``done`` is called for it."""
        for episode in self._episodes.values():
            if episode.due(now, self._policy):
                deep = not episode.deep and now - episode.opened >= self._policy.settle_s * SECOND
                episode.running = True
                episode.deep |= deep
                episode.scope = scope(episode.incident)
                yield Task(episode.incident, deep)

    def done(self, incident_id: str, now: int, *, final: bool) -> bool:
        """Note that an explanation has ended, ``final`` if no later one can be better.

        Returns:
            False if the incident is no longer open, so that nobody waits for the explanation.
        """
        episode = self._episodes.get(incident_id)
        if episode is None:
            return False
        episode.running, episode.explained, episode.final = False, now, final
        return True


def scope(incident: Incident) -> tuple[object, ...]:
    """Return that of an incident which is worth another explanation when it changes."""
    return (incident.severity, *sorted(incident.services), *incident.news)
