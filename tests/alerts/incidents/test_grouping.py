"""Incidents from windows: when they open, grow, end and come back, and what is told of it."""

from dataclasses import replace

import pytest

from alerts.incidents.grouping import IncidentGrouper, IncidentPolicy, Step
from alerts.incidents.incident import IncidentState
from alerts.incidents.policy import PageBudget
from models.errors import InvalidError
from models.findings import Finding, FindingKind
from models.rfc3339 import SECOND
from tests.alerts.windows import START, Role, crash, everything, statuses, window


def test_one_strong_window_opens_an_incident() -> None:
    """One page, with what is known."""
    role = Role()
    (alert,) = role.take(window("a", 0, 0.97))
    assert (alert.status, alert.severity.label, alert.services, alert.kind) == (
        "firing",
        "error",
        ("nova",),
        "errors",
    )
    assert (alert.started, alert.ended, alert.windows) == (START, None, ("a",))
    assert (alert.page, alert.revision, alert.importance) == (True, 1, 0.97)
    assert role.state.open == 1


def test_by_default_only_what_is_critical_opens_at_once() -> None:
    """One window in ten days, or fewer, is as strange."""
    weak, strong = (IncidentGrouper().on_window(window("a", 0, importance), START) for importance in (0.949, 0.95))
    assert (statuses(weak.alerts), statuses(strong.alerts)) == ([], ["firing"])


def test_a_window_that_did_not_fire_changes_nothing() -> None:
    """Only what passed the threshold is news."""
    assert IncidentGrouper().on_window(replace(window("a", 0), fired=False), START) == Step(IncidentGrouper())


def test_weak_windows_are_told_once_they_last() -> None:
    """One that stays alone is nobody's business."""
    role = Role()
    assert role.take(window("a", 0, 0.6), window("b", 15, 0.6), window("c", 59, 0.6)) == []
    assert role.state.open == 0
    (alert,) = role.take(window("d", 60, 0.6))
    assert (alert.windows, alert.severity.label) == (("a", "b", "c", "d"), "error")


def test_weak_windows_far_apart_do_not_sustain_each_other() -> None:
    """Chance flickers."""
    role = Role()
    assert role.take(*(window(str(at), at, 0.6) for at in range(0, 1000, 121))) == []


def test_a_large_number_alone_opens_nothing_however_long_it_lasts() -> None:
    """Such as an answer that grows with the cloud; a slow answer does, and what else is wrong takes the number in."""
    large, slow = Finding(FindingKind.LARGE_VALUE, service="nova"), Finding(FindingKind.SLOW, service="nova")
    windows = [replace(window(str(at), at, kind="values"), findings=(large,)) for at in range(0, 3_600, 15)]
    role = Role()
    assert role.take(*windows) == []
    role = Role()
    role.take(windows[0], replace(window("slow", 15, kind="values"), findings=(slow,)))
    assert {finding.kind for finding in role.only().findings} == {FindingKind.LARGE_VALUE, FindingKind.SLOW}


def test_several_witnesses_make_a_weak_window_strong() -> None:
    """Errors, and messages that nobody has seen before, among all that goes on; in one service they are common."""
    witnessed = replace(everything("a", 0, 0.6), parts={"levels": 3.5, "novelty": 3.1})
    assert statuses(Role().take(witnessed)) == ["firing"]
    assert Role().take(replace(witnessed, key="nova@host")) == []
    vague = replace(witnessed, parts={"levels": 3.5, "lstm": 9.0, "counts": 9.0, "onset": 9.0})
    assert Role().take(vague) == []
    sign = replace(witnessed, parts={"signs": 3.8})
    assert statuses(Role().take(sign)) == ["firing"]
    assert Role().take(replace(sign, parts={"signs": 2.9})) == []


def test_what_only_goes_on_is_not_told_again() -> None:
    """An open incident that has nothing new is silent, however long it lasts."""
    assert len(Role().take(*(window(str(at), at) for at in range(0, 1000, 15)))) == 1


def test_another_place_and_another_kind_are_told_together_a_minute_after_what_was_told_before() -> None:
    """Neither wakes anybody; what is over in one place while the rest goes on is news, too."""
    role = Role()
    role.take(window("a", 0), window("b", 15, service="nova-api"), window("c", 30, kind="silence"))
    (both,) = role.take(window("d", 60))
    assert (both.page, both.services) == (False, ("nova", "nova-api"))
    assert [(signal["service"], signal["kind"]) for signal in both.signals] == [
        ("nova", "errors"),
        ("nova-api", "errors"),
        ("nova", "silence"),
    ]
    alerts = role.take(*(window(f"e{at}", at) for at in range(75, 600, 15)))
    assert [[signal["ongoing"] for signal in alert.signals] for alert in alerts] == [[True, False, True]]
    (resolved,) = role.wait(400)
    assert not any(signal["ongoing"] for signal in resolved.signals)


