"""Faults after each other: a window belongs to what still goes on, not to all that was ever in an incident."""

from dataclasses import replace

from alerts.incidents.incident import IncidentState
from alerts.incidents.signal import NAMED_FOR, signals_of, with_signals
from alerts.messages.anomaly import BESIDE, Anomaly
from models.rfc3339 import SECOND
from tests.alerts.windows import Role, everything, window

NOVA = "nova-compute"
NEUTRON = "neutron-api"


def told(*windows: Anomaly) -> list[tuple[str, ...]]:
    """Return the services of each incident that windows make."""
    role = Role()
    role.take(*windows)
    return [incident.services for incident in role.published()]


def run(name: str, begin: int, end: int, **parts: object) -> list[Anomaly]:
    """Return the windows of a trouble that goes on from begin to end (seconds)."""
    return [window(f"{name}{at}", at, **parts) for at in range(begin, end, 15)]  # type: ignore[arg-type]


def beside(name: str, at: int, *places: str) -> Anomaly:
    """Return a window over everything that fires because of the first of some places."""
    services = tuple(place.partition("@")[0] for place in places)
    return replace(everything(name, at), places=places, services=services)


def test_other_unusual_messages_at_the_same_place_are_another_fault() -> None:
    """Windows overlap, so that what goes on repeats a message; what says nothing unusual follows its kind."""
    first = run("a", 0, 60, templates=("t1",))
    assert len(told(*first, window("b", 90, templates=("t2", "t3")))) == 2
    assert len(told(*first, window("b", 90, templates=("t1", "t2")), window("c", 105, templates=("t2",)))) == 1
    assert len(told(*first, window("b", 90))) == 1


def test_what_was_named_long_ago_ties_nothing() -> None:
    """A service lost RabbitMQ, came back, and is slow since; another that loses it now is another outage."""
    lost = run("a", 0, 60, service=NOVA, names=("RabbitMQ",))
    later = int(NAMED_FOR / SECOND) + 120
    slow = run("b", 60, later, service=NOVA)
    assert len(told(*lost, *slow, window("c", later, service="cinder-api", names=("RabbitMQ",)))) == 2
    assert len(told(*lost, window("c", 75, service="cinder-api", names=("RabbitMQ",)))) == 1


def test_messages_that_name_a_backend_begin_an_outage() -> None:
    """What went on for minutes before is none of its consequences; what began just before may be."""
    for begin, count in ((90, 2), (60, 1)):
        odd = run("a", 0, begin, service=NOVA)
        assert len(told(*odd, window("b", begin, service=NOVA, names=("database",)))) == count


def test_what_follows_an_outage_is_no_part_of_it_once_it_has_paused() -> None:
    """Errors that do not name the backend go on with it, but not a minute and a half later; those that do may."""
    lost = run("a", 0, 60, service=NOVA, names=("RabbitMQ",), templates=("t1",))
    errors = {"service": NOVA, "templates": ("t1", "t2")}
    assert len(told(*lost, window("b", 90, **errors))) == 1  # type: ignore[arg-type]
    assert len(told(*lost, window("b", 135, **errors))) == 2  # type: ignore[arg-type]
    assert len(told(*lost, window("b", 135, names=("RabbitMQ",), **errors))) == 1  # type: ignore[arg-type]


def test_a_service_that_was_slow_for_long_and_then_fails_has_another_fault() -> None:
    """One that has just become slow may fail of the same."""
    for begin, count in ((60, 1), (300, 2)):
        slow = run("a", 0, begin, service=NOVA, kind="values")
        assert len(told(*slow, window("b", begin, service=NOVA))) == count


def test_what_was_unusual_comes_back_only_soon_and_never_as_a_failure() -> None:
    """A failure comes back for a quarter of an hour more."""
    for kind, templates, at, count in (
        ("values", ("t1",), 250, 1),
        ("values", ("t1",), 500, 2),
        ("levels", ("t1",), 250, 2),
    ):
        slow = window("a", 0, service=NOVA, kind="values", templates=templates)
        assert len(told(slow, window("b", at, service=NOVA, kind=kind, templates=templates))) == count
    errors = {"service": NOVA, "templates": ("t1",)}
    assert len(told(window("a", 0, **errors), window("b", 500, **errors))) == 1  # type: ignore[arg-type]


def test_a_signal_forgets_what_its_messages_named() -> None:
    """Once they name something else."""
    later = 60 + int(NAMED_FOR / SECOND)
    (one,) = with_signals(
        signals_of(window("a", 0, names=("RabbitMQ",))), signals_of(window("b", later, names=("database",)))
    )
    assert one.names == ("database",)
    (one,) = with_signals(signals_of(window("a", 0, names=("RabbitMQ",))), signals_of(window("b", later)))
    assert (one.names, one.names_since(one.last - NAMED_FOR)) == (("RabbitMQ",), ())


