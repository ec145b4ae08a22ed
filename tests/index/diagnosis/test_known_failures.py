"""The table of known failures."""

from pathlib import Path

import pytest

from index.diagnosis.known_failures import KnownFailures, shipped
from models.errors import InvalidError

OWN = """
[[failure]]
id = "{name}"
title = "The moon is full"
patterns = ['moon (?:is )?full']
services = ["nova"]
cause = "Astronomy."
actions = ["Wait"]
confidence = 0.9
"""


@pytest.mark.parametrize(
    ("service", "message", "name"),
    [
        ("nova-scheduler", "Filter RamFilter returned 0 hosts", "nova-no-valid-host"),
        ("nova-compute", "Timeout waiting for [('network-vif-plugged', 'x')]", "nova-vif-timeout"),
        ("neutron-server", "Failed to bind port x on host node-1", "nova-port-binding"),
        ("cinder-scheduler", "No weighed backends found for volume", "cinder-no-backend"),
        ("cinder-volume", "Failed to initialize driver.", "cinder-driver-uninitialised"),
        ("nova-compute", "iscsiadm: initiator reported error (24 - iSCSI login failed)", "iscsi-login"),
        ("cinder-volume", "rados.ObjectNotFound: error connecting to the cluster", "ceph-unreachable"),
        ("glance-api", "[Errno 28] No space left on device", "disk-full"),
        ("keystone", "Could not recognize Fernet token", "token-invalid"),
        ("nova-api", "AMQP server on 10.0.0.1:5672 is unreachable: timed out", "rabbitmq-unreachable"),
        ("nova-conductor", "MessagingTimeout: Timed out waiting for a reply to message ID 1", "messaging-timeout"),
        ("nova-api", 'DBConnectionError: (2003, "Can\'t connect to MySQL server")', "database-unreachable"),
        ("neutron-server", "QueuePool limit of size 5 overflow 10 reached", "database-connections"),
        ("nova-compute", "Failed to connect to libvirt", "libvirt-connection"),
        ("neutron-dhcp-agent", "Unable to reload_allocations dhcp for x", "neutron-dhcp"),
        ("neutron-ovn-metadata-agent", "OVN_Southbound: connection attempt timed out", "ovn-database"),
        ("nova-api", "Quota exceeded for instances: Requested 1", "quota"),
        ("nova-scheduler", "Placement API service is not responding.", "placement-unreachable"),
        ("kernel", "Out of memory: Killed process 77 (qemu-kvm)", "out-of-memory"),
        ("nova-compute", "SSLError: certificate verify failed", "tls"),
    ],
)
def test_known_failures_are_known(service: str, message: str, name: str) -> None:
    """A line as the services write it is found, surest first."""
    found = shipped().matches(message, service)
    assert name in [failure.id for failure, _ in found[:2]]
    assert all(words in message for _, words in found)


@pytest.mark.parametrize(
    "message",
    [
        "Final resource view: name=node-1 phys_ram=16383MB used_ram=512MB",
        '10.0.0.1 "GET /v2.1/servers HTTP/1.1" status: 200 len: 500 time: 0.5',
        "Could not find domain: x.: DomainNotFound: Could not find domain: x.",
        "Instance spawned successfully.",
        "No errors were found in NoSuchThemeFile",
        "VM Paused (Lifecycle Event)",
    ],
)
def test_harmless_lines_tell_of_no_failure(message: str) -> None:
    """Nothing is found in what services write all day."""
    assert shipped().matches(message, "nova-compute") == []


def test_the_shipped_table_is_whole() -> None:
    """Each entry has a name of its own and something to do, and none is for a service that nobody has."""
    table = shipped()
    assert len(table) >= 40
    assert len({entry.id for entry in table.entries}) == len(table)
    assert all(entry.actions and entry.title and entry.cause.endswith(".") for entry in table.entries)


def test_a_failure_of_one_project_is_none_of_another() -> None:
    """Its services say in whose lines it counts."""
    assert shipped().matches("NoValidHost", "nova-conductor")
    assert not shipped().matches("NoValidHost", "neutron-server")


def test_a_users_table_extends_and_replaces(tmp_path: Path) -> None:
    """New entries are added in front; an entry with a shipped id takes its place."""
    path = tmp_path / "own.toml"
    path.write_text(OWN.format(name="moon") + OWN.format(name="quota"))
    table = KnownFailures.load(path)
    assert len(table) == len(shipped()) + 1
    assert [failure.id for failure, _ in table.matches("the MOON IS FULL", "nova-api")] == ["moon", "quota"]
    assert not table.matches("Quota exceeded", "nova-api")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("failure = [", "correct the file"),
        ("[[failures]]\nid = 'a'", r"use \[\[failure\]\]"),
        (OWN.format(name="a").replace("cause", "couse"), "couse is unknown"),
        (OWN.format(name="a").replace("cause = ", "# "), "needs id, title"),
        (OWN.format(name="a").replace("moon (?:is )?full", "moon ("), "'moon \\(' is no regular expression"),
        (OWN.format(name="a").replace("moon (?:is )?full", "x*"), "every line"),
        (OWN.format(name="a").replace("0.9", "9"), "from 0 to 1"),
    ],
)
def test_a_wrong_table_says_what_is_wrong(tmp_path: Path, text: str, told: str) -> None:
    """The message names the file and what to correct."""
    path = tmp_path / "own.toml"
    path.write_text(text)
    with pytest.raises(InvalidError, match=told) as raised:
        KnownFailures.load(path)
    assert "own.toml" in str(raised.value)


def test_a_missing_table_says_so(tmp_path: Path) -> None:
    """A path that does not exist is no empty table."""
    with pytest.raises(InvalidError, match="cannot be read"):
        KnownFailures.load(tmp_path / "none.toml")
