"""What people say of incidents: the record, and what it does."""

from dataclasses import replace
from typing import Any

import orjson
import pytest

from alerts.incidents.annotations import Annotations, annotations_by_incident
from alerts.incidents.grouping import IncidentGrouper, IncidentPolicy
from alerts.incidents.incident import IncidentState
from alerts.messages.feedback import Action, Feedback, Opinion, vote
from models.errors import InvalidError
from models.rfc3339 import DAY, SECOND
from tests.alerts.windows import START, Role, crash, session, statuses, window

ID = "0" * 32
OTHER = "1" * 32


def one(*, templates: tuple[str, ...] = ("t1", "t2")) -> Role:
    """Return a role with one open incident."""
    role = Role()
    role.take(window("a", 0, templates=templates))
    return role


def said(role: Role, action: Action, **parts: Any) -> Feedback:
    """Return a record on the role's only incident, at its time."""
    return Feedback(role.only().id, action, "jo", role.now, **parts)


@pytest.mark.parametrize(
    "record",
    [
        vote(ID, Opinion.REAL, "jo", START, cause=False, text="the disk"),
        vote(ID, Opinion.KNOWN, "jo", START + 1),
        Feedback(ID, Action.MUTE, "jo", START, expires=START + DAY),
        Feedback(ID, Action.MERGE, "jo", START, into=OTHER),
        Feedback(ID, Action.SPLIT, "jo", START, services=("nova", "neutron")),
        Feedback(ID, Action.NOTE, "jo", START, text="seen before"),
    ],
)
def test_feedback_survives_the_topic(record: Feedback) -> None:
    """To the last field."""
    assert Feedback.from_json(record.to_json()) == record


@pytest.mark.parametrize(
    "wrong",
    [
        {"incident_id": "short"},
        {"by": " "},
        {"opinion": Opinion.REAL},
        {"expires": START + 1},
        {"action": Action.VOTE},
        {"action": Action.NOTE},
        {"action": Action.MERGE},
        {"action": Action.MERGE, "into": ID},
        {"action": Action.SPLIT},
        {"action": Action.MUTE},
        {"action": Action.MUTE, "expires": START},
        {"action": Action.MUTE, "expires": START + 400 * DAY},
    ],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    """With a reason, before it reaches the topic."""
    parts: dict[str, Any] = {"incident_id": ID, "action": Action.ACK, "by": "jo", "time": START}
    with pytest.raises(InvalidError):
        Feedback(**(parts | wrong))


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b'{"schema": "tocsin.feedback/2"}', b'{"schema":"tocsin.feedback/1"}']
)
def test_broken_feedback_is_refused(data: bytes) -> None:
    """One bad record is told of, not a crash."""
    with pytest.raises(InvalidError, match="not a record of feedback"):
        Feedback.from_json(data)


def test_compaction_keeps_what_counts() -> None:
    """A vote replaces the same person's, taking back replaces what was said; notes all stay."""
    keys = [
        vote(ID, Opinion.REAL, "jo", START).key,
        vote(ID, Opinion.NOISE, "jo", START + SECOND).key,
        vote(ID, Opinion.NOISE, "al", START).key,
        Feedback(ID, Action.ACK, "jo", START).key,
        Feedback(ID, Action.UNACK, "al", START).key,
        Feedback(ID, Action.NOTE, "jo", START, text="x").key,
        Feedback(ID, Action.NOTE, "jo", START + SECOND, text="x").key,
    ]
    assert len(set(keys)) == 5
    assert all(key.startswith(ID) for key in keys)


def test_a_vote_known_silences_the_pattern_at_once_and_its_expiry_brings_it_back() -> None:
    """Visibly: the incident is closed with the reason, what it swallows is counted."""
    role = one()
    (closed,) = role.hear(vote(role.only().id, Opinion.KNOWN, "jo", role.now, expires=role.now + DAY, text="BUG-7"))
    assert (closed.status, closed.page) == ("resolved", False)
    assert closed.note == "known, says jo, until 2026-01-02T12:00:00.000Z: BUG-7"
    hours = [window(str(at), at, templates=("t2", "t1")) for at in range(60, 80_000, 3600)]
    assert role.take(*hours) == []
    assert role.only().suppressed == len(hours)
    (again,) = role.take(window("z", 86_400, templates=("t1", "t2")))
    assert (again.status, again.page) == ("firing", True)


