"""Grouping under any order of windows, any wall clock and any restart."""

from dataclasses import replace
from typing import TypeAlias

from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.incidents.grouping import IncidentGrouper, IncidentPolicy
from alerts.incidents.incident import IncidentState
from alerts.messages.alert import Alert
from alerts.messages.anomaly import Anomaly
from alerts.messages.feedback import Action, Feedback, Opinion, vote
from tests.alerts.windows import Role, window

POLICY = IncidentPolicy(quiet_s=300, grace_s=300, remembered=64, forget_s=10**6, strong_from=0.9)

Op: TypeAlias = Anomaly | int
"""A window that comes, or seconds that pass before a tick."""


@st.composite
def histories(draw: st.DrawFn) -> list[Op]:
    """Draw windows in any order, some of them twice, with ticks between."""
    parts = st.tuples(
        st.sampled_from(["nova", "neutron", "nova-api", "cinder"]),
        st.integers(0, 40),
        st.sampled_from([0.5, 0.9, 0.99]),
        st.sampled_from([(), ("RabbitMQ",), ("database",), ("nova",)]),
        st.sampled_from([(), ("nova@h1", "cinder@h1"), ("neutron@h1",), ("nova@h1", "nova@h2")]),
    )
    drawn = draw(st.lists(parts, min_size=1, max_size=12))
    windows = []
    for i, (service, at, importance, names, places) in enumerate(drawn):
        made = window(f"w{i}", 75 * at, importance, service, names=names)
        windows.append(replace(made, key="*", places=places) if places else made)
    return draw(st.lists(st.one_of(st.sampled_from(windows), st.integers(0, 400)), min_size=1, max_size=30))


def play(role: Role, op: Op) -> None:
    """Apply one window or tick; the wall clock does not follow the windows."""
    if isinstance(op, int):
        role.wait(op)
    else:
        role.publish(role.state.on_window(op, role.now))


def finish(role: Role) -> None:
    """Let it be quiet for long enough."""
    role.wait(301)
    assert role.state.open == 0


def replayed(ops: list[Op]) -> Role:
    """Run a history to its end, undisturbed."""
    role = Role.under(POLICY)
    for op in ops:
        play(role, op)
    finish(role)
    return role


def published(alerts: list[Alert]) -> set[tuple[str, str]]:
    """Return what receivers keep after they dropped what came twice."""
    return {(alert.incident_id, alert.status.value) for alert in alerts}


@settings(deadline=None)
@given(histories(), st.data())
def test_a_crash_anywhere_changes_nothing_that_is_told(ops: list[Op], data: st.DataObject) -> None:
    """The role dies at any point, finds any older state, reads again from any older offset."""
    died = data.draw(st.integers(0, len(ops)))
    saved = data.draw(st.integers(0, died))
    committed = data.draw(st.integers(0, saved))
    first = Role.under(POLICY)
    kept = 0
    for i, op in enumerate(ops[:died]):
        play(first, op)
        kept = len(first.log) if i < saved else kept
        if i == saved:
            # Of what the next window changed, some records may have been kept, and not the others.
            kept = data.draw(st.integers(kept, len(first.log)))
    second = Role(IncidentGrouper.restore(POLICY, first.log[:kept], first.now), first.now)
    for op in ops[committed:]:
        play(second, op)
    finish(second)
    assert published(first.alerts + second.alerts) == published(replayed(ops).alerts)


@settings(deadline=None)
@given(histories())
def test_firing_comes_first_and_resolved_last(ops: list[Op]) -> None:
    """For every incident; and the first of them is a page."""
    alerts = replayed(ops).alerts
    for incident in {alert.incident_id for alert in alerts}:
        own = [alert for alert in alerts if alert.incident_id == incident]
        assert (own[0].status.value, own[0].page) == ("firing", True)
        assert own[-1].status.value == "resolved"


@settings(deadline=None)
@given(histories())
def test_the_wall_clock_does_not_decide_what_belongs_together(ops: list[Op]) -> None:
    """With or without ticks, the same windows in the same order make the same incidents."""
    assert published(replayed(ops).alerts) == published(replayed([op for op in ops if not isinstance(op, int)]).alerts)


