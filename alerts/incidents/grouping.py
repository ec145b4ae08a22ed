"""Grouping: anomalous windows → incidents, one per tenant, cause and episode.

A pure state machine.  Which windows belong together, and so every incident id, follows from the windows and their
order on ``anomalies`` alone (``alerts.incidents.matching``), but for what people order; the wall clock (``now``) only
resolves what has been quiet, and ends what people said.  Weak signals are pending until they last or grow strong, and
nobody hears of them before.

A role publishes ``Step.alerts`` before or together with ``Step.changed`` and ``Step.learnt``, and commits its offset
behind all of them: after a crash it then sends equal alerts again, and loses none.
"""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Self

from alerts.incidents import merge_split as orders
from alerts.incidents.annotations import Annotations
from alerts.incidents.incident import LABEL_SCHEMA, ORDERS, PAGES, Incident, IncidentState
from alerts.incidents.matching import MatchStrength, best_match, is_enough, match_strength, repeats
from alerts.incidents.policy import IncidentPolicy
from alerts.incidents.topology import KEY, Topology
from alerts.messages.alert import Alert, Severity, Status
from alerts.messages.anomaly import Anomaly
from alerts.messages.feedback import Action, Feedback
from models.rfc3339 import SECOND

__all__ = ["IncidentGrouper", "IncidentPolicy", "Step"]

log = logging.getLogger(__name__)

NOBODY: Final = Annotations()

LABEL: Final = "label/"
"""Key of an incident that people voted on, as it was then, before its id: what later gates are judged by."""

PENDING: Final = 32
"""Weak signals kept per tenant, the newest."""

_ORDERS: Final = frozenset({Action.MERGE, Action.SPLIT, Action.RESOLVE})