def test_what_differs_from_a_known_pattern_fires() -> None:
    """Another service at the same moment, or other odd lines of the same."""
    role = one()
    role.hear(vote(role.only().id, Opinion.KNOWN, "jo", role.now))
    elsewhere, otherwise = (
        role.take(window("b", 15, service="glance", templates=("t1", "t2"))),
        role.take(window("c", 5000, templates=("t8", "t9"))),
    )
    assert statuses(elsewhere) == statuses(otherwise) == ["firing"]


def test_a_known_pattern_outlives_a_restart_and_the_memory_of_incidents() -> None:
    """The vote stands on feedback, the pattern on incidents."""
    role = one()
    known = vote(role.only().id, Opinion.KNOWN, "jo", role.now)
    role.hear(known)
    role.wait(400)
    role.wait(20 * 86_400)
    again = Role(IncidentGrouper.restore(IncidentPolicy(), role.log, role.now), role.now)
    again.publish(again.state.replay_feedback([known], again.now))
    assert again.take(window("b", 20 * 86_400, templates=("t1",))) == []
    assert again.only().suppressed == 1


def test_what_was_voted_on_is_kept_as_a_label() -> None:
    """When the incident itself is long forgotten: its windows, templates and reasons, under a key of its own."""
    role = one()
    name = role.only().id
    role.hear(vote(name, Opinion.REAL, "jo", role.now))
    role.wait(400)
    role.wait(9 * 86_400)
    assert role.state.find(name) is None
    (label,) = [value for key, value in role.log if key == f"label/{name}"]
    record = orjson.loads(label or b"")
    assert (record["schema"], record["windows"], record["templates"]) == ("tocsin.label/1", ["a"], ["t1", "t2"])
    assert IncidentGrouper.restore(IncidentPolicy(), role.log, role.now).groups == {}
    again = IncidentGrouper.restore(IncidentPolicy(), role.log[:1], role.now)
    assert f"label/{name}" in again.replay_feedback([vote(name, Opinion.REAL, "jo", role.now)], role.now).records


def test_the_last_vote_counts() -> None:
    """Whoever casts it; a fault that is real after all pages again."""
    role = one()
    role.hear(vote(role.only().id, Opinion.NOISE, "jo", role.now))
    assert role.only().last_status == "resolved"
    (again,) = role.hear(vote(role.only().id, Opinion.REAL, "al", role.now + SECOND))
    assert (again.status, again.page) == ("firing", True)


def test_noise_silences_its_episode_only() -> None:
    """What comes next week is new."""
    role = one()
    role.hear(vote(role.only().id, Opinion.NOISE, "jo", role.now))
    assert role.take(window("b", 60, templates=("t1", "t2"))) == []
    role.wait(300)
    assert statuses(role.take(window("c", 5000, templates=("t1", "t2")))) == ["firing"]


def test_a_mute_ends_by_itself() -> None:
    """An incident that still goes on then is told again."""
    role = one()
    (closed,) = role.hear(said(role, Action.MUTE, expires=role.now + 100 * SECOND))
    assert closed.note.startswith("muted by jo until ")
    assert role.take(window("b", 60)) == []
    (again,) = role.wait(40)
    assert (again.status, again.page) == ("firing", True)


def test_a_mute_hides_nothing_that_only_comes_at_the_same_time() -> None:
    """Another service's fault is told, though it begins within the same minute."""
    role = one()
    role.hear(said(role, Action.MUTE, expires=role.now + DAY))
    assert statuses(role.take(window("b", 30, service="glance"))) == ["firing"]


