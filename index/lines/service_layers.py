"""Who calls whom among the services of a cloud: where two fail together, the one that is called failed first."""

import re
from functools import lru_cache
from typing import Final

PROJECTS: Final = [
    "nova",
    "neutron",
    "cinder",
    "glance",
    "keystone",
    "placement",
    "heat",
    "horizon",
    "swift",
    "octavia",
    "ironic",
    "designate",
    "barbican",
    "manila",
    "magnum",
    "trove",
    "senlin",
    "mistral",
    "ceilometer",
    "aodh",
    "gnocchi",
    "zaqar",
    "masakari",
    "watcher",
    "cyborg",
]

_LAYERS: Final = (
    # Who is called by the ones above it; the last are called by all.
    frozenset(("horizon", "dashboard", "heat", "magnum", "octavia", "trove", "manila", "mistral", "senlin")),
    frozenset(("nova", "ironic")),
    frozenset(("neutron", "cinder", "placement")),
    frozenset(("glance", "swift", "barbican")),
    frozenset(("keystone",)),
    frozenset(
        (
            "libvirt",
            "libvirtd",
            "virtqemud",
            "qemu",
            "ovs",
            "openvswitch",
            "vswitchd",
            "ovsdb",
            "ovn",
            "dnsmasq",
            "iscsid",
            "multipathd",
            "ceph",
            "osd",
            "mon",
            "haproxy",
        )
    ),
    frozenset(
        ("rabbitmq", "rabbit", "mysql", "mysqld", "mariadb", "galera", "memcached", "redis", "postgresql", "etcd")
    ),
    frozenset(("kernel", "systemd", "chronyd", "kubelet", "containerd", "dockerd")),
)
_ROLES: Final = (
    # Within a project: the API hands over to the conductor, that to the scheduler and to those that do the work.
    frozenset(("api", "server", "wsgi", "metadata")),
    frozenset(("conductor",)),
    frozenset(("scheduler",)),
    frozenset(("compute", "volume", "backup", "agent", "worker", "engine")),
)
_WORDS: Final = re.compile(r"[a-z0-9]+")


@lru_cache(maxsize=65_536)
def depth(service: str) -> tuple[int, int]:
    """How deep a service stands in a call; greater is called by the smaller ones.  (-1, -1) for one unknown."""
    words = set(_WORDS.findall(service.lower()))
    of = project(service)
    # ``neutron-openvswitch-agent`` is an agent of neutron, not Open vSwitch itself: its project decides.
    layer = _level(_LAYERS, {of} if of else words)
    return layer, _level(_ROLES, words)


def _level(levels: tuple[frozenset[str], ...], words: set[str]) -> int:
    return max((number for number, names in enumerate(levels) if words & names), default=-1)


@lru_cache(maxsize=65_536)
def project(service: str) -> str:
    """The project of a service's or logger's name: ``nova`` of ``nova-compute``, ``nova/nova-api`` or ``nova.compute``.

    "" where it is none of the known ones.
    """
    words = _WORDS.findall(service.lower())
    if "placement" in words:
        return "placement"
    return next((word for word in words if word in PROJECTS), "")


@lru_cache(maxsize=65_536)
def names_of(service: str) -> frozenset[str]:
    """The words of a service's name, and its project."""
    return frozenset({*_WORDS.findall(service.lower()), project(service)} - {""})