def test_a_diagnosis_is_told_when_it_is_new() -> None:
    """One that says the same with other evidence is not; a better one is."""
    role = Role()
    role.take(window("a", 0))
    name = role.only().id
    first = {"summary": "The disk is full (3 times)", "cause": "full at 09:07", "service": "nova", "evidence": []}
    assert statuses(role.publish(role.state.diagnosed(name, first, None, role.now))) == ["enriched"]
    again = {"summary": "The disk is full (9 times)", "cause": "full at 09:08", "evidence": ["L1"]}
    assert role.publish(role.state.diagnosed(name, first | again, None, role.now)) == []
    assert statuses(role.publish(role.state.diagnosed(name, first | {"cause": "quota"}, None, role.now))) == [
        "enriched"
    ]


def test_open_incidents_that_name_the_same_backend_become_one() -> None:
    """The later goes on as part of the first, and says so."""
    role = Role()
    role.take(window("a", 0, service="nova-api"), window("b", 5, service="cinder-api", names=("RabbitMQ",)))
    alerts = role.take(window("c", 15, service="nova-api", names=("RabbitMQ",)))
    whole, part = role.published()
    assert (whole.services, part.state) == (("nova-api", "cinder-api"), IncidentState.MERGED)
    assert f"merged into {whole.id[:6]}" in next(a.summary for a in alerts if a.incident_id == part.id)


def test_another_backend_is_another_fault_at_the_same_place() -> None:
    """RabbitMQ is back, and two minutes later the database fails: two faults of nova."""
    role = Role()
    role.take(window("a", 0, names=("RabbitMQ",)), window("b", 100, names=("database",)))
    assert len(role.published()) == 2


def test_growing_severity_pages_again() -> None:
    """Steps within a minute are one page; the message is up to date at once."""
    alerts = Role().take(window("a", 0), crash("b", 15), crash("c", 60), crash("d", 75))
    assert [(a.severity.label, a.page, a.revision) for a in alerts] == [
        ("error", True, 1),
        ("critical", False, 1),
        ("critical", True, 2),
    ]


def test_growing_scope_raises_severity_and_pages_again() -> None:
    """Errors of many services are worse than those of one, however weak each sign."""
    role = Role()
    backend = ("RabbitMQ",)
    role.take(window("a", 0, 0.7, names=backend), window("b", 60, 0.7, names=backend))
    wider = [window(name, 120 + i, 0.7, name, names=backend) for i, name in enumerate(("neutron", "cinder", "glance"))]
    *_, last = role.take(*wider)
    assert (last.severity.label, last.page, len(last.services)) == ("critical", True, 4)


def test_the_wall_clock_resolves_what_is_idle() -> None:
    """Not a microsecond earlier."""
    role = Role()
    role.take(window("a", 0))
    quiet = 300 * SECOND
    assert role.state.tick(START + quiet - 1) == Step(role.state)
    (alert,) = role.wait(300)
    assert (alert.status, alert.page, alert.ended) == ("resolved", False, START)
    assert role.state.open == 0
    assert role.wait(1) == []


def test_an_incident_stays_open_for_a_while() -> None:
    """Even where quiet is short: a page that is gone when it is looked at helps nobody."""
    role = Role.under(IncidentPolicy(quiet_s=10))
    role.take(window("a", 0))
    assert role.wait(59) == []
    assert statuses(role.wait(1)) == ["resolved"]


def test_what_comes_back_within_the_grace_is_the_same_episode_and_no_page() -> None:
    """Up to quiet_s and grace_s after its last window, at the same service."""
    role = Role()
    (first,) = role.take(window("a", 0))
    role.wait(300)
    (again,) = role.take(window("b", 1200))
    assert (again.incident_id, again.status, again.page, again.ended) == (first.incident_id, "firing", False, None)
    role.wait(300)
    (other,) = role.take(window("c", 2400.001))
    assert other.incident_id != first.incident_id
    assert other.page


def test_what_comes_back_worse_pages() -> None:
    """Grace is for the same again."""
    role = Role()
    role.take(window("a", 0, 0.91))
    role.wait(300)
    (again,) = role.take(crash("b", 600))
    assert (again.page, again.revision, again.severity.label) == (True, 2, "critical")


def test_an_episode_has_a_greatest_age() -> None:
    """What never ends is told again, as a new episode."""
    role = Role.under(IncidentPolicy(max_age_s=1000))
    alerts = role.take(*(window(str(at), at) for at in range(0, 1501, 100)))
    assert len({alert.incident_id for alert in alerts}) == 2
    assert sum(alert.page for alert in alerts) == 2


def test_the_same_window_twice_changes_nothing() -> None:
    """A resend after a crash is recognised, also when its incident is over."""
    role = Role()
    role.take(window("a", 0), window("b", 3000))
    for again in (window("a", 0), window("b", 3000)):
        assert role.state.on_window(again, START) == Step(role.state)


def test_a_late_window_joins_silently_what_it_falls_in() -> None:
    """What is over stays over; the open one is not touched."""
    role = Role()
    role.take(window("a", 0), window("b", 200))
    role.wait(301)
    assert role.take(window("late", 150)) == []
    assert (role.only().state, role.only().count) == (IncidentState.RESOLVED, 3)


