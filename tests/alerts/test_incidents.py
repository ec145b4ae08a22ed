"""Grouping of windows into incidents: the rules one by one."""

import pytest

from alerts.anomaly import Anomaly
from alerts.incidents import IncidentPolicy, Incidents, Step
from alerts.records import Alert
from models.errors import InvalidError

SECOND = 1_000_000
START = 1_767_268_800 * SECOND


def window(name: str, at: float, importance: float = 0.5, service: str = "nova") -> Anomaly:
    """Return a window that ends ``at`` seconds after the start."""
    return Anomaly(name, "default", (service,), START + int(at * SECOND), importance)


def run(*windows: Anomaly, policy: IncidentPolicy | None = None) -> tuple[Incidents, list[Alert]]:
    """Apply windows, each a second after the one before by the wall clock."""
    state = Incidents(policy or IncidentPolicy())
    alerts: list[Alert] = []
    for i, each in enumerate(windows):
        step = state.apply(each, START + i * SECOND)
        state = step.incidents
        alerts += step.alerts
    return state, alerts


def statuses(alerts: list[Alert] | tuple[Alert, ...]) -> list[str]:
    """Return the statuses in order."""
    return [alert.status.value for alert in alerts]


def test_the_first_fired_window_opens_an_incident() -> None:
    """One alert, with what is known."""
    state, (alert,) = run(window("a", 0, 0.97))
    assert (alert.status, alert.severity.label, alert.services) == ("firing", "critical", ("nova",))
    assert (alert.started, alert.ended, alert.windows) == (START, None, ("a",))
    assert state.open == 1


def test_a_window_that_did_not_fire_changes_nothing() -> None:
    """Only what passed the threshold is news."""
    quiet = Anomaly("a", "default", ("nova",), START, 0.1, fired=False)
    assert Incidents().apply(quiet, START) == Step(Incidents())


@pytest.mark.parametrize(
    ("importance", "severity"),
    [(0.0, "warning"), (0.79, "warning"), (0.8, "error"), (0.94, "error"), (0.95, "critical"), (1.0, "critical")],
)
def test_severity_follows_importance(importance: float, severity: str) -> None:
    """Bounds belong to the higher severity."""
    _, (alert,) = run(window("a", 0, importance))
    assert alert.severity.label == severity


def test_more_windows_are_told_when_severity_rises_or_after_a_while() -> None:
    """An open incident does not repeat itself every 15 s."""
    _, alerts = run(
        window("a", 0),
        window("b", 15),
        window("c", 30, 0.9),
        window("d", 45),
        window("e", 89),
        window("f", 90),
    )
    assert [alert.windows[-1] for alert in alerts] == ["a", "c", "f"]
    assert {alert.incident_id for alert in alerts} == {alerts[0].incident_id}
    assert [alert.severity.label for alert in alerts] == ["warning", "error", "error"]


def test_an_event_time_gap_resolves_the_old_episode_before_it_opens_a_new_one() -> None:
    """A gap of exactly quiet_s still belongs together."""
    _, alerts = run(window("a", 0), window("b", 300), window("c", 600.001))
    assert statuses(alerts) == ["firing", "firing", "resolved", "firing"]
    assert alerts[2].incident_id == alerts[0].incident_id != alerts[3].incident_id
    assert alerts[2].ended == START + 300 * SECOND


def test_tenants_and_services_have_incidents_of_their_own() -> None:
    """Nothing crosses tenants."""
    other = Anomaly("c", "acme", ("nova",), START, 0.5)
    state, alerts = run(window("a", 0), window("b", 0, service="neutron"), other)
    assert len({alert.incident_id for alert in alerts}) == state.open == 3


def test_the_wall_clock_resolves_what_is_idle() -> None:
    """Not a microsecond earlier."""
    state, _ = run(window("a", 0))
    quiet = 300 * SECOND
    assert state.tick(START + quiet - 1) == Step(state)
    step = state.tick(START + quiet)
    assert statuses(step.alerts) == ["resolved"]
    assert step.incidents.open == 0
    assert step.incidents.tick(START + quiet + 1).alerts == ()


def test_the_same_window_twice_changes_nothing() -> None:
    """A resend after a crash is recognised, also when its incident is over."""
    state, _ = run(window("a", 0), window("b", 1000))
    for again in (window("a", 0), window("b", 1000)):
        assert state.apply(again, START) == Step(state)


def test_an_incident_that_goes_on_fires_again_under_its_id() -> None:
    """The wall clock resolved it because the pipeline lagged; the events say it is one episode."""
    state, (first,) = run(window("a", 0))
    resolved = state.tick(START + 10_000 * SECOND).incidents
    (again,) = resolved.apply(window("b", 200), START + 10_001 * SECOND).alerts
    assert (again.incident_id, again.status, again.ended) == (first.incident_id, "firing", None)


