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

_DEPTH: Final = (
    # Deepest last.  A name counts where it stands as a word of the service's name.
    (1, r"horizon|dashboard|heat|magnum|octavia|trove|manila"),
    (2, r"api|server|wsgi|metadata"),
    (3, r"conductor"),
    (4, r"scheduler"),
    (5, r"compute|volume|backup|agent|worker|engine"),
    (6, r"glance|placement|registry"),
    (7, r"keystone"),
    (8, r"libvirtd?|ovs|openvswitch|ovn|dnsmasq|iscsid?|multipathd?|ceph|osd|mon|haproxy"),
    (9, r"rabbitmq|rabbit|mysql|mariadb|galera|memcached|postgresql|etcd"),
    (10, r"kernel|systemd|chronyd|kubelet|containerd|dockerd"),
)
_WORDS: Final = re.compile(r"[a-z0-9]+")


@lru_cache(maxsize=65_536)
def depth(service: str) -> int:
    """How deep a service stands in a call: 0 for unknown, higher for what is called by the others."""
    words = set(_WORDS.findall(service.lower()))
    found = 0
    for level, names in _DEPTH:
        if words & set(names.split("|")) or any(re.fullmatch(f"(?:{names})", word) for word in words):
            found = max(found, level)
    # ``neutron-openvswitch-agent`` is the agent of neutron, not Open vSwitch itself.
    return 5 if "agent" in words else found


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
