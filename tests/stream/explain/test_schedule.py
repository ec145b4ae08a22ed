"""When incidents are explained: at once, after they settle, when they grow, and never after they end."""

from dataclasses import replace

from alerts.incidents.incident import Incident, IncidentState
from alerts.incidents.signal import Signal
from alerts.messages.alert import Severity, Status
from index.diagnosis.renewal import Basis
from models.records import Level
from models.rfc3339 import SECOND
from stream.explain.schedule import ExplainPolicy, Schedule, Task
from tests.index.incident import blamed

POLICY = ExplainPolicy(settle_s=10.0, again_s=30.0)
INCIDENT = Incident(
    tenant="blue",
    service="nova-api",
    kind="errors",
    opened=5 * SECOND,
    first=5 * SECOND,
    last=5 * SECOND,
    severity=Severity.WARNING,
    importance=0.6,
    windows=("w",),
    window_places=("nova-api",),
    count=1,
    seen=0,
    state=IncidentState.OPEN,
    services=("nova-api",),
    last_status=Status.FIRING,
)


def opened(now: int = 0) -> Schedule:
    """Return a schedule with one incident that has just opened."""
    schedule = Schedule(POLICY)
    schedule.open(INCIDENT, now)
    return schedule


def due(schedule: Schedule, at: float) -> list[Task]:
    """Return the tasks that are due, seconds after the opening."""
    return list(schedule.due(int(at * SECOND)))


def made(schedule: Schedule, at: float, *, final: bool = False) -> Task:
    """Make the one explanation that is due."""
    (task,) = due(schedule, at)
    assert schedule.done(task.incident.id, int(at * SECOND), final=final)
    return task


def test_an_incident_is_explained_as_soon_as_it_opens() -> None:
    """The first explanation waits for nothing, and is not begun twice."""
    schedule = opened()
    (task,) = due(schedule, 0)
    assert (task.incident, task.deep) == (INCIDENT, False)
    assert due(schedule, 60) == []


def test_an_incident_that_has_settled_is_explained_by_all_means_once() -> None:
    """The deep explanation comes after the settling time, and there is one an episode."""
    schedule = opened()
    made(schedule, 0)
    assert due(schedule, 9) == []
    assert made(schedule, 10).deep
    assert due(schedule, 1000) == []


def test_an_incident_that_grew_is_explained_again_after_a_while() -> None:
    """More services or a higher severity are worth another look, but not at every window."""
    schedule = opened()
    made(schedule, 0)
    made(schedule, 10)
    grown = replace(INCIDENT, services=("nova-api", "neutron-server"))
    schedule.open(grown, 11 * SECOND)
    assert due(schedule, 39) == []
    again = made(schedule, 40)
    assert (again.incident, again.deep) == (grown, False)
    assert due(schedule, 1000) == []


def test_what_cannot_be_bettered_stays() -> None:
    """After a final explanation growth brings no other."""
    schedule = opened()
    made(schedule, 0)
    made(schedule, 10, final=True)
    schedule.open(replace(INCIDENT, severity=Severity.CRITICAL), 11 * SECOND)
    assert due(schedule, 1000) == []


def test_an_explanation_of_what_is_over_is_not_told() -> None:
    """When the incident ends while it is being explained, the result is dropped."""
    schedule = opened()
    (task,) = due(schedule, 0)
    schedule.over(INCIDENT.id)
    assert INCIDENT.id not in schedule
    assert not schedule.done(task.incident.id, SECOND, final=False)


def test_an_incident_that_opens_again_is_explained_anew() -> None:
    """What was forgotten when it ended begins at the beginning."""
    schedule = opened()
    made(schedule, 0)
    made(schedule, 10, final=True)
    schedule.over(INCIDENT.id)
    schedule.open(INCIDENT, 100 * SECOND)
    assert not made(schedule, 100).deep


LOST = blamed("nova-api", "RabbitMQ cannot be reached.", 0.7)
BASIS = Basis(5 * SECOND, LOST, frozenset({"nova-api"}), frozenset({("nova-api", "LOST")}), Level.ERROR)
GONE = Signal(service="nova-api", host="c1", kind="errors", first=5 * SECOND, last=5 * SECOND, importance=0.9)


def explained(schedule: Schedule, at: float, *, final: bool = False, basis: Basis | None = BASIS) -> Task:
    """Make the one explanation that is due, which stands on something."""
    (task,) = due(schedule, at)
    assert schedule.done(task.incident.id, int(at * SECOND), final=final, basis=basis)
    return task


def going_on(until: int) -> Incident:
    """Return the incident with its first signal over, and another one that goes on; ``until`` in seconds."""
    other = replace(GONE, service="neutron", first=20 * SECOND, last=until * SECOND)
    return replace(INCIDENT, services=("nova-api", "neutron"), signals=(GONE, other), last=until * SECOND)


def test_what_stands_on_what_is_over_is_explained_anew_by_rules_alone_and_once() -> None:
    """From then on; also where a language model had the last word, which is not asked again."""
    schedule = opened()
    explained(schedule, 0)
    assert explained(schedule, 10, final=True).deep
    schedule.open(going_on(60), 60 * SECOND)
    assert due(schedule, 60) == []
    schedule.open(going_on(200), 200 * SECOND)
    again = explained(schedule, 200)
    assert (again.deep, again.since) == (False, BASIS.until)
    for at in range(215, 2_000, 15):
        schedule.open(going_on(at), at * SECOND)
        assert due(schedule, at) == []


def test_an_error_that_a_diagnosis_did_not_see_is_worth_another_look() -> None:
    """Not sooner than any other change, from the begin of the incident on, and once."""
    schedule = opened()
    explained(schedule, 0)
    explained(schedule, 10)
    crashed = replace(GONE, service="nova-scheduler", severity=Severity.CRITICAL, first=12 * SECOND, last=12 * SECOND)
    schedule.open(replace(INCIDENT, signals=(GONE, crashed), last=12 * SECOND), 12 * SECOND)
    assert due(schedule, 39) == []
    assert explained(schedule, 40, basis=replace(BASIS, until=12 * SECOND)).since == 0
    assert due(schedule, 1000) == []


def test_a_failed_explanation_is_not_tried_for_ever() -> None:
    """What could not be read once has no basis, and is tried as often as before."""
    schedule = opened()
    explained(schedule, 0, basis=None)
    explained(schedule, 10, basis=None)
    assert due(schedule, 1000) == []


def test_a_known_cause_is_not_given_up_for_something_odd_that_goes_on_since() -> None:
    """But for another cause it is; and an incident without a cause takes what it can get."""
    for known, since, told in ((0.7, 0.2, False), (0.7, 0.8, True), (0.3, 0.2, True)):
        schedule = opened()
        for at in (0, 10):
            (task,) = due(schedule, at)
            basis = replace(BASIS, diagnosis=replace(LOST, confidence=known))
            schedule.done(task.incident.id, at * SECOND, final=False, basis=basis)
        schedule.open(going_on(200), 200 * SECOND)
        (again,) = due(schedule, 200)
        later = replace(BASIS, until=200 * SECOND, diagnosis=blamed("neutron", "Unknown", since))
        assert again.since == BASIS.until
        assert schedule.done(again.incident.id, 200 * SECOND, final=False, basis=later) is told
        assert due(schedule, 1_000) == []
        crashed = replace(GONE, service="glance", severity=Severity.ERROR, first=990 * SECOND, last=995 * SECOND)
        shaken = going_on(995)
        schedule.open(replace(shaken, signals=(*shaken.signals, crashed)), 1_000 * SECOND)
        assert due(schedule, 1_000)
