"""What the explain role makes of windows: incidents, diagnoses and alerts, by the time of the lines.

The steps are the role's own (``alerts.incidents.grouping``, ``stream.explain.explainer``), in the role's order; time is
that of the lines instead of the wall clock, and an explanation takes none of it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from alerts.incidents.grouping import IncidentGrouper, IncidentPolicy, Step
from alerts.incidents.incident import Incident, IncidentState
from alerts.messages.alert import Alert
from alerts.messages.anomaly import Anomaly
from models.rfc3339 import SECOND
from stream.explain.explainer import Explained, Explainer

TICK: Final = SECOND
"""Microseconds between two looks at which incidents have ended or are to be explained, as of the role."""


class PacedExplainer(Explainer):
    """An explainer that is waited for: what is due is there before time goes on, always in the same order."""

    def __init__(self, *args: Any) -> None:
        """Take what an explainer takes; one thread makes all explanations."""
        super().__init__(*args)
        self._deep.shutdown()
        self._deep = self._quick

    def explained(self, now: int) -> list[Explained]:
        """Return all explanations that are due ``now`` (microseconds), once they are made."""
        explained: list[Explained] = []
        self._remembering.submit(int).result()
        while True:
            new = self.poll(now)
            # Its one thread works in order: behind this, all that was due is made.
            self._quick.submit(int).result()
            new += self.poll(now)
            if not new:
                return explained
            explained += new


@dataclass(frozen=True, slots=True)
class Played:
    """Incidents by id in their last state, in the order in which people heard of them, and all alerts."""

    incidents: tuple[Incident, ...]
    alerts: tuple[Alert, ...]


class Playback:
    """Plays windows to the state machine of incidents and to the explainer, which is the caller's to close."""

    def __init__(
        self, policy: IncidentPolicy, explainer: PacedExplainer, names_of: Callable[[str], frozenset[str] | None]
    ) -> None:
        """Begin without incidents; ``names_of`` is that of ``Anomaly.with_names``."""
        self._state = IncidentGrouper(policy)
        self._explainer = explainer
        self._names_of = names_of
        self._now = 0
        self._incidents: dict[str, Incident] = {}
        self._alerts: list[Alert] = []

    def take(self, records: Iterable[bytes], now: int) -> None:
        """Take records of ``anomalies`` that come at ``now`` (microseconds), after all that is due before."""
        self._advance(now)
        for record in records:
            self._explainer.on_window(record)
            self._do(self._state.on_window(Anomaly.from_json(record).with_names(self._names_of), self._now))
        self._explain()

    def finish(self) -> Played:
        """Let time go on until every incident is resolved, and return what came of it all."""
        while self._state.open:
            self._tick(self._now + TICK)
        known = [incident for incident in self._incidents.values() if incident.state is not IncidentState.PENDING]
        return Played(tuple(known), tuple(self._alerts))

    def _advance(self, now: int) -> None:
        while self._state.open and self._now + TICK < now:
            self._tick(self._now + TICK)
        if now > self._now:
            self._tick(now)

    def _tick(self, now: int) -> None:
        self._now = now
        self._do(self._state.tick(now))
        if self._state.open:
            self._explain()

    def _explain(self) -> None:
        for explained in self._explainer.explained(self._now):
            # How long it took says something of this machine only: the same review gives the same bytes.
            diagnosis = {**explained.record, "seconds": 0.0}
            self._do(self._state.diagnosed(explained.incident_id, diagnosis, explained.severity, self._now))

    def _do(self, step: Step) -> None:
        self._alerts += step.alerts
        for name, incident in step.changed.items():
            self._explainer.on_incident(name, incident, self._now)
            if incident is not None:
                self._incidents[name] = incident
                if incident.resolved:
                    self._explainer.remember(name, incident.to_json())
        self._state = step.incidents
