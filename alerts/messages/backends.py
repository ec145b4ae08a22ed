"""Which backends and projects a message names: two services that name the same one have a cause in common."""

import re
from typing import Final

_BACKENDS: Final = {
    "RabbitMQ": r"amqp|rabbit|kombu|message queue",
    "database": r"mysql|mariadb|galera|postgres|dbconnection|sqlalchemy|database (?:connection|server)",
    "memcached": r"memcache",
    "Ceph": r"\bceph\b|\brbd\b|\brados",
    "libvirt": r"libvirt|\bqemu\b",
    "Open vSwitch": r"ovsdb|open ?vswitch|\bovs\b",
    "keystone": r"keystone|identity (?:service|server)|validate token|/auth/tokens",
    "placement": r"placement",
    "glance": r"glance|image service",
    "neutron": r"neutron|networking service",
    "cinder": r"cinder|block storage|volume service",
    "nova": r"novaclient|nova[- ](?:api|compute)|compute service",
    "swift": r"swift|object storage",
    "heat": r"heatclient|orchestration service",
}
"""What is named → how messages name it.  A judgement: the services that OpenStack's own errors speak of, and what they
run on; a project is also known by the first word of its services, whatever it is called."""

INFRASTRUCTURE: Final = frozenset({"RabbitMQ", "database", "memcached", "Ceph", "libvirt", "Open vSwitch"})
"""Those of them that no project is: if one of these fails, many services do."""

_PATTERNS: Final = {name: re.compile(pattern, re.IGNORECASE) for name, pattern in _BACKENDS.items()}

_FIRST_WORD: Final = re.compile(r"[A-Za-z0-9]+")


def names_in(text: str) -> frozenset[str]:
    """Return the backends and projects that a message names."""
    return frozenset(name for name, pattern in _PATTERNS.items() if pattern.search(text))


def project_of(service: str) -> str:
    """Return the project of a service, the first word of its name: ``nova`` of ``nova-compute`` and ``nova/api``."""
    word = _FIRST_WORD.match(service)
    return word[0].lower() if word else service
