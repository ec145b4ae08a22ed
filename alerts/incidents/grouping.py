"""Grouping: anomalous windows → incidents, one per tenant, cause and episode.

A pure state machine.  Which windows belong together, and so every incident id, follows from the windows and their
order on ``anomalies`` alone (``alerts.incidents.matching``), except for what people order; the wall clock (``now``,
in microseconds) only resolves what has been quiet, and ends what people said.  Weak signals are pending until they
last or grow strong, and nobody hears of them before.

A role publishes ``Step.alerts`` before or together with ``Step.changed`` and ``Step.records``, and commits its offset
behind all of them: after a crash it then sends equal alerts again, and loses none.
"""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Self

from alerts.incidents.annotations import Annotations, annotations_by_incident
from alerts.incidents.incident import LABEL_SCHEMA, Incident, IncidentState
from alerts.incidents.kept import ORDERS
from alerts.incidents.matching import MatchStrength, best_match, is_enough, match_of, repeats, same_cause
from alerts.incidents.merge_split import absorbed, merge, merges_finished, root, split, united
from alerts.incidents.policy import IncidentPolicy
from alerts.incidents.publishing import published, told_of
from alerts.messages.alert import Alert, Severity, Status
from alerts.messages.anomaly import Anomaly
from alerts.messages.feedback import Action, Feedback
from models.rfc3339 import SECOND

__all__ = ["IncidentGrouper", "IncidentPolicy", "Step"]

log = logging.getLogger(__name__)

NOBODY: Final = Annotations()

LABEL: Final = "label/"
"""Key of an incident that people voted on, as it was then, before its id: what later gates are judged by."""

OTHER_KEYS: Final = (LABEL, "topology/")
"""How keys of records begin that hold no incident; older versions wrote which services work together."""

PENDING: Final = 32
"""Weak signals kept per tenant, the newest: a judgement, they have to come within minutes to sustain each other."""

_ORDERS: Final = frozenset({Action.MERGE, Action.SPLIT, Action.RESOLVE})


@dataclass(frozen=True, slots=True)
class Step:
    """What an input did: the new state, alerts in the order to publish, and records for the topic ``incidents``.

    ``changed`` maps incident ids to their new state, None is a tombstone; ``records`` maps keys to other records.
    """

    incidents: "IncidentGrouper"
    alerts: tuple[Alert, ...] = ()
    changed: Mapping[str, Incident | None] = field(default_factory=dict)
    records: Mapping[str, bytes] = field(default_factory=dict)

    def then(self, other: "Step") -> "Step":
        """Return both steps as one."""
        changed = {**self.changed, **other.changed}
        return Step(other.incidents, self.alerts + other.alerts, changed, {**self.records, **other.records})


