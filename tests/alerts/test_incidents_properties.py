"""Grouping under any order of windows, any wall clock and any restart."""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TypeAlias

from hypothesis import given
from hypothesis import strategies as st

from alerts.anomaly import Anomaly
from alerts.incidents import IncidentPolicy, Incidents, Step
from alerts.records import Alert

SECOND = 1_000_000
START = 1_767_268_800 * SECOND
POLICY = IncidentPolicy(quiet_s=300, remembered=64, forget_s=10**6)

Op: TypeAlias = Anomaly | int
"""A window that comes, or seconds that pass before a tick."""


def make(number: int, service: str, at: int, importance: float) -> Anomaly:
    """Return the window with this number; the same number is the same window."""
    return Anomaly(f"w{number}", "default", (service,), START + at * SECOND, importance)


@st.composite
def histories(draw: st.DrawFn) -> list[Op]:
    """Draw windows in any order, some of them twice, with ticks between."""
    places = st.tuples(st.sampled_from(["nova", "neutron"]), st.integers(0, 40), st.sampled_from([0.5, 0.9, 0.99]))
    drawn = draw(st.lists(places, min_size=1, max_size=12))
    windows = [make(i, service, 75 * at, importance) for i, (service, at, importance) in enumerate(drawn)]
    return draw(st.lists(st.one_of(st.sampled_from(windows), st.integers(0, 400)), min_size=1, max_size=30))


@dataclass
class Run:
    """A role without Kafka: the state, what it published, and the log of ``incidents``."""

    state: Incidents = field(default_factory=lambda: Incidents(POLICY))
    now: int = START
    alerts: list[Alert] = field(default_factory=list)
    log: list[tuple[str, bytes | None]] = field(default_factory=list)

    def take(self, op: Op) -> None:
        """Apply one window or tick and publish what follows."""
        if isinstance(op, int):
            self.now += op * SECOND
            self._publish(self.state.tick(self.now))
        else:
            self._publish(self.state.apply(op, self.now))

    def finish(self) -> None:
        """Let it be quiet for long enough."""
        self.take(301)
        assert self.state.open == 0

    def _publish(self, step: Step) -> None:
        self.state = step.incidents
        self.alerts += step.alerts
        self.log += [(key, None if value is None else value.to_json()) for key, value in step.changed.items()]


def replayed(ops: list[Op]) -> Run:
    """Run a history to its end, undisturbed."""
    role = Run()
    for op in ops:
        role.take(op)
    role.finish()
    return role


def told(alerts: list[Alert]) -> set[tuple[str, str]]:
    """Return what receivers keep after they dropped what came twice."""
    return {(alert.incident_id, alert.status.value) for alert in alerts}


@given(histories(), st.data())
def test_a_crash_anywhere_changes_nothing_that_is_told(ops: list[Op], data: st.DataObject) -> None:
    """The role dies at any point, finds any older state, reads again from any older offset."""
    died = data.draw(st.integers(0, len(ops)))
    saved = data.draw(st.integers(0, died))
    committed = data.draw(st.integers(0, saved))
    first = Run()
    kept = 0
    for i, op in enumerate(ops[:died]):
        first.take(op)
        kept = len(first.log) if i < saved else kept
    records = first.log[:kept]
    second = Run(Incidents.restore(POLICY, records, first.now), first.now)
    for op in ops[committed:]:
        second.take(op)
    second.finish()
    assert told(first.alerts + second.alerts) == told(replayed(ops).alerts)


@given(histories())
def test_firing_comes_first_and_resolved_last(ops: list[Op]) -> None:
    """For every incident."""
    alerts = replayed(ops).alerts
    for incident in {alert.incident_id for alert in alerts}:
        statuses = [alert.status.value for alert in alerts if alert.incident_id == incident]
        assert statuses[0] == "firing"
        assert statuses[-1] == "resolved"


@given(histories())
def test_the_wall_clock_does_not_decide_what_belongs_together(ops: list[Op]) -> None:
    """With or without ticks, the same windows in the same order make the same incidents."""
    assert told(replayed(ops).alerts) == told(replayed([op for op in ops if not isinstance(op, int)]).alerts)


@given(histories())
def test_every_window_is_in_one_incident_and_only_the_last_episode_can_be_open(ops: list[Op]) -> None:
    """After every step; what a restart reads is the same state."""
    role = Run()
    for op in ops:
        role.take(op)
        held = [w for episodes in role.state.groups.values() for e in episodes for w in e.windows]
        assert len(held) == len(set(held))
        for episodes in role.state.groups.values():
            assert all(episode.resolved for episode in episodes[:-1])
            assert all(a.last < b.first for a, b in pairwise(episodes))
    applied = {op.id for op in ops if isinstance(op, Anomaly)}
    assert {w for episodes in role.state.groups.values() for e in episodes for w in e.windows} == applied
    restored = Incidents.restore(POLICY, role.log, 0)
    here = {(i.id, i.resolved, i.windows) for episodes in role.state.groups.values() for i in episodes}
    assert {(i.id, i.resolved, i.windows) for episodes in restored.groups.values() for i in episodes} == here


@given(st.lists(st.integers(0, 4000), min_size=1, max_size=20, unique=True))
def test_in_order_episodes_end_exactly_at_gaps_longer_than_quiet(times: list[int]) -> None:
    """One incident more than there are such gaps."""
    ordered = sorted(times)
    role = replayed([make(i, "nova", at, 0.5) for i, at in enumerate(ordered)])
    gaps = sum(b - a > POLICY.quiet_s for a, b in pairwise(ordered))
    assert len({alert.incident_id for alert in role.alerts}) == gaps + 1


@given(histories())
def test_every_alert_survives_the_topic(ops: list[Op]) -> None:
    """What the receiver reads is what was meant."""
    for alert in replayed(ops).alerts:
        assert Alert.from_json(alert.to_json()) == alert
