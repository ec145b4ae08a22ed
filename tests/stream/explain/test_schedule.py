"""When incidents are explained: at once, after they settle, when they grow, and never after they end."""

from dataclasses import replace

from alerts.incidents.incident import Incident, IncidentState
from alerts.messages.alert import Severity, Status
from models.rfc3339 import SECOND
from stream.explain.schedule import ExplainPolicy, Schedule, Task

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