@dataclass(frozen=True, slots=True)
class IncidentGrouper:
    """All incidents that are open or remembered; every method returns new state and leaves this one as it is.

    ``groups`` holds the incidents of each tenant in the order of their ``last``; ``annotations`` what people said of
    each, by its id.
    """

    policy: IncidentPolicy = field(default_factory=IncidentPolicy)
    groups: Mapping[str, tuple[Incident, ...]] = field(default_factory=dict)
    annotations: Mapping[str, Annotations] = field(default_factory=dict)

    @classmethod
    def restore(cls, policy: IncidentPolicy, records: Iterable[tuple[str, bytes | None]], now: int) -> Self:
        """Rebuild the state from the records (key, value) of ``incidents``, oldest first.

        A restart counts as having seen every incident ``now``: what came meanwhile is still to be read, and must find
        its incident open.

        Raises:
            InvalidError: a record cannot be read.
        """
        latest: dict[str, Incident] = {}
        for key, value in records:
            if key.startswith(OTHER_KEYS):
                continue
            if value is None:
                latest.pop(key, None)
            else:
                latest[key] = replace(Incident.from_json(value), seen=now)
        groups: dict[str, tuple[Incident, ...]] = {}
        for incident in merges_finished(latest.values()):
            groups[incident.tenant] = (*groups.get(incident.tenant, ()), incident)
        return cls(policy, {tenant: _sorted(incidents) for tenant, incidents in groups.items()})

    @property
    def open(self) -> int:
        """Return the number of incidents that people know of and that are not resolved."""
        return sum(incident.state is IncidentState.OPEN for incident in self.all())

    def all(self) -> Iterable[Incident]:
        """Return every incident, tenant by tenant."""
        return (incident for incidents in self.groups.values() for incident in incidents)

    def find(self, name: str) -> Incident | None:
        """Return the incident with this id."""
        return next((incident for incident in self.all() if incident.id == name), None)

    def annotations_of(self, incident: Incident) -> Annotations:
        """Return what people said of an incident."""
        return self.annotations.get(incident.id, NOBODY)

    def on_window(self, window: Anomaly, now: int) -> Step:
        """Take one window of ``anomalies``.

        A window that has not fired, or that an incident already has, changes nothing.
        """
        if not window.fired:
            return Step(self)
        incidents = self.groups.get(window.tenant, ())
        # All of them at once: a crash may have kept some of the incidents that a window changes, and not the others.
        new = [share for share in window.shares() if not any(incident.has(share) for incident in incidents)]
        step = Step(self)
        for share in new:
            step = step.then(step.incidents.place(share, now))
        return step

    def tick(self, now: int) -> Step:
        """Resolve what has been quiet, publish what is no longer silenced, forget what is long over."""
        step = Step(self)
        for tenant, incidents in self.groups.items():
            after = [self._resolved_if_quiet(incident, now) for incident in incidents]
            gone = [incident.id for incident in incidents if self._is_stale(incident, now)]
            is_news = any(
                new is not old or self._published(new, now)[1] for new, old in zip(after, incidents, strict=True)
            )
            if gone or is_news:
                step = step.then(step.incidents.update(tenant, after, gone, now))
        return step

    def on_feedback(self, said: Feedback, now: int) -> Step:
        """Take one record of ``feedback``: what people say counts from here on; orders are obeyed once."""
        annotations = self.annotations.get(said.incident_id, NOBODY).with_feedback(said)
        state = replace(self, annotations={**self.annotations, said.incident_id: annotations})
        incident = state.find(said.incident_id)
        if incident is None:
            return Step(state)
        if said.action in _ORDERS:
            return state.apply_order(said, incident, now)
        taken = self.annotations_of(incident).acknowledged != annotations.acknowledged
        step = state.update(incident.tenant, [incident], [], now, again=taken)
        return Step(state, records=state.labels([said])).then(step)

    def labels(self, records: Iterable[Feedback]) -> dict[str, bytes]:
        """Return what the incidents of votes are, to be kept beside the votes when the incidents are forgotten."""
        voted = {said.incident_id for said in records if said.action is Action.VOTE}
        return {LABEL + incident.id: incident.to_json(LABEL_SCHEMA) for incident in self.all() if incident.id in voted}

    def replay_feedback(self, records: Iterable[Feedback], now: int) -> Step:
        """Take all of ``feedback`` after a restart: only what it says in the end counts."""
        feedback = list(records)
        state = replace(self, annotations=annotations_by_incident(feedback))
        step = Step(state, records=state.labels(feedback))
        for said in feedback:
            if said.action in _ORDERS:
                step = step.then(step.incidents.on_feedback(said, now))
        return step.then(step.incidents.tick(now))

    def diagnosed(self, name: str, diagnosis: Mapping[str, Any], severity: Severity | None, now: int) -> Step:
        """Take what the incident with this id is put down to (a record), and publish it if the incident is known.

        ``severity`` may raise the incident's own, never lower it.
        """
        incident = self.find(name)
        if incident is None:
            return Step(self)
        worst = max(incident.severity, severity or incident.severity)
        is_news = told_of(diagnosis) != told_of(incident.diagnosis or {})
        step = self.update(incident.tenant, [replace(incident, diagnosis=diagnosis, severity=worst)], [], now)
        after, annotations = step.incidents.find(name), self.annotations_of(incident)
        if (
            after is None
            or after.state is not IncidentState.OPEN
            or after.last_status is not Status.FIRING
            or annotations.silence(now)
            or not (is_news or step.alerts)
        ):
            return step
        enriched = replace(after.alert(acknowledged=annotations.acknowledged), status=Status.ENRICHED)
        return replace(
            step, alerts=(enriched,) if not any(alert.page for alert in step.alerts) else (*step.alerts, enriched)
        )

    def place(self, share: Anomaly, now: int) -> Step:
        """Put what a window says of a place where it belongs among its tenant's incidents, or begin one with it."""
        limit = self.policy.max_windows
        incidents = self.groups.get(share.tenant, ())
        known = [incident for incident in incidents if self.annotations_of(incident).known_until(now)]
        repeated = next((incident for incident in known if repeats(share, incident)), None)
        if repeated is not None:
            suppressed = replace(
                repeated,
                suppressed=repeated.suppressed + 1,
                windows=(*repeated.windows, share.id)[-limit:],
                window_places=(*repeated.window_places, share.place)[-limit:],
            )
            return self.update(share.tenant, [suppressed], [], now)
        candidates = [incident for incident in incidents if self._may_join(share, incident, now)]
        before, why = best_match(share, candidates, self.policy)
        if before is not None and before.state is IncidentState.PENDING:
            heard_of = [incident for incident in candidates if incident.state is not IncidentState.PENDING]
            there, evidence = best_match(share, heard_of, self.policy)
            if there is not None:
                # What nobody has heard of becomes part of what people know of, once there is evidence.
                joined = absorbed(there.joined(share, now, limit, evidence), before, limit, evidence)
                return self.update(share.tenant, [self._grown(joined, now)], [before.id], now)
        by_id = {incident.id: incident for incident in incidents}
        if before is None:
            fresh = Incident.of(share, now)
            # Two windows may end at once and name two backends: what would have the same id is one incident.
            before = root(by_id[fresh.id], by_id) if fresh.id in by_id else None
            if before is None:
                return self.update(share.tenant, [self._grown(fresh, now)], [], now)
        after = before.joined(share, now, limit, why)
        if after.state is IncidentState.PENDING and share.located:
            # Nobody has heard of it: it may still be called after the place, and begin with what is known for sure.
            named = after.called_after(share, before)
            after = after if named.id in by_id else named
        gone = [before.id] if after.id != before.id else []
        # What comes late, and changes nothing, does not bring back what is over.
        goes_on = after.last > before.last or before.state is not IncidentState.RESOLVED
        after = self._grown(after, now, goes_on=goes_on)
        other, evidence = same_cause(share, after, candidates, self.policy)
        if other is not None:
            whole, part = united(after, other, limit, evidence)
            return self.update(share.tenant, [self._grown(whole, now), part], gone, now)
        return self.update(share.tenant, [after], gone, now)

    def _may_join(self, share: Anomaly, incident: Incident, now: int) -> bool:
        annotations = self.annotations_of(incident)
        if incident.state is IncidentState.MERGED or annotations.known_until(now):
            return False
        # What is another trouble must not be silenced with it.
        if not annotations.silence(now):
            return True
        strength = match_of(share, incident, self.policy).strength
        return strength >= MatchStrength.TEMPLATE or strength is MatchStrength.RETURN

    def _grown(self, incident: Incident, now: int, *, goes_on: bool = True) -> Incident:
        """Return an incident with the severity of what it has become, and open if that is enough."""
        severity = max(incident.severity, self.policy.severity(incident.signals))
        incident = replace(incident, severity=severity)
        if incident.state is IncidentState.PENDING and not is_enough(incident, self.policy):
            return incident
        opens = goes_on and incident.state is not IncidentState.OPEN
        return replace(incident, state=IncidentState.OPEN, since=now) if opens else incident

    def _resolved_if_quiet(self, incident: Incident, now: int) -> Incident:
        is_quiet = now - incident.seen >= self.policy.quiet
        was_open_long_enough = now - incident.since >= self.policy.min_open_s * SECOND
        if incident.state is IncidentState.OPEN and is_quiet and was_open_long_enough:
            return replace(incident, state=IncidentState.RESOLVED)
        return incident

    def _is_stale(self, incident: Incident, now: int) -> bool:
        is_over = incident.state is not IncidentState.OPEN and now - incident.seen >= self.policy.forget
        return is_over and self.annotations_of(incident).known_until(now) is None

    def apply_order(self, said: Feedback, incident: Incident, now: int) -> Step:
        """Do what people ordered, once: what cannot be done now is not done later either."""
        if said.order in incident.ordered:
            return Step(self)
        obeyed = replace(incident, ordered=(*incident.ordered, said.order)[-ORDERS:])
        by_id = {other.id: other for other in self.groups[incident.tenant]} | {obeyed.id: obeyed}
        if said.action is Action.MERGE:
            changed = merge(said, by_id, self.policy.max_windows)
        elif said.action is Action.SPLIT:
            changed = split(said, by_id, now)
        else:
            is_open = incident.state is IncidentState.OPEN
            changed = [replace(obeyed, state=IncidentState.RESOLVED)] if is_open else []
        return self.update(incident.tenant, changed or [obeyed], [], now)

    def update(
        self, tenant: str, changed: Iterable[Incident], gone: Iterable[str], now: int, *, again: bool = False
    ) -> Step:
        """Return the step to a state with some incidents changed and some ``gone`` (ids), as many as are remembered.

        ``again`` publishes an open incident that has nothing new.
        """
        before = {incident.id: incident for incident in self.groups.get(tenant, ())}
        removed = before.keys() & set(gone)
        after = {name: incident for name, incident in before.items() if name not in removed}
        alerts: list[Alert] = []
        for incident in changed:
            if incident.id not in removed:
                after[incident.id], alert = self._published(incident, now, again=again)
                alerts += [alert] if alert else []
        kept = {incident.id: incident for incident in self._remembered(after.values(), now)}
        written = {name: incident for name, incident in kept.items() if _differs(incident, before.get(name))}
        tombstones = dict.fromkeys(name for name in before if name not in kept)
        groups = {**self.groups, tenant: tuple(kept.values())}
        state = replace(self, groups={name: incidents for name, incidents in groups.items() if incidents})
        return Step(state, tuple(alerts), {**written, **tombstones})

    def _published(self, incident: Incident, now: int, *, again: bool = False) -> tuple[Incident, Alert | None]:
        """Return the incident once its state is published, and the alert that does so, if there is anything to say."""
        pages = (page for other in self.all() for page in other.pages)
        return published(incident, self.annotations_of(incident), now, self.policy, pages, again=again)

    def _remembered(self, incidents: Iterable[Incident], now: int) -> tuple[Incident, ...]:
        ordered = _sorted(incidents)
        pinned = {
            incident.id
            for incident in ordered
            if incident.state is IncidentState.OPEN or self.annotations_of(incident).known_until(now)
        }
        pending = [incident.id for incident in ordered if incident.state is IncidentState.PENDING]
        over = [incident.id for incident in ordered if incident.resolved and incident.id not in pinned]
        kept = {*pinned, *pending[-PENDING:], *over[-self.policy.remembered :]}
        return tuple(incident for incident in ordered if incident.id in kept)


def _differs(incident: Incident, before: Incident | None) -> bool:
    # Most are the same object: that is quicker to see than that all fields are equal.
    return incident is not before and incident != before


def _sorted(incidents: Iterable[Incident]) -> tuple[Incident, ...]:
    return tuple(sorted(incidents, key=lambda incident: (incident.last, incident.opened, incident.id)))
