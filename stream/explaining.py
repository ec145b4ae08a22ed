"""When an incident is explained: at once from the lines alone, and once more, by all means, when it has settled.

A plain state machine with time as an argument; the threads that do the work stand in ``stream.explain``.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from alerts.incident import Incident
from alerts.times import SECOND
from index.fired import Fired


@dataclass(frozen=True, slots=True)
class ExplainPolicy:
    """When to explain; seconds by the wall clock."""

    settle_s: float = 10.0
    """An incident is explained by all means once it is so old: by then its windows tell more than its first."""
    again_s: float = 30.0
    """An incident that has grown is explained again at most so often."""
    windows: int = 32
    """Windows that an explanation looks at, those of the highest scores."""


@dataclass(frozen=True, slots=True)
class Task:
    """One explanation to make; only a ``deep`` one may ask a language model, and each episode has one."""

    incident_id: str
    tenant: str
    fired: tuple[Fired, ...]
    deep: bool


@dataclass(slots=True)
class _Episode:
    """What is known of one open incident; times in microseconds by the wall clock."""

    tenant: str
    opened: int
    scope: tuple[object, ...]
    fired: dict[tuple[str, str, int], Fired] = field(default_factory=dict)
    explained: int | None = None
    explained_scope: tuple[object, ...] = ()
    deep: bool = False
    final: bool = False
    running: bool = False

    def keep(self, window: Fired, most: int) -> None:
        """Take a window in, and let go of the weakest where there are too many."""
        self.fired[window.kind, window.key, window.start] = window
        if len(self.fired) > most:
            weakest = min(self.fired, key=lambda name: (self.fired[name].score, name))
            del self.fired[weakest]

    def due(self, now: int, policy: ExplainPolicy) -> bool:
        """Say whether it is time for an explanation."""
        if self.running or self.final or not self.fired:
            return False
        if self.explained is None:
            return True
        if not self.deep:
            return now - self.opened >= policy.settle_s * SECOND
        return self.scope != self.explained_scope and now - self.explained >= policy.again_s * SECOND


class Schedule:
    """Which incidents are to be explained, and when; not thread-safe."""

    def __init__(self, policy: ExplainPolicy) -> None:
        """Begin with no incident."""
        self._policy = policy
        self._episodes: dict[str, _Episode] = {}

    def __contains__(self, incident_id: object) -> bool:
        return incident_id in self._episodes

    def joined(self, incident: Incident, window: Fired | None, now: int) -> None:
        """Note that an incident is open, and which window has joined it; None after a restart."""
        scope = (incident.severity, *sorted(incident.services))
        episode = self._episodes.setdefault(incident.id, _Episode(incident.tenant, now, scope))
        episode.scope = scope
        if window is not None:
            episode.keep(window, self._policy.windows)

    def ended(self, incident_id: str) -> None:
        """Forget an incident that was resolved."""
        self._episodes.pop(incident_id, None)

    def due(self, now: int) -> Iterator[Task]:
        """Give the explanations whose time has come; each counts as running until ``done`` tells of it."""
        for name, episode in self._episodes.items():
            if episode.due(now, self._policy):
                deep = not episode.deep and now - episode.opened >= self._policy.settle_s * SECOND
                episode.running = True
                episode.deep |= deep
                episode.explained_scope = episode.scope
                strongest = sorted(episode.fired.values(), key=lambda window: (-window.score, window.start, window.key))
                yield Task(name, episode.tenant, tuple(strongest), deep)

    def done(self, task: Task, now: int, *, final: bool) -> bool:
        """Note that an explanation was made, ``final`` if no later one can be better; False if nobody waits for it."""
        episode = self._episodes.get(task.incident_id)
        if episode is None:
            return False
        episode.running, episode.explained, episode.final = False, now, final
        return True
