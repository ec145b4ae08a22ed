"""When an incident is explained: at once from the lines alone, once more, *deep*, when it has settled, and on changes.

It changes where it grows, and where its diagnosis does not hold any more (``index.diagnosis.renewal``).  A deep
explanation may ask a language model.  This is a state machine with time as an argument; the threads that do the work
are in ``stream.explain.explainer``.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from alerts.incidents.incident import Incident
from alerts.messages.alert import Severity
from index.diagnosis.renewal import Basis, displaces, is_over, needs_new_diagnosis
from index.diagnosis.types import Diagnosis
from models.rfc3339 import SECOND
from stream.explain.incident_signals import signals_now


@dataclass(frozen=True, slots=True)
class ExplainPolicy:
    """When to explain; seconds by the wall clock.  The defaults are judgements."""

    settle_s: float = 10.0
    """Age of an incident at which it is explained deep: it has more windows by then than its first."""
    again_s: float = 30.0
    """Time from one explanation to the next of an incident that has changed."""
    quiet_s: float = 300.0
    """Time of the windows without one after which an incident is over: ``alert_quiet_s``."""


@dataclass(frozen=True, slots=True)
class Task:
    """One explanation to make, of an incident as it is now."""

    incident: Incident
    deep: bool
    """It may ask a language model; once an episode."""
    since: int = 0
    """When what it was put down to before was over, microseconds of event time; 0 looks from its begin on."""


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
    """No later explanation can be better, as long as its diagnosis holds."""
    running: bool = False
    basis: Basis | None = None
    """What its diagnosis stands on; lost in a restart, after which it is explained anew."""
    why: str = ""
    """Why its diagnosis does not hold any more."""
    tried: str = ""
    """``why`` when its last explanation began: what that could not better is not tried again."""
    since: int = 0
    known: Diagnosis | None = None
    """The diagnosis that people were told."""

    def due(self, now: int, policy: ExplainPolicy) -> bool:
        """Return whether it is time for an explanation."""
        is_stale = self.basis is not None and self.why not in {"", self.tried}
        if self.running or (self.final and not is_stale):
            return False
        if self.explained is None:
            return True
        if not self.deep:
            return now - self.opened >= policy.settle_s * SECOND
        has_changed = is_stale or scope(self.incident) != self.scope
        return has_changed and now - self.explained >= policy.again_s * SECOND

    def judge(self) -> None:
        """Find out whether its diagnosis still holds."""
        self.why = needs_new_diagnosis(self.basis, signals_now(self.incident))
        self.tried = self.tried if self.why else ""


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
        episode.judge()

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
                episode.tried = episode.why
                if episode.basis is not None and is_over(episode.basis, signals_now(episode.incident)):
                    # The loudest of what is over must not hide what goes on.
                    episode.since = episode.basis.until
                yield Task(episode.incident, deep, episode.since)

    def done(self, incident_id: str, now: int, *, final: bool, basis: Basis | None = None) -> bool:
        """Note that an explanation has ended.

        Args:
            incident_id: Of which incident.
            now: The wall clock, in microseconds.
            final: Whether no later one can be better.
            basis: What it stands on; None where there is none, and what was known before still counts.

        Returns:
            False if the explanation is of no use: the incident is no longer open, or a cause is known that it does not
            displace.
        """
        episode = self._episodes.get(incident_id)
        if episode is None:
            return False
        is_news = final or episode.known is None or basis is None or displaces(basis.diagnosis, episode.known)
        episode.running, episode.explained, episode.final = False, now, final
        episode.basis = basis or episode.basis
        # What it saw counts all the same: only what it did not see is worth another look.
        if basis is not None and is_news:
            episode.known = basis.diagnosis
        episode.judge()
        return is_news


def scope(incident: Incident) -> tuple[object, ...]:
    """Return that of an incident which is worth another explanation when it changes."""
    critical = {signal.service for signal in incident.signals if signal.severity is Severity.CRITICAL}
    return (incident.severity, *sorted(incident.services), *incident.news, *sorted(critical))