def test_an_acknowledgement_is_told_and_kept() -> None:
    """Sinks show who takes care; what gets worse pages all the same."""
    role = one()
    ack = said(role, Action.ACK)
    (taken,) = role.hear(ack)
    assert (taken.acknowledged, taken.page) == ("jo", False)
    assert role.hear(ack) == []
    (worse,) = role.take(crash("b", 100))
    assert (worse.acknowledged, worse.page) == ("jo", True)
    (free,) = role.hear(said(role, Action.UNACK))
    assert free.acknowledged == ""


def test_people_can_resolve_what_goes_on_again_later() -> None:
    """The order counts once: what comes afterwards brings the incident back."""
    role = one()
    order = said(role, Action.RESOLVE)
    assert statuses(role.hear(order)) == ["resolved"]
    assert statuses(role.take(window("b", 600))) == ["firing"]
    assert role.publish(role.state.replay_feedback([order], role.now)) == []


def test_two_incidents_become_one() -> None:
    """The one that is merged is over, the other goes on with all that was known of both."""
    role = Role()
    role.take(window("a", 0), session("s", 30, "req-9", ("nova",)), window("b", 400, service="glance"))
    nova, glance = role.published()
    alerts = role.hear(Feedback(nova.id, Action.MERGE, "jo", role.now, into=glance.id))
    merged, whole = role.published()
    assert [(a.incident_id, a.status.value) for a in alerts] == [(nova.id, "resolved")]
    assert f"merged into {glance.id[:6]}" in alerts[0].summary
    assert (merged.state, whole.count, set(whole.services)) == (IncidentState.MERGED, 3, {"nova", "glance"})
    role.take(window("c", 450))
    assert role.state.find(glance.id) == role.published()[1]
    assert role.published()[1].count == 4


def test_an_incident_is_split() -> None:
    """Services leave with their windows, wake nobody, and their next windows go where they went."""
    role = Role()
    role.take(window("a", 0, names=("Ceph",)), window("b", 30, service="glance", names=("Ceph",)))
    (alert,) = role.hear(said(role, Action.SPLIT, services=("glance", "unheard-of", "nova")))
    glance, nova = role.published()
    assert (alert.incident_id, alert.page, glance.windows, nova.windows) == (glance.id, False, ("b",), ("a",))
    role.take(window("c", 60, service="glance"), window("d", 60))
    assert [incident.windows for incident in role.published()] == [("b", "c"), ("a", "d")]


def test_orders_on_what_is_not_there_do_nothing() -> None:
    """A mistyped id, an incident of another tenant."""
    role = one()
    role.take(replace(window("b", 0), tenant="acme"))
    other = next(incident for incident in role.published() if incident.tenant == "acme")
    nova_incident = next(incident for incident in role.published() if incident.tenant == "default")
    for order in (
        Feedback(ID, Action.MERGE, "jo", role.now, into=nova_incident.id),
        Feedback(nova_incident.id, Action.MERGE, "jo", role.now, into=ID),
        Feedback(nova_incident.id, Action.MERGE, "jo", role.now, into=other.id),
        Feedback(nova_incident.id, Action.SPLIT, "jo", role.now, services=("glance",)),
    ):
        before = [(i.id, i.state, i.windows, i.services) for i in role.state.all()]
        assert role.hear(order) == []
        assert [(i.id, i.state, i.windows, i.services) for i in role.state.all()] == before


def test_an_order_that_could_not_be_obeyed_is_not_obeyed_later() -> None:
    """Though a restart reads it again when it could be."""
    role = one()
    order = said(role, Action.SPLIT, services=("glance",))
    role.hear(order)
    role.take(window("b", 30, service="glance", names=("nova",)))
    assert role.publish(role.state.replay_feedback([order], role.now)) == []
    assert role.only().count == 2


def test_notes_and_votes_are_folded_in_any_number() -> None:
    """What is read twice counts once."""
    records = [
        vote(ID, Opinion.REAL, "jo", START),
        vote(ID, Opinion.NOISE, "al", START + SECOND),
        Feedback(ID, Action.NOTE, "jo", START, text="look at the disk"),
    ]
    human = annotations_by_incident([*records, *records])[ID]
    assert (len(human.votes), len(human.notes)) == (2, 1)
    assert human.opinion == records[1]
    assert Annotations().silence(START) == ""
