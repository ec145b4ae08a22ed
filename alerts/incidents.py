"""Grouping: anomalous windows → incidents, one per tenant, service and episode.

A pure state machine.  Which windows belong together, and so every incident id, follows from the windows and their
order on ``anomalies`` alone; the wall clock (``now``) only resolves what has been quiet.  An episode takes every window
that ends within ``quiet_s`` of it, in event time, before or after.

A role publishes ``Step.alerts`` before or together with ``Step.changed``, and commits its offset behind both: after a
crash it then sends equal alerts again, and loses none.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Self, TypeAlias

from alerts.anomaly import Anomaly
from alerts.incident import Incident
from alerts.records import Alert, Severity
from alerts.times import SECOND
from models.errors import InvalidError

Group: TypeAlias = tuple[str, str]
"""Tenant and service."""


@dataclass(frozen=True, slots=True)
class IncidentPolicy:
    """When incidents begin, end and are told again; seconds, importances, counts."""

    quiet_s: float = 300.0
    """An episode ends after so long without an anomalous window."""
    update_s: float = 60.0
    """An open incident is told again after so much event time, and at once when its severity rises."""
    error_from: float = 0.8
    critical_from: float = 0.95
    max_windows: int = 256
    """Window ids that an incident remembers: older ones would not be recognised when they come again."""
    remembered: int = 8
    """Episodes kept per tenant and service, for late windows and for those that come again."""
    forget_s: float = 6 * 3600.0
    """Resolved incidents are forgotten after so much time by the wall clock, at the earliest after ``quiet_s``."""

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        if self.quiet_s <= 0 or self.update_s < 0 or self.forget_s < 0:
            msg = "alert times must fit: quiet_s > 0, update_s >= 0, forget_s >= 0"
            raise InvalidError(msg)
        if not 0 <= self.error_from <= self.critical_from:
            msg = "severities must ascend: 0 <= error_from <= critical_from"
            raise InvalidError(msg)
        if self.max_windows < 1 or self.remembered < 1:
            msg = "max_windows and remembered must be at least 1"
            raise InvalidError(msg)

    def severity(self, importance: float) -> Severity:
        """Return how bad a window of this importance is."""
        if importance >= self.critical_from:
            return Severity.CRITICAL
        return Severity.ERROR if importance >= self.error_from else Severity.WARNING


@dataclass(frozen=True, slots=True)
class Step:
    """What an input did: the new state, alerts in the order to publish, and records for ``incidents``.

    ``changed`` maps incident ids to their new state; None is a tombstone.
    """

    incidents: "Incidents"
    alerts: tuple[Alert, ...] = ()
    changed: Mapping[str, Incident | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Incidents:
    """All incidents that are open or remembered; every method returns new state and leaves this one as it is.

    In a group, episodes stand in the order of their ``last``; only the last one can be open.
    """

    policy: IncidentPolicy = field(default_factory=IncidentPolicy)
    groups: Mapping[Group, tuple[Incident, ...]] = field(default_factory=dict)

    @classmethod
    def restore(cls, policy: IncidentPolicy, records: Iterable[tuple[str, bytes | None]], now: int) -> Self:
        """Rebuild the state from the records (key, value) of ``incidents``, oldest first.

        A restart counts as having seen every incident ``now``: what came meanwhile is still to be read, and must find
        its incident open.  Raises InvalidError for a record that cannot be read.
        """
        latest: dict[str, Incident] = {}
        for key, value in records:
            if value is None:
                latest.pop(key, None)
            else:
                latest[key] = replace(Incident.from_json(value), seen=now)
        groups: dict[Group, tuple[Incident, ...]] = {}
        for incident in latest.values():
            group = (incident.tenant, incident.service)
            groups[group] = (*groups.get(group, ()), incident)
        return cls(policy, {group: _sorted(episodes) for group, episodes in groups.items()})

    @property
    def open(self) -> int:
        """Return the number of incidents that are not resolved."""
        return sum(not incident.resolved for episodes in self.groups.values() for incident in episodes)

    def apply(self, window: Anomaly, now: int) -> Step:
        """Take one window of ``anomalies``; ``now`` in microseconds by the wall clock.

        A window that has not fired, or that an incident already holds, changes nothing.
        """
        episodes = self.groups.get((window.tenant, window.services[0]), ())
        if not window.fired or any(window.id in episode.windows for episode in episodes):
            return Step(self)
        quiet = int(self.policy.quiet_s * SECOND)
        near = [e for e in episodes if e.first - quiet <= window.end <= e.last + quiet]
        # Episodes stand in order: the last of the near ones is the one that can still be open.
        return self._join(episodes, near[-1], window, now) if near else self._begin(episodes, window, now)

    def tick(self, now: int) -> Step:
        """Resolve what has been quiet by the wall clock, and forget what was resolved long ago."""
        quiet = int(self.policy.quiet_s * SECOND)
        forget = max(quiet, int(self.policy.forget_s * SECOND))
        groups = dict(self.groups)
        alerts: list[Alert] = []
        changed: dict[str, Incident | None] = {}
        for group, episodes in self.groups.items():
            kept = []
            for episode in episodes:
                if not episode.resolved and now - episode.seen >= quiet:
                    over = replace(episode, resolved=True)
                    alerts.append(over.alert())
                    changed[over.id] = over
                    kept.append(over)
                elif episode.resolved and now - episode.seen >= forget:
                    changed[episode.id] = None
                else:
                    kept.append(episode)
            groups[group] = tuple(kept)
        if not changed:
            return Step(self)
        return Step(replace(self, groups={g: kept for g, kept in groups.items() if kept}), tuple(alerts), changed)

    def _begin(self, episodes: tuple[Incident, ...], window: Anomaly, now: int) -> Step:
        """Open an episode; the ones before it are over, and so is it where a later one is known."""
        fresh = Incident(
            tenant=window.tenant,
            services=window.services,
            opened=window.end,
            first=window.end,
            last=window.end,
            severity=self.policy.severity(window.importance),
            importance=window.importance,
            windows=(window.id,),
            count=1,
            published=window.end,
            seen=now,
        )
        if episodes and episodes[-1].last > window.end:
            over = replace(fresh, resolved=True)
            return self._with((*episodes, over), [over], [fresh.alert(), over.alert()])
        ended = [replace(episode, resolved=True) for episode in episodes if not episode.resolved]
        kept = [episode for episode in episodes if episode.resolved]
        alerts = [episode.alert() for episode in ended]
        return self._with((*kept, *ended, fresh), [*ended, fresh], [*alerts, fresh.alert()])

    def _join(self, episodes: tuple[Incident, ...], episode: Incident, window: Anomaly, now: int) -> Step:
        """Extend an episode; the newest one fires again if it had been resolved."""
        severity = max(episode.severity, self.policy.severity(window.importance))
        last = max(episode.last, window.end)
        newest = episode is episodes[-1]
        reopened = newest and episode.resolved
        due = newest and last - episode.published >= int(self.policy.update_s * SECOND)
        told = severity > episode.severity or reopened or due
        joined = replace(
            episode,
            services=tuple(dict.fromkeys((*episode.services, *window.services))),
            first=min(episode.first, window.end),
            last=last,
            severity=severity,
            importance=max(episode.importance, window.importance),
            windows=(*episode.windows, window.id)[-self.policy.max_windows :],
            count=episode.count + 1,
            published=last if told else episode.published,
            seen=now,
            resolved=not newest,
        )
        rest = tuple(other for other in episodes if other is not episode)
        return self._with((*rest, joined), [joined], [joined.alert()] if told else [])

    def _with(self, episodes: tuple[Incident, ...], changed: list[Incident], alerts: list[Alert]) -> Step:
        """Put ``episodes`` in the place of their group's, as many as are remembered."""
        ordered = _sorted(episodes)
        kept, forgotten = ordered[-self.policy.remembered :], ordered[: -self.policy.remembered]
        records: dict[str, Incident | None] = {incident.id: incident for incident in changed}
        records |= {incident.id: None for incident in forgotten}
        group = (kept[-1].tenant, kept[-1].service)
        return Step(replace(self, groups={**self.groups, group: kept}), tuple(alerts), records)


def _sorted(episodes: Iterable[Incident]) -> tuple[Incident, ...]:
    return tuple(sorted(episodes, key=lambda episode: (episode.last, episode.opened)))
