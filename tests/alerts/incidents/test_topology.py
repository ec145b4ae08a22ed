"""Links of services: learnt from sessions, kept within bounds, read from the topic."""

import pytest

from alerts.incidents.topology import LINKS, Topology
from models.errors import InvalidError


def test_a_session_links_all_services_that_it_went_through() -> None:
    """In both directions, in its tenant only."""
    topology = Topology().learnt("blue", ("nova", "neutron", "glance"))
    assert topology.linked("blue", "glance", ("cinder", "nova"))
    assert topology.linked("blue", "nova", ("glance",))
    assert not topology.linked("blue", "nova", ("cinder", "nova"))
    assert not topology.linked("red", "nova", ("glance",))


def test_what_is_known_is_not_learnt_again() -> None:
    """So that the topic hears of news only."""
    topology = Topology().learnt("blue", ("nova", "neutron"))
    assert topology.learnt("blue", ("neutron", "nova", "nova")) is topology
    assert Topology().learnt("blue", ("nova",)) == Topology()


def test_links_are_bounded() -> None:
    """The newest stay."""
    topology = Topology()
    for n in range(LINKS + 1):
        topology = topology.learnt("blue", (f"a{n}", f"b{n}"))
    assert len(topology.links["blue"]) == LINKS
    assert not topology.linked("blue", "a0", ("b0",))
    assert topology.linked("blue", f"a{LINKS}", (f"b{LINKS}",))


def test_links_survive_the_topic() -> None:
    """A tombstone forgets them."""
    topology = Topology().learnt("blue", ("nova", "neutron"))
    again = Topology().with_record("topology/blue", topology.record("blue"))
    assert again == topology
    assert again.with_record("topology/blue", None) == Topology()


@pytest.mark.parametrize(
    "data", [b"", b"[]", b'{"schema": "other"}', b'{"schema": "tocsin.topology/1", "links": [["a"]]}']
)
def test_broken_links_are_refused(data: bytes) -> None:
    """With advice."""
    with pytest.raises(InvalidError, match="delete it from the topic"):
        Topology().with_record("topology/blue", data)
