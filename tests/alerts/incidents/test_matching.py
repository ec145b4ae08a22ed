"""Which windows have one cause: the evidence, and how near each must be."""

from dataclasses import replace

import pytest

from alerts.messages.anomaly import Anomaly
from models.findings import Finding, FindingKind
from tests.alerts.windows import Role, everything, session, window


def incidents(*windows: Anomaly) -> int:
    """Count the incidents that windows make."""
    role = Role()
    role.take(*windows)
    return len(role.published())


def seen_at(made: Anomaly, *places: str) -> Anomaly:
    """Return a window of several sources with the places that made it fire."""
    return replace(made, places=places, services=tuple(place.partition("@")[0] for place in places))


def test_the_same_time_is_no_evidence() -> None:
    """Two services of two projects fail within seconds of each other: two faults, each with its name."""
    role = Role()
    role.take(window("a", 0, service="nova-compute"), window("b", 5, service="cinder-api"))
    assert [incident.services for incident in role.published()] == [("nova-compute",), ("cinder-api",)]


def test_a_backend_that_both_name_joins_them() -> None:
    """An outage that hits five services is one incident, and says why each belongs to it."""
    role = Role()
    services = ("nova-compute", "cinder-api", "glance-api", "heat-engine", "neutron-server")
    role.take(*(window(name, n, service=name, names=("RabbitMQ",)) for n, name in enumerate(services)))
    assert role.only().services == services
    assert role.only().summary().startswith("RabbitMQ is named by 5 services. nova-compute: errors. Also affected: ")
    assert [signal.why for signal in role.only().signals][:2] == [
        "",
        "its messages name RabbitMQ, as those of nova-compute do",
    ]


def test_an_error_that_names_the_other_project_joins_them() -> None:
    """In either direction; one that names a third does not."""
    volume, compute = window("a", 0, service="cinder-volume"), window("b", 30, service="nova-compute")
    assert incidents(volume, replace(compute, names=frozenset({"cinder"}))) == 1
    assert incidents(replace(volume, names=frozenset({"nova"})), compute) == 1
    assert incidents(volume, replace(compute, names=frozenset({"glance"}))) == 2


def test_the_services_of_one_project_that_begin_together_are_one() -> None:
    """What begins long after, or when the first one has paused, is a fault of its own."""
    first = [window(str(at), at, service="nova-compute") for at in range(0, 400, 15)]
    assert incidents(*first[:10], window("b", 170, service="nova-api")) == 1
    assert incidents(*first[:5], window("b", 170, service="nova-api")) == 2
    assert incidents(*first, window("b", 400, service="nova-api")) == 2


def test_one_service_on_two_hosts_is_two_faults() -> None:
    """Unless they write the same unusual messages."""
    here = replace(window("a", 0, service="nova-compute", templates=("t1",)), key="nova-compute@compute-1")
    there = replace(window("b", 20, service="nova-compute", templates=("t2",)), key="nova-compute@compute-2")
    role = Role()
    role.take(here, there)
    assert [incident.host for incident in role.published()] == ["compute-1", "compute-2"]
    assert incidents(here, replace(there, templates=("t1",))) == 1


def test_a_new_kind_of_trouble_at_a_place_is_news_in_its_incident_only_while_that_goes_on() -> None:
    """Three minutes after the last errors it is another fault; the same kind goes on."""
    first = window("a", 0)
    assert incidents(first, window("b", 100, kind="silence")) == 1
    assert incidents(first, window("b", 200, kind="silence")) == 2
    assert incidents(first, window("b", 200)) == 1


def test_what_is_over_does_not_swallow_another_fault_at_the_same_place() -> None:
    """Within the grace only what repeats it brings it back."""
    role = Role()
    role.take(window("a", 0))
    role.wait(300)
    role.take(window("b", 400, kind="silence"))
    assert [incident.kind for incident in role.published()] == ["errors", "silence"]
    role.take(window("c", 600))
    assert [incident.count for incident in role.published()] == [2, 1]


def test_what_names_another_backend_is_no_comeback() -> None:
    """The same service fails again with the same messages, and now they name the database."""
    first, later = window("a", 0, templates=("t1",)), window("b", 500, templates=("t1",))
    assert incidents(first, later) == 1
    assert incidents(first, replace(later, names=frozenset({"database"}))) == 2


def test_a_request_that_two_windows_share_joins_them() -> None:
    """Long after the begin, at another service."""
    first = [window(str(at), at) for at in range(0, 400, 15)]
    port = session("p", 60, "port:1", ("nova",))
    later = session("q", 400, "port:1", ("glance",))
    other = session("q", 400, "port:2", ("glance",))
    assert incidents(*first[:5], port, *first[5:], later) == 1
    assert incidents(*first[:5], port, *first[5:], other) == 2


def test_a_request_counts_for_every_service_in_which_it_fails() -> None:
    """One that fails in cinder-api and in nova-api belongs to what is wrong in either, and shows both."""
    role = Role()
    failed = seen_at(session("s", 60, "req-1", ("nova",)), "nova-api@host", "cinder-api@host")
    role.take(window("a", 0, service="cinder-api"), failed)
    assert {signal.service for signal in role.only().signals} == {"cinder-api", "nova-api"}