@settings(deadline=None)
@given(histories())
def test_every_window_is_in_one_incident_and_the_topic_holds_the_state(ops: list[Op]) -> None:
    """After every step; what a restart reads is the same state."""
    role = Role.under(POLICY)
    for op in ops:
        play(role, op)
        # An incident that is merged keeps its own, beside the one that it is part of.
        going_on = [incident for incident in role.state.all() if incident.state is not IncidentState.MERGED]
        window_ids = [pair for i in going_on for pair in zip(i.windows, i.window_places, strict=True)]
        assert len(window_ids) == len(set(window_ids))
    assert {w for i in role.state.all() for w in i.windows} == {op.id for op in ops if isinstance(op, Anomaly)}
    again = IncidentGrouper.restore(POLICY, role.log, role.now)
    assert {(i.id, i.state, i.windows, i.last_status) for i in again.all()} == {
        (i.id, i.state, i.windows, i.last_status) for i in role.state.all()
    }


@settings(deadline=None)
@given(st.lists(st.integers(0, 1199), min_size=1, max_size=60), st.floats(0.9, 1.0))
def test_flapping_is_one_incident_and_pages_only_when_it_gets_worse(gaps: list[int], importance: float) -> None:
    """Whatever the gaps, as long as none is longer than quiet and grace together; it resolves in between."""
    role = Role()
    at = 0
    for i, gap in enumerate(gaps):
        at += gap
        role.take(window(f"w{i}", at, importance))
        role.wait(max(0, gap - 1))
    role.wait(1301)
    assert len(role.published()) == 1
    assert sum(alert.page for alert in role.alerts) == 1
    assert role.alerts[-1].status.value == "resolved"


@settings(deadline=None)
@given(histories(), st.data())
def test_what_is_known_pages_nobody_and_human_state_is_left_alone(ops: list[Op], data: st.DataObject) -> None:
    """Every incident is voted known as soon as it fires: no second page of any, and each is closed at once."""
    role = Role.under(POLICY)
    for op in ops:
        play(role, op)
        for incident in [i for i in role.state.all() if i.last_status == "firing"]:
            said = vote(incident.id, Opinion.KNOWN, "jo", role.now)
            alerts = role.hear(said)
            assert [alert.status.value for alert in alerts if alert.incident_id == incident.id] == ["resolved"]
            assert role.state.annotations_of(incident).opinion == said
    for name in {alert.incident_id for alert in role.alerts}:
        assert sum(alert.page for alert in role.alerts if alert.incident_id == name) == 1


@settings(deadline=None)
@given(histories(), st.data())
def test_orders_are_obeyed_once_however_often_they_are_read(ops: list[Op], data: st.DataObject) -> None:
    """Merges and splits of any incidents: no window is lost, and reading them again changes nothing."""
    coin = st.booleans()
    role = Role.under(POLICY)
    orders: list[Feedback] = []
    for op in ops:
        play(role, op)
        known = [i for i in role.state.all() if i.state is not IncidentState.PENDING]
        merges, splits = data.draw(coin), data.draw(coin)
        if len(known) > 1 and merges:
            first = data.draw(st.integers(0, len(known) - 1))
            one, two = known[first], known[first - 1]
            orders.append(Feedback(one.id, Action.MERGE, "jo", role.now, into=two.id))
        elif known and splits:
            orders.append(Feedback(known[0].id, Action.SPLIT, "jo", role.now, services=("neutron",)))
        else:
            continue
        role.hear(orders[-1])
    windows = {w for i in role.state.all() for w in i.windows}
    assert windows == {op.id for op in ops if isinstance(op, Anomaly)}
    again = IncidentGrouper.restore(POLICY, role.log, role.now).replay_feedback(orders, role.now)
    assert (again.alerts, dict(again.changed)) == ((), {})


@settings(deadline=None)
@given(histories())
def test_every_alert_survives_the_topic(ops: list[Op]) -> None:
    """To the last field."""
    for alert in replayed(ops).alerts:
        assert Alert.from_json(alert.to_json()) == alert