@dataclass(frozen=True, slots=True)
class Step:
    """What an input did: the new state, alerts in the order to publish, and records for ``incidents``.

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
    topology: Topology = field(default_factory=Topology)
    annotations: Mapping[str, Annotations] = field(default_factory=dict)

    @classmethod
    def restore(cls, policy: IncidentPolicy, records: Iterable[tuple[str, bytes | None]], now: int) -> Self:
        """Rebuild the state from the records (key, value) of ``incidents``, oldest first.

        A restart counts as having seen every incident ``now``: what came meanwhile is still to be read, and must find
        its incident open.  Raises InvalidError for a record that cannot be read.
        """
        latest: dict[str, Incident] = {}
        topology = Topology()
        for key, value in records:
            if key.startswith(LABEL):
                continue
            if key.startswith(KEY):
                topology = topology.with_record(key, value)
            elif value is None:
                latest.pop(key, None)
            else:
                latest[key] = replace(Incident.from_json(value), seen=now)
        groups: dict[str, tuple[Incident, ...]] = {}
        for incident in latest.values():
            groups[incident.tenant] = (*groups.get(incident.tenant, ()), incident)
        return cls(policy, {tenant: _sorted(held) for tenant, held in groups.items()}, topology)

    @property
    def open(self) -> int:
        """Return the number of incidents that people know of and that are not resolved."""
        return sum(incident.state is IncidentState.OPEN for incident in self.all())

    def all(self) -> Iterable[Incident]:
        """Every incident, tenant by tenant."""
        return (incident for held in self.groups.values() for incident in held)

    def find(self, name: str) -> Incident | None:
        """Return the incident with this id."""
        return next((incident for incident in self.all() if incident.id == name), None)

    def annotations_of(self, incident: Incident) -> Annotations:
        """Return what people said of an incident."""
        return self.annotations.get(incident.id, NOBODY)

    def on_window(self, window: Anomaly, now: int) -> Step:
        """Take one window of ``anomalies``; ``now`` in microseconds by the wall clock.

        A window that has not fired, or that an incident already holds, changes nothing.
        """
        held = self.groups.get(window.tenant, ())
        if not window.fired or any(window.id in incident.windows for incident in held):
            return Step(self)
        topology = self.topology.learnt(window.tenant, window.services) if window.session else self.topology
        if topology is not self.topology:
            learnt = {KEY + window.tenant: topology.record(window.tenant)}
            return Step(self, records=learnt).then(replace(self, topology=topology).place_window(window, held, now))
        return self.place_window(window, held, now)

    def tick(self, now: int) -> Step:
        """Resolve what has been quiet by the wall clock, tell what was silenced until now, forget what is long over."""
        step = Step(self)
        for tenant, held in self.groups.items():
            after = [self._over(incident, now) for incident in held]
            gone = [incident.id for incident in held if self._is_stale(incident, now)]
            if gone or any(a is not b or self._publish_state(a, now)[1] for a, b in zip(after, held, strict=True)):
                step = step.then(step.incidents.update(tenant, after, gone, now))
        return step

    def on_feedback(self, said: Feedback, now: int) -> Step:
        """Take one record of ``feedback``: what people say counts from here on; orders are obeyed once."""
        human = self.annotations.get(said.incident_id, NOBODY)
        state = replace(self, annotations={**self.annotations, said.incident_id: human.with_feedback(said)})
        incident = state.find(said.incident_id)
        if incident is None:
            return Step(state)
        if said.action in _ORDERS:
            return state.apply_order(said, incident, now)
        taken = human.acknowledged != state.annotations_of(incident).acknowledged
        step = state.update(incident.tenant, [incident], [], now, again=taken)
        return Step(state, records=state.labels([said])).then(step)

    def labels(self, records: Iterable[Feedback]) -> dict[str, bytes]:
        """Return what the incidents of votes are, to be kept beside the votes when they are forgotten."""
        voted = {said.incident_id for said in records if said.action is Action.VOTE}
        return {LABEL + each.id: each.to_json(LABEL_SCHEMA) for each in self.all() if each.id in voted}

    def replay_feedback(self, records: Iterable[Feedback], now: int) -> Step:
        """Take all of ``feedback`` after a restart: only what it says in the end counts."""
        said = list(records)
        humans: dict[str, Annotations] = {}
        for each in said:
            humans[each.incident_id] = humans.get(each.incident_id, NOBODY).with_feedback(each)
        state = replace(self, annotations=humans)
        step = Step(state, records=state.labels(said))
        for each in said:
            if each.action in _ORDERS:
                step = step.then(step.incidents.on_feedback(each, now))
        return step.then(step.incidents.tick(now))

    def diagnosed(self, name: str, diagnosis: Mapping[str, Any], severity: Severity | None, now: int) -> Step:
        """Take what an incident is put down to (a record), and tell it where people know of the incident.

        ``severity`` may raise the incident's own, never lower it.
        """
        incident = self.find(name)
        if incident is None:
            return Step(self)
        worst = max(incident.severity, severity or incident.severity)
        step = self.update(incident.tenant, [replace(incident, diagnosis=diagnosis, severity=worst)], [], now)
        after, human = step.incidents.find(name), self.annotations_of(incident)
        if (
            after is None
            or after.state is not IncidentState.OPEN
            or after.last_status is not Status.FIRING
            or human.silence(now)
        ):
            return step
        enriched = replace(after.alert(acknowledged=human.acknowledged), status=Status.ENRICHED)
        return replace(step, alerts=(*step.alerts, enriched))

    def place_window(self, window: Anomaly, held: tuple[Incident, ...], now: int) -> Step:
        """Put a new window where it belongs; ``held`` are the incidents of its tenant."""
        limit = self.policy.max_windows
        known = [incident for incident in held if self.annotations_of(incident).known_until(now)]
        for incident in known:
            if repeats(window, incident):
                quiet = replace(
                    incident,
                    suppressed=incident.suppressed + 1,
                    windows=(*incident.windows, window.id)[-limit:],
                    window_services=(*incident.window_services, window.services[0])[-limit:],
                )
                return self.update(window.tenant, [quiet], [], now)
        muted = {incident.id for incident in held if self.annotations_of(incident).silence(now)}
        passed_by = {incident.id for incident in known}
        near = [
            incident
            for incident in held
            if incident.state is not IncidentState.MERGED
            and incident.id not in passed_by
            # What only comes at the same time must not be silenced with it.
            and (
                incident.id not in muted
                or match_strength(window, incident, self.topology, self.policy) >= MatchStrength.TEMPLATE
            )
        ]
        before = best_match(window, near, self.topology, self.policy)
        if before is None:
            return self.update(window.tenant, [self._grown(Incident.of(window, now), now)], [], now)
        after = before.joined(window, now, limit)
        if after.state is IncidentState.PENDING and window.located and not before.located:
            # Nobody has heard of it: it may still be called after the place that is known for sure.
            after = replace(after, service=window.services[0], services=(window.services[0],))
        gone = [before.id] if after.id != before.id else []
        # What comes late, and changes nothing, does not bring back what is over.
        goes_on = window.end > before.last or before.state is not IncidentState.RESOLVED
        return self.update(window.tenant, [self._grown(after, now, goes_on=goes_on)], gone, now)

    def _grown(self, incident: Incident, now: int, *, goes_on: bool = True) -> Incident:
        """Give an incident the severity of what it has become; open it where that is enough."""
        severity = max(incident.severity, self.policy.severity(incident.importance, len(incident.services)))
        incident = replace(incident, severity=severity)
        if incident.state is IncidentState.PENDING and not is_enough(incident, self.policy):
            return incident
        opens = goes_on and incident.state is not IncidentState.OPEN
        return replace(incident, state=IncidentState.OPEN, since=now) if opens else incident

    def _over(self, incident: Incident, now: int) -> Incident:
        quiet = now - incident.seen >= self.policy.quiet
        if (
            incident.state is not IncidentState.OPEN
            or not quiet
            or now - incident.since < self.policy.min_open_s * SECOND
        ):
            return incident
        return replace(incident, state=IncidentState.RESOLVED)

    def _is_stale(self, incident: Incident, now: int) -> bool:
        done = incident.state is not IncidentState.OPEN and now - incident.seen >= self.policy.forget
        return done and self.annotations_of(incident).known_until(now) is None

    def apply_order(self, said: Feedback, incident: Incident, now: int) -> Step:
        """Do what people ordered, once: what cannot be done now is not done later either."""
        if said.order in incident.ordered:
            return Step(self)
        heeded = replace(incident, ordered=(*incident.ordered, said.order)[-ORDERS:])
        by_id = {each.id: each for each in self.groups[incident.tenant]} | {heeded.id: heeded}
        if said.action is Action.MERGE:
            changed = orders.merge(said, by_id, self.policy.max_windows)
        elif said.action is Action.SPLIT:
            changed = orders.split(said, by_id, now)
        else:
            is_open = incident.state is IncidentState.OPEN
            changed = [replace(heeded, state=IncidentState.RESOLVED)] if is_open else []
        return self.update(incident.tenant, changed or [heeded], [], now)

    def update(
        self, tenant: str, changed: Iterable[Incident], gone: Iterable[str], now: int, *, again: bool = False
    ) -> Step:
        """Put ``changed`` in the place of what they were, as many as are remembered, and say what is new."""
        before = {incident.id: incident for incident in self.groups.get(tenant, ())}
        alerts: list[Alert] = []
        after = {name: incident for name, incident in before.items() if name not in set(gone)}
        for incident in changed:
            if incident.id in before and incident.id not in after:
                continue
            told, alert = self._publish_state(incident, now, again=again)
            after[told.id] = told
            alerts += [alert] if alert else []
        kept = self._remembered(after.values(), now)
        records: dict[str, Incident | None] = {i.id: i for i in kept if before.get(i.id) is not i}
        records = {name: i for name, i in records.items() if before.get(name) != i}
        names = {incident.id for incident in kept}
        records |= {name: None for name in [*before, *after] if name not in names and name in before}
        groups = {name: held for name, held in {**self.groups, tenant: kept}.items() if held}
        return Step(replace(self, groups=groups), tuple(alerts), records)

    def _remembered(self, incidents: Iterable[Incident], now: int) -> tuple[Incident, ...]:
        ordered = _sorted(incidents)
        pinned = {i.id for i in ordered if i.state is IncidentState.OPEN or self.annotations_of(i).known_until(now)}
        pending = [i.id for i in ordered if i.state is IncidentState.PENDING][-PENDING:]
        others = [i.id for i in ordered if i.resolved and i.id not in pinned][-self.policy.remembered :]
        kept = {*pinned, *pending, *others}
        return tuple(incident for incident in ordered if incident.id in kept)

    def _publish_state(self, incident: Incident, now: int, *, again: bool = False) -> tuple[Incident, Alert | None]:
        """Return the incident as it is once people know what is to be known, and the alert that tells them."""
        if incident.state is IncidentState.PENDING:
            return incident, None
        human = self.annotations_of(incident)
        hush = human.silence(now)
        if incident.state is IncidentState.OPEN and not hush:
            return self._firing(incident, human, again=again)
        rises = incident.last_status is not None and incident.severity > incident.last_severity and not hush
        if incident.last_status is not Status.FIRING and not rises:
            return incident, None
        # What was silenced pages again once it may be told.
        paged = 0 if hush else incident.paged
        told = replace(
            incident,
            last_status=Status.RESOLVED,
            published=incident.last,
            last_severity=int(incident.severity),
            paged=paged,
        )
        shown = told if told.resolved else replace(told, state=IncidentState.RESOLVED)
        return told, shown.alert(note=hush, acknowledged=human.acknowledged)

    def _firing(self, incident: Incident, human: Annotations, *, again: bool) -> tuple[Incident, Alert | None]:
        """Tell what is open: when it is new or worse, when somebody takes it, and every ``update_s``."""
        update = self.policy.update_s * SECOND
        # Steps that follow one another at once are one page: the message shows the last of them.
        follows = incident.paged and incident.pages and incident.last - incident.pages[-1] < update
        worse = incident.severity > incident.paged and not follows
        due = incident.last - incident.published >= update or incident.severity > incident.last_severity
        if incident.last_status is Status.FIRING and not (worse or due or again):
            return incident, None
        note = self._why_no_page(incident) if worse else ""
        page = worse and not note
        told = replace(
            incident,
            last_status=Status.FIRING,
            published=incident.last,
            last_severity=int(incident.severity),
            paged=int(incident.severity) if worse else incident.paged,
            pages=(*incident.pages, incident.last)[-PAGES:] if page else incident.pages,
        )
        return told, told.alert(page=page, note=note, acknowledged=human.acknowledged)

    def _why_no_page(self, incident: Incident) -> str:
        """Return why what is new or worse is a ticket, "" where it is a page."""
        budget = self.policy.budget
        if budget is None:
            return ""
        if incident.importance < budget.threshold:
            return f"a ticket: importance is below {budget.threshold:g}, where pages begin"
        since = incident.last - int(budget.per_s * SECOND)
        spent = sum(since < page <= incident.last for each in self.all() for page in each.pages)
        return f"a ticket: the budget of {budget.text} is spent" if spent >= budget.pages else ""


def _sorted(incidents: Iterable[Incident]) -> tuple[Incident, ...]:
    return tuple(sorted(incidents, key=lambda incident: (incident.last, incident.opened, incident.id)))
