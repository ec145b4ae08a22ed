"""What numbers of sources stand for."""

import pytest

from models.features.source_names import SourceNames
from models.records import source_id

NAMES = SourceNames(["nova-compute", "keystone"], ["nova-compute@c1", "haproxy@lb1"])


@pytest.mark.parametrize(
    ("written", "service", "key"),
    [
        ("nova-compute@c1", "nova-compute", "nova-compute@c1"),
        ("nova-compute@c1.example.com", "nova-compute", "nova-compute@c1"),
        ("keystone@lb1", "keystone", "keystone@lb1"),
        ("keystone@elsewhere", "keystone", "keystone"),
        ("keystone", "keystone", "keystone"),
        ("haproxy@lb1", "", "haproxy@lb1"),
        ("stranger@c1", "", ""),
    ],
)
def test_a_number_tells_as_much_as_training_knows(written: str, service: str, key: str) -> None:
    """The key where service and host are known, in whatever combination; else the service, or nothing."""
    assert NAMES.service(source_id(written)) == service
    assert NAMES.key(source_id(written)) == key