def test_a_late_window_joins_the_episode_it_falls_in() -> None:
    """The old episode stays resolved, silently; the open one is not touched."""
    state, _ = run(window("a", 0), window("b", 1000))
    step = state.apply(window("late", 250), START)
    (changed,) = step.changed.values()
    assert changed is not None
    assert (changed.windows, changed.resolved, step.alerts) == (("a", "late"), True, ())
    assert step.incidents.open == 1


def test_a_late_window_that_makes_a_past_episode_worse_is_told() -> None:
    """Nothing disappears silently."""
    state, _ = run(window("a", 0), window("b", 1000))
    (alert,) = state.apply(window("late", 250, 0.99), START).alerts
    assert (alert.status, alert.severity.label) == ("resolved", "critical")


def test_a_late_window_in_no_episode_is_one_of_its_own_and_over() -> None:
    """It is told, and does not disturb the open incident."""
    state, _ = run(window("a", 0), window("b", 2000))
    step = state.apply(window("late", 1000), START)
    assert statuses(step.alerts) == ["firing", "resolved"]
    assert step.alerts[0].incident_id == step.alerts[1].incident_id
    assert step.incidents.open == 1


def test_a_window_just_before_an_episode_extends_it() -> None:
    """The id stays that of the first arrival; the summary tells the earlier time."""
    state, (first,) = run(window("a", 100))
    step = state.apply(window("early", 0, 0.9), START)
    (alert,) = step.alerts
    assert alert.incident_id == first.incident_id
    assert "since 2026-01-01T12:00:00.000Z" in alert.summary


def test_a_late_window_near_two_episodes_joins_the_later_one() -> None:
    """That one can still change what people are told."""
    state, _ = run(window("a", 0), window("b", 400))
    (changed,) = state.apply(window("late", 200), START).changed.values()
    assert changed is not None
    assert changed.windows == ("b", "late")


def test_a_session_adds_its_services_to_the_incident_of_its_first() -> None:
    """One incident, not one a service."""
    session = Anomaly("s", "default", ("nova", "neutron"), START + SECOND, 0.9)
    state, alerts = run(window("a", 0), session)
    assert alerts[-1].services == ("nova", "neutron")
    assert state.open == 1


def test_memory_is_bounded_in_windows_and_episodes() -> None:
    """The oldest go first; a forgotten episode leaves a tombstone."""
    policy = IncidentPolicy(max_windows=2, remembered=2)
    state, alerts = run(window("a", 0), window("b", 1), window("c", 2, 0.9), policy=policy)
    assert alerts[-1].windows == ("b", "c")
    state = state.apply(window("d", 1000), START).incidents
    step = state.apply(window("e", 2000), START)
    assert step.changed[alerts[0].incident_id] is None
    assert len(step.incidents.groups["default", "nova"]) == 2


def test_resolved_incidents_are_forgotten_in_the_end() -> None:
    """Their records become tombstones, and nothing is left in memory."""
    state, (alert,) = run(window("a", 0))
    state = state.tick(START + 400 * SECOND).incidents
    step = state.tick(START + 7 * 3600 * SECOND)
    assert step.changed == {alert.incident_id: None}
    assert step.incidents.groups == {}


def test_a_restart_gives_open_incidents_their_quiet_time_again() -> None:
    """Windows that came while the role was down must find their incident open."""
    state, (alert,) = run(window("a", 0))
    (record,) = [(i.id, i.to_json()) for episodes in state.groups.values() for i in episodes]
    late = START + 5000 * SECOND
    restored = Incidents.restore(IncidentPolicy(), [record], late)
    assert restored.tick(late).alerts == ()
    (resolved,) = restored.tick(late + 300 * SECOND).alerts
    assert resolved.incident_id == alert.incident_id


def test_a_restore_takes_the_last_record_of_each_incident() -> None:
    """Compaction may not have run; tombstones count."""
    state, _ = run(window("a", 0))
    (incident,) = state.groups["default", "nova"]
    records = [(incident.id, incident.to_json()), (incident.id, None)]
    assert Incidents.restore(IncidentPolicy(), records, START).groups == {}
    with pytest.raises(InvalidError):
        Incidents.restore(IncidentPolicy(), [("x", b"{}")], START)


@pytest.mark.parametrize(
    "wrong",
    [
        {"quiet_s": 0},
        {"update_s": -1},
        {"forget_s": -1},
        {"error_from": 0.96},
        {"max_windows": 0},
        {"remembered": 0},
    ],
)
def test_a_policy_that_cannot_work_is_refused(wrong: dict[str, int]) -> None:
    """At start, not at the first incident."""
    with pytest.raises(InvalidError):
        IncidentPolicy(**wrong)