def test_odd_templates_that_two_windows_share_join_them() -> None:
    """Most of the most telling ones: one that is everywhere does not count."""
    first = [window(str(at), at, templates=("t1", "t2")) for at in range(0, 400, 15)]
    assert incidents(*first, window("b", 400, service="glance", templates=("t2", "t1", "t9"))) == 1
    assert incidents(*first, window("b", 400, service="glance", templates=("t2", "t8", "t9"))) == 2


def test_a_window_over_everything_counts_for_the_places_that_made_it_fire() -> None:
    """Fully for the loudest; elsewhere it only supports what is known there, or has to last."""
    role = Role()
    role.take(window("a", 0, service="nova"), window("b", 5, service="cinder"))
    role.take(seen_at(everything("c", 15), "nova@host", "cinder@host", "glance@host"))
    assert [incident.windows for incident in role.published()] == [("a", "c"), ("b", "c")]
    assert sorted(incident.service for incident in role.state.all()) == ["cinder", "glance", "nova"]


def test_what_is_found_of_another_place_by_name_is_not_said_of_this_one() -> None:
    """A silent host is no trouble of the service that shares its window."""
    silent = Finding(FindingKind.SILENT, service="nova", host="h2", value=90.0)
    errors = Finding(FindingKind.ERRORS, value=4.0)
    first, second = replace(seen_at(everything("a", 0), "nova@h2", "glance@h1"), findings=(silent, errors)).shares()
    assert (first.findings, second.findings) == ((silent, errors), (errors,))


def test_a_quiet_host_is_one_incident_however_many_services_wrote_there() -> None:
    """Also where some of them were missed before; it is told by the host."""
    places = ("nova@h2", "cinder@h2", "glance@h2")
    one = Finding(FindingKind.SILENT, service="nova", host="h2", value=40.0)
    quiet = Finding(FindingKind.HOST_SILENT, host="h2", value=90.0, usual=50.0, count=3)
    role = Role()
    role.take(replace(seen_at(everything("a", 0), "nova@h2"), findings=(one,)))
    role.take(
        *(replace(seen_at(everything(str(at), at), *places), findings=(quiet,)) for at in range(15, 200, 15)),
    )
    role.wait(60)
    incident = role.only()
    assert incident.findings == (quiet,)
    assert {(signal.service, signal.host, signal.kind) for signal in incident.signals} == {
        (service, "h2", "silence") for service in ("nova", "cinder", "glance")
    }
    assert incident.services == ("nova", "cinder", "glance")


def test_a_window_of_unknown_origin_joins_what_is_going_on() -> None:
    """It says nothing of where it is; only where nothing is near does it tell of something by itself."""
    assert incidents(window("a", 0), everything("b", 120)) == 1
    assert incidents(window("a", 0), everything("b", 121)) == 2
    assert incidents(window("a", 0), everything("b", 300, service="nova")) == 1
    assert incidents(window("a", 0), everything("b", 300, service="glance")) == 2


def test_what_comes_late_joins_what_was_going_on_then() -> None:
    """Not the newer incident of its service, which began long after."""
    role = Role()
    role.take(everything("a", 0), everything("b", 100), window("c", 600, service="glance"))
    role.take(window("late", 90, service="glance"))
    assert [incident.windows for incident in role.published()] == [("a", "b", "late"), ("c",)]


def test_what_nobody_has_heard_of_becomes_part_of_what_people_know_once_there_is_evidence() -> None:
    """A weak signal of nova-compute alone, then an error that names cinder, where an incident is open."""
    role = Role()
    role.take(window("a", 0, service="cinder-volume"), window("b", 5, 0.6, service="nova-compute"))
    role.take(window("c", 20, service="nova-compute", names=("cinder",)))
    assert sorted(role.only().windows) == ["a", "b", "c"]
    assert len(list(role.state.all())) == 1


def test_a_host_that_is_unknown_is_taken_for_one_that_is_known() -> None:
    """A service is shown once, with its host as soon as one window names it."""
    role = Role()
    role.take(seen_at(everything("a", 0), "nova"), window("b", 15))
    assert [(signal.service, signal.host, signal.count) for signal in role.only().signals] == [("nova", "host", 2)]


def test_nothing_crosses_tenants() -> None:
    """The same fault in two clouds is two incidents."""
    role = Role()
    role.take(window("a", 0), replace(window("b", 0), tenant="acme"))
    assert len({incident.tenant for incident in role.published()}) == 2


def test_the_strongest_evidence_decides_between_two_incidents() -> None:
    """A service of one, a request of the other."""
    role = Role()
    role.take(session("a", 0, "req-1", ("nova",)))
    role.take(window("b", 1000, service="glance"))
    role.take(session("c", 1010, "req-1", ("glance",)))
    assert [incident.count for incident in role.published()] == [2, 1]


@pytest.mark.parametrize("gap", [10, 100, 299, 310, 600, 1199])
def test_flapping_makes_one_incident_and_one_page(gap: int) -> None:
    """However often it comes and goes, with or without resolving between."""
    role = Role()
    for i in range(40):
        role.take(window(str(i), i * gap))
        role.wait(gap - 1)
    assert len(role.published()) == 1
    assert sum(alert.page for alert in role.alerts) == 1


def test_two_windows_that_end_at_once_and_name_two_backends_are_one_incident() -> None:
    """They would have the same id, and one would take the place of the other."""
    role = Role()
    role.take(window("a", 0, names=("RabbitMQ",)), window("b", 0, names=("database",)))
    assert role.only().windows == ("a", "b")