def test_a_late_window_that_makes_a_past_episode_worse_is_told() -> None:
    """Nothing disappears silently."""
    role = Role()
    role.take(window("a", 0, 0.91), window("b", 200, 0.91))
    role.wait(301)
    (alert,) = role.take(crash("late", 150))
    assert (alert.status, alert.severity.label, alert.page) == ("resolved", "critical", False)


def test_memory_is_bounded_in_windows_and_incidents() -> None:
    """The oldest go first; a forgotten incident leaves a tombstone."""
    role = Role.under(IncidentPolicy(max_windows=2, remembered=2))
    first, *_ = role.take(window("a", 0), window("b", 1), window("c", 2))
    assert role.only().windows == ("b", "c")
    for at in (2000, 4000, 6000):
        role.take(window(str(at), at))
        role.wait(300)
    assert len(role.state.groups["default"]) == 2
    assert (first.incident_id, None) in role.log


def test_weak_signals_that_come_to_nothing_are_bounded() -> None:
    """They push no incident out of memory."""
    role = Role()
    role.take(window("a", 0))
    role.take(*(window(str(at), at, 0.6) for at in range(2000, 102_000, 1000)))
    assert role.only().windows == ("a",)
    assert len(list(role.state.all())) == 33


def test_resolved_incidents_are_forgotten_in_the_end() -> None:
    """Their records become tombstones, and nothing is left in memory."""
    role = Role()
    (alert,) = role.take(window("a", 0))
    role.wait(300)
    role.wait(8 * 86_400)
    assert role.log[-1] == (alert.incident_id, None)
    assert role.state.groups == {}


def test_a_restart_gives_open_incidents_their_quiet_time_again() -> None:
    """Windows that came while the role was down must find their incident open."""
    role = Role()
    (alert,) = role.take(window("a", 0))
    late = START + 5000 * SECOND
    restored = IncidentGrouper.restore(IncidentPolicy(), role.log, late)
    assert restored.tick(late).alerts == ()
    (resolved,) = restored.tick(late + 300 * SECOND).alerts
    assert resolved.incident_id == alert.incident_id


def test_a_restore_takes_the_last_record_of_each_incident() -> None:
    """Compaction may not have run; tombstones count."""
    role = Role()
    role.take(window("a", 0))
    assert IncidentGrouper.restore(IncidentPolicy(), [*role.log, (role.only().id, None)], START).groups == {}
    with pytest.raises(InvalidError):
        IncidentGrouper.restore(IncidentPolicy(), [("x", b"{}")], START)


def test_beyond_the_budget_of_pages_there_are_tickets() -> None:
    """Each says why, and the budget comes back with time."""
    day = 86_400.0
    role = Role.under(IncidentPolicy(budget=PageBudget(1, day, 0.95)))
    one, two, weak, later = (
        role.take(window(str(at), at, importance))[0]
        for at, importance in ((0, 0.99), (5000, 0.99), (10_000, 0.92), (day + 1, 0.99))
    )
    assert [alert.page for alert in (one, two, weak, later)] == [True, False, False, True]
    assert two.note == "a ticket: the budget of 1 page a day is spent"
    assert weak.note == "a ticket: importance is below 0.95, where pages begin"


def test_who_began_is_known_before_it_is_told() -> None:
    """A window over everything only guesses; nobody hears the guess if a service fires meanwhile."""
    role = Role()
    role.take(everything("a", 0, 0.6, "keystone"))
    (alert,) = role.take(window("b", 15, 0.95, "neutron"))
    assert alert.services == ("neutron",)
    assert alert.windows == ("a", "b")
    assert len(list(role.state.all())) == 1


def test_a_guess_that_was_told_gives_way_too() -> None:
    """The incident keeps its id."""
    role = Role()
    (guessed,) = role.take(everything("a", 0, 0.99, "keystone"))
    (known,) = role.take(window("b", 60, 0.99, "neutron"))
    assert (guessed.services, known.services) == (("keystone",), ("neutron",))
    assert guessed.incident_id == known.incident_id
    assert known.summary.startswith("neutron: errors. ")


@pytest.mark.parametrize(
    "wrong",
    [
        {"quiet_s": 0},
        {"update_s": -1},
        {"forget_s": -1},
        {"grace_s": -1},
        {"max_age_s": 0},
        {"near_s": -1},
        {"max_windows": 0},
        {"remembered": 0},
        {"wide_from": 0},
    ],
)
def test_a_policy_that_cannot_work_is_refused(wrong: dict[str, int]) -> None:
    """At start, not at the first incident."""
    with pytest.raises(InvalidError):
        IncidentPolicy(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [(0, 1.0, 0.5), (1, 0.0, 0.5), (1, 1.0, 1.5)])
def test_a_budget_that_cannot_work_is_refused(wrong: tuple[int, float, float]) -> None:
    """No page at all is not a budget."""
    with pytest.raises(InvalidError):
        PageBudget(*wrong)
