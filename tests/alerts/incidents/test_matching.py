"""Which windows have one cause: the signs, and how near each must be."""

from dataclasses import replace

import pytest

from alerts.incidents.grouping import IncidentGrouper, IncidentPolicy
from alerts.messages.anomaly import Anomaly
from tests.alerts.windows import START, Role, everything, session, window


def incidents(*windows: Anomaly) -> int:
    """Count the incidents that windows make."""
    role = Role()
    role.take(*windows)
    return len(role.published())


def test_what_begins_at_the_same_time_has_one_cause() -> None:
    """Services that never met fail within seconds of each other."""
    assert incidents(window("a", 0), window("b", 170, service="neutron")) == 1


def test_what_begins_later_elsewhere_is_a_fault_of_its_own() -> None:
    """Though the first one still goes on."""
    first = [window(str(at), at) for at in range(0, 400, 15)]
    assert incidents(*first, window("b", 400, service="neutron")) == 2


def test_services_that_requests_went_through_share_their_faults() -> None:
    """What sessions reveal is learnt, and survives a restart."""
    role = Role()
    role.take(session("s", 0, "req-1", ("nova", "neutron")))
    assert role.log[-1][0] == "topology/default"
    first = [window(str(at), 5000 + at) for at in range(0, 400, 15)]
    role.take(*first)
    again = Role(IncidentGrouper.restore(IncidentPolicy(), role.log, role.now), role.now)
    for restarted in (role, again):
        restarted.take(window("b", 5400, service="neutron"))
        assert len([i for i in restarted.published() if i.opened >= START + 5000 * 1_000_000]) == 1


def test_a_request_that_two_windows_share_joins_them() -> None:
    """Long after the begin, at another service."""
    first = [window(str(at), at) for at in range(0, 400, 15)]
    port = session("p", 60, "port:1", ("nova",))
    later = session("q", 400, "port:1", ("glance",))
    other = session("q", 400, "port:2", ("glance",))
    assert incidents(*first[:5], port, *first[5:], later) == 1
    assert incidents(*first[:5], port, *first[5:], other) == 2


def test_odd_templates_that_two_windows_share_join_them() -> None:
    """Most of the most telling ones: one that is everywhere does not count."""
    first = [window(str(at), at, templates=("t1", "t2")) for at in range(0, 400, 15)]
    assert incidents(*first, window("b", 400, service="glance", templates=("t2", "t1", "t9"))) == 1
    assert incidents(*first, window("b", 400, service="glance", templates=("t2", "t8", "t9"))) == 2


def test_a_window_over_everything_joins_what_is_going_on() -> None:
    """It shows every fault; only where none is near does it tell of one by itself."""
    assert incidents(window("a", 0), everything("b", 120)) == 1
    assert incidents(window("a", 0), everything("b", 121)) == 2
    assert incidents(everything("a", 0), everything("b", 1200)) == 1
    assert incidents(window("a", 0), everything("b", 300, service="nova")) == 1
    assert incidents(window("a", 0), everything("b", 300, service="glance")) == 2


def test_what_comes_late_joins_what_was_going_on_then() -> None:
    """Not the newer incident of its service, which began long after."""
    role = Role()
    role.take(everything("a", 0), everything("b", 100), window("c", 600, service="glance"))
    role.take(window("late", 90, service="glance"))
    assert [incident.windows for incident in role.published()] == [("a", "b", "late"), ("c",)]


def test_nothing_crosses_tenants() -> None:
    """The same fault in two clouds is two incidents."""
    role = Role()
    role.take(window("a", 0), replace(window("b", 0), tenant="acme"))
    assert len({incident.tenant for incident in role.published()}) == 2


def test_the_strongest_sign_decides_between_two_incidents() -> None:
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
