"""When incidents are explained: at once, after they settle, when they grow, and never after they end."""

from dataclasses import replace

from alerts.incident import Incident
from alerts.records import Severity
from index.fired import Fired
from stream.explaining import ExplainPolicy, Schedule, Task

SECOND = 1_000_000
POLICY = ExplainPolicy(settle_s=10.0, again_s=30.0, windows=2)
INCIDENT = Incident(
    tenant="blue",
    services=("nova-api",),
    opened=5 * SECOND,
    first=5 * SECOND,
    last=5 * SECOND,
    severity=Severity.WARNING,
    importance=0.6,
    windows=("w",),
    count=1,
    published=5 * SECOND,
    seen=0,
)


def fired(start: int, score: float) -> Fired:
    """Return a window of the source nova-api."""
    return Fired("blue", "nova-api", "source", start * SECOND, (start + 60) * SECOND, score=score)


def opened(now: int = 0) -> Schedule:
    """Return a schedule with one incident that has just opened."""
    schedule = Schedule(POLICY)
    schedule.joined(INCIDENT, fired(0, 1.0), now)
    return schedule


def due(schedule: Schedule, at: float) -> list[Task]:
    """Return the tasks that are due, seconds after the opening."""
    return list(schedule.due(int(at * SECOND)))


def test_an_incident_is_explained_as_soon_as_it_opens() -> None:
    """The first explanation waits for nothing, and is made once."""
    schedule = opened()
    (task,) = due(schedule, 0)
    assert (task.incident_id, task.tenant, task.deep) == (INCIDENT.id, "blue", False)
    assert due(schedule, 60) == []


def test_an_incident_that_has_settled_is_explained_by_all_means_once() -> None:
    """The deep explanation comes after the settling time, and there is one an episode."""
    schedule = opened()
    (first,) = due(schedule, 0)
    assert schedule.done(first, SECOND, final=False)
    assert due(schedule, 9) == []
    (deep,) = due(schedule, 10)
    assert deep.deep
    assert schedule.done(deep, 12 * SECOND, final=False)
    assert due(schedule, 1000) == []


def test_an_incident_that_grew_is_explained_again_after_a_while() -> None:
    """More services or a higher severity are worth another look, but not at every window."""
    schedule = opened()
    schedule.done(due(schedule, 0)[0], 0, final=False)
    schedule.done(due(schedule, 10)[0], 10 * SECOND, final=False)
    schedule.joined(replace(INCIDENT, services=("nova-api", "neutron-server")), fired(15, 2.0), 11 * SECOND)
    assert due(schedule, 39) == []
    (again,) = due(schedule, 40)
    assert not again.deep
    assert len(again.fired) == 2


def test_what_cannot_be_bettered_stays() -> None:
    """After a final explanation growth brings no other."""
    schedule = opened()
    schedule.done(due(schedule, 0)[0], 0, final=False)
    schedule.done(due(schedule, 10)[0], 10 * SECOND, final=True)
    schedule.joined(replace(INCIDENT, severity=Severity.CRITICAL), fired(15, 2.0), 11 * SECOND)
    assert due(schedule, 1000) == []


def test_only_the_strongest_windows_are_looked_at() -> None:
    """Of many windows those of the highest scores are kept, the strongest first."""
    schedule = opened()
    for start, score in ((15, 3.0), (30, 0.5), (45, 2.0)):
        schedule.joined(INCIDENT, fired(start, score), 0)
    (task,) = due(schedule, 0)
    assert [window.score for window in task.fired] == [3.0, 2.0]


def test_an_explanation_of_what_is_over_is_not_told() -> None:
    """When the incident ends while it is being explained, the result is dropped."""
    schedule = opened()
    (task,) = due(schedule, 0)
    schedule.ended(INCIDENT.id)
    assert INCIDENT.id not in schedule
    assert not schedule.done(task, SECOND, final=False)


def test_an_incident_found_open_at_a_start_is_explained_when_its_windows_are_known() -> None:
    """Without a window there is nothing to explain from; the next one that joins begins it."""
    schedule = Schedule(POLICY)
    schedule.joined(INCIDENT, None, 0)
    assert due(schedule, 0) == []
    schedule.joined(INCIDENT, fired(0, 1.0), SECOND)
    (task,) = due(schedule, 1)
    assert len(task.fired) == 1
