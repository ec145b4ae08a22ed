"""Faults that many services share, and many faults at once, in clouds of any size."""

from collections import Counter
from itertools import combinations

import pytest

from models.errors import InvalidError
from tests.training.simulated import FIRST, START, Line, fault, lines
from training.simulate import OF_ONE_SERVICE, FaultKind, Scenario, plan_crowd, plan_faults
from training.simulate.common_causes import DATABASE, KEYSTONE, QUEUE, racks

COMPUTES = 45


def during(kind: FaultKind, place: str) -> tuple[list[Line], list[Line]]:
    """Lines of fifteen minutes of a cloud of three racks, from a fault's begin to its end, and after it."""
    case = fault(kind, place)
    found = lines(Scenario(7, START, 900, computes=COMPUTES, faults=(case,)))
    return [x for x in found if case.start <= x.time < case.end], [x for x in found if x.time >= case.end]


def sources(found: list[Line], text: str) -> set[str]:
    """Who wrote lines that hold a text."""
    return {line.source for line in found if text in line.text}


def test_a_queue_that_is_gone_hits_every_service_that_uses_it() -> None:
    """Each tries again, ever less often, and is back after the end; who does not use the queue says nothing."""
    found, after = during(FaultKind.QUEUE_DOWN, QUEUE)
    hit = sources(found, "AMQP server on 10.20.0.11:5672 is unreachable")
    assert len(hit) > 2 * COMPUTES
    assert {source.partition("/")[2].partition("-")[0] for source in hit} == {"nova", "neutron", "cinder"}
    assert hit <= sources(after, "Reconnected to AMQP server")


def test_a_database_that_is_gone_fails_calls_in_every_api() -> None:
    """And what works without calls."""
    found, after = during(FaultKind.DATABASE_DOWN, DATABASE)
    hit = sources(found, "Lost connection to MySQL server")
    assert {"controller-1/nova-api", "controller-1/neutron-server", "controller-1/nova-conductor"} <= hit
    assert len(hit) >= 5
    assert not sources([line for line in after if line.time > after[0].time + 60e6], "Lost connection")


def test_without_keystone_every_api_refuses_its_calls() -> None:
    """Keystone writes nothing, the others that they cannot check tokens, and 503."""
    found, after = during(FaultKind.KEYSTONE_DOWN, KEYSTONE)
    hit = sources(found, "Unable to validate token: Unable to establish connection to http://10.20.0.5:5000")
    assert {"controller-1/nova-api", "controller-1/neutron-server"} <= hit
    assert len(hit) >= 4
    assert Counter(line.source for line in found)["controller-1/keystone"] < 5
    assert Counter(line.source for line in after)["controller-1/keystone"] > 20


def test_a_rack_that_is_gone_takes_its_hosts_and_no_others() -> None:
    """The second of three."""
    found, _ = during(FaultKind.RACK_DOWN, "rack-2/nova-compute")
    late = [line for line in found if line.time > found[0].time + 15e6]
    writing = {line.source.partition("/")[0] for line in late if line.source.startswith("compute-")}
    assert writing == {f"compute-{n}" for n in range(1, COMPUTES + 1) if not 21 <= n <= 40}
    assert racks(COMPUTES) == ["rack-1/nova-compute", "rack-2/nova-compute", "rack-3/nova-compute"]


def test_a_crowd_has_faults_that_overlap_each_at_a_place_of_its_own() -> None:
    """As many as asked for, of the kinds in turn, on hosts from all of the cloud."""
    hosts = set()
    for seed in range(10):
        faults = plan_crowd(START, 3600, seed, 14, 200)
        assert Counter(each.kind for each in faults) == dict.fromkeys(OF_ONE_SERVICE, 2)
        together = [(a, b) for a, b in combinations(faults, 2) if a.end > b.start]
        assert together
        assert all(a.service != b.service for a, b in together)
        assert all(FIRST + 400e6 < each.start < each.end <= FIRST + 3600e6 for each in faults)
        hosts |= {each.service for each in faults if each.service.startswith("compute-")}
    assert len(hosts) > 30


def test_every_kind_can_be_planned_one_after_the_other() -> None:
    """Those that many share as well, in a cloud of any size."""
    faults = plan_faults(START, 7200, 1, tuple(FaultKind))
    assert {each.kind for each in faults} == set(FaultKind)
    assert lines(Scenario(1, START, 1, faults=faults))


def test_a_crowd_that_does_not_fit_is_refused() -> None:
    """There are two hosts to fall silent."""
    with pytest.raises(InvalidError, match="no place left for 60 faults"):
        plan_crowd(START, 3600, 1, 60, 2, (FaultKind.SILENCE,))