def test_what_fires_because_of_another_place_does_not_prolong_an_incident() -> None:
    """It is over when its own windows are, however long another fault goes on."""
    role = Role()
    role.take(window("a", 0, service="nova"))
    for at in range(15, 400, 15):
        role.take(beside(str(at), at, "cinder@host", "nova@host"))
        role.wait(0)
    nova, cinder = role.published()
    assert (nova.state, cinder.state) == (IncidentState.RESOLVED, IncidentState.OPEN)
    assert nova.last == nova.first


def test_what_fires_because_of_another_place_does_not_bring_a_new_kind() -> None:
    """Silence of one service, then errors elsewhere that it also has a part in: the part is no news of the silence."""
    role = Role()
    role.take(window("a", 0, service="nova", kind="silence"))
    share = replace(window("b", 30, BESIDE, service="nova"), key="*", places=("nova@host",))
    role.take(share)
    assert [signal.kind for signal in role.only().signals] == ["silence"]


def test_a_project_that_was_slow_for_long_does_not_explain_new_errors() -> None:
    """One that fails does, and one that has just become slow."""
    names = ("neutron",)
    slow = run("a", 0, 600, service=NEUTRON, kind="values")
    assert len(told(*slow, window("b", 600, service=NOVA, names=names))) == 2
    assert len(told(*slow[:6], window("b", 90, service=NOVA, names=names))) == 1
    failing = run("a", 0, 600, service=NEUTRON)
    assert len(told(*failing, window("b", 600, service=NOVA, names=names))) == 1


def test_incidents_of_two_backends_stay_two_though_both_name_a_project() -> None:
    """Every service names keystone or neutron when its backend is gone."""
    first = run("a", 0, 30, service=NOVA, names=("RabbitMQ", "neutron"))
    second = run("b", 30, 60, service="keystone", names=("database",))
    late = window("c", 60, service="keystone", names=("database", "neutron"))
    assert told(*first, *second, late) == [(NOVA,), ("keystone",)]


def test_what_comes_back_is_the_weakest_evidence_of_a_place() -> None:
    """Messages that name what fails now outweigh that the place has failed before."""
    role = Role()
    role.take(window("a", 0, service=NOVA, templates=("t1",)))
    role.take(*run("b", 380, 420, service="placement-api"))
    role.wait(0)
    role.take(window("c", 420, service=NOVA, templates=("t1",), names=("placement",)))
    assert [incident.services for incident in role.published()] == [(NOVA,), ("placement-api", NOVA)]


def test_an_outage_comes_back_with_the_messages_that_name_its_backend() -> None:
    """What has only followed from it may follow from another fault."""
    role = Role()
    followed = window("b", 30, service=NOVA, templates=("t2",))
    role.take(window("a", 0, service=NOVA, templates=("t1", "t2"), names=("database",)), followed)
    role.only()
    role.take(window("c", 500, service=NOVA, templates=("t2",)))
    assert len(role.published()) == 2
    role.take(window("d", 500, service=NOVA, templates=("t1",), names=("database",)))
    assert [incident.count for incident in role.published()] == [3, 1]


def test_a_window_over_everything_without_messages_brings_back_only_what_began_there() -> None:
    """Its kind is that of the place where an incident began."""
    role = Role()
    role.take(window("a", 0, service="nova-api"), window("b", 30, service=NOVA))
    role.only()
    role.take(replace(everything("c", 500), places=(f"{NOVA}@host",), services=(NOVA,)))
    assert [incident.services for incident in role.published()] == [("nova-api", NOVA), (NOVA,)]
    role.take(replace(everything("d", 505), places=("nova-api@host",), services=("nova-api",)))
    assert [incident.count for incident in role.published()] == [3, 1]


def test_the_title_names_the_backend_that_is_named_now() -> None:
    """RabbitMQ was named by more services, and is back."""
    services = ("nova-compute", "cinder-api", "glance-api", "heat-engine")
    role = Role()
    role.take(*(window(f"a{n}", n, service=name, names=("RabbitMQ",)) for n, name in enumerate(services)))
    assert role.only().summary().startswith("RabbitMQ is named by 4 services.")
    later = int(NAMED_FOR / SECOND) + 30
    role.take(*(window(f"b{at}", at, service="nova-compute") for at in range(15, later, 15)))
    assert not role.only().summary().startswith("RabbitMQ")
    role.wait(1000)
    assert "RabbitMQ is named by 4 services." in role.only().summary()


def test_windows_over_everything_without_places_have_no_place_to_come_back_to() -> None:
    """Two faults ten minutes apart that nothing locates are two incidents, each with its own begin."""
    assert len(told(everything("a", 0), everything("b", 600, service="deployment"))) == 2


def test_what_names_a_backend_is_no_part_of_its_project_s_trouble() -> None:
    """Beside a strange message on one host another service of nova loses RabbitMQ; without a name it may belong."""
    odd = run("a", 0, 60, service=NOVA)
    for names, count in ((("RabbitMQ",), 2), ((), 1)):
        assert len(told(*odd, window("b", 45, service="nova-conductor", names=names))) == count
