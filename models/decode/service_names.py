"""Which service and host a source belongs to, from its name alone."""

import re
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Final

_ROTATED: Final = re.compile(
    r"(?:\.log|[.-]\d{1,4}|[.-]\d{8}(?:-?\d{2,6})?|[.-]\d{4}-\d\d-\d\d\S*|\.gz|\.xz|\.bz2|\.zst|\.txt)$"
)
_CONTAINER: Final = re.compile(r"^[^_]+_[^_]+_(.+)-[0-9a-f]{64}$")
_LOG_FOLDERS: Final = frozenset({"log", "logs", ""})
_NAMELESS_FILE: Final = re.compile(r"\d+|current|previous(?:\.insecure)?")
"""Files of container runtimes, must-gather and runit, whose folder names the program."""
_DAEMON: Final = re.compile(r"(ceph-[a-z]+)\..+")
"""Files of Ceph's daemons: each has the id of one, which is the host's name as often as not."""
_TAG: Final = re.compile(r"^(?:/(?:[^\s/]+/)*)?([^\s\[\]:]+)(?:\[\d*\])?:?$")
"""A syslog tag: a program, perhaps by its path, and its process."""
_NAMELESS: Final = re.compile(
    r".*\.(?:scope|slice|mount|device|swap)|(?:run-[a-z]?[0-9a-f]{2,}|run-p\d+-i\d+|user@\d+)\.service"
)
"""Units that name no program: what writes in them says itself who it is."""
_MANAGERS: Final = re.compile(r"init\.scope|user@\d+\.service")
"""Where systemd itself writes."""
_CEPHADM: Final = re.compile(r"ceph-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}@([a-z-]+)(?:[.-].*)?\.service")
_KUBELET: Final = re.compile(r"k8s_([^_]+)_[^_]+_[^_]+_[^_]+_\d+")
_SWARM: Final = re.compile(r"(.+)\.\d+\.[0-9a-z]{25}")
"""Names of containers: kubelet's with Docker, and Docker's own of a service's replicas."""

_PROGRAM: Final = re.compile(
    r"(aodh|barbican|blazar|ceilometer|cinder|cloudkitty|cyborg|designate|glance|gnocchi|heat|horizon|ironic|keystone|"
    r"magnum|manila|masakari|mistral|neutron|nova|octavia|ovn|placement|sahara|senlin|swift|tacker|trove|vitrage|"
    r"watcher|zaqar|zun|apache2?|httpd|nginx|haproxy|keepalived|mysqld?|mariadb|postgresql|galera|rabbitmq|redis|valkey|"
    r"memcached|etcd|ceph|libvirtd?|virtqemud|openvswitch|ovs|pacemaker|corosync)(?:[-_.]|$)"
)
"""Names that begin like a program's say whose the file is, in whatever folder a copy of it stands."""

_ROLES: Final = (
    "controller|control|ctrl|ctl|compute|comp|cmp|node|host|worker|master|networker|network|storage|infra|hypervisor|"
    "hv|kvm|mon|osd|aio"
)
_HOST: Final = re.compile(
    rf"(?i)(?:[a-z][a-z0-9]*-)*(?:{_ROLES})[-_]?\d{{1,5}}(?:\.[a-z0-9-]+)*"
    r"|[a-z][a-z0-9-]*(?:\.[a-z0-9-]+)*\.[a-z0-9-]+\.[a-z]{2,}"
)
"""Folders that name a host wherever they stand: a role with a number, or a name with its domain."""
_HOST_ABOVE: Final = re.compile(rf"(?i)(?:[a-z][a-z0-9]*-)*(?:{_ROLES})|[a-z](?:[a-z0-9-]*[a-z0-9])?-?\d{{1,5}}")
"""Folders that name a host where ``var/log`` stands in them: the copy of a whole host."""
_SOS: Final = re.compile(r"sosreport-([a-z0-9][a-z0-9.-]*?)(?:-\d+)?-\d{4}-\d\d-\d\d-[a-z]+", re.IGNORECASE)
_NODE: Final = re.compile(r"(?i)(?=.*[a-z])([a-z0-9.-]+?)(?:[-_](?:sasl|upgrade|startup\w*))?")
"""What stands behind the @ of a node's name, and what RabbitMQ adds to that of a file."""
_NODE_PROGRAMS: Final = {"rabbit": "rabbitmq"}


@lru_cache(maxsize=65_536)
def place_of(source: str) -> tuple[str, str]:
    """Service and host ("" where it names none) of a source.

    An absolute path gives its file's stem, with the folder's name where the stem lacks it, and the host from a folder
    that is named like one:

    ``/var/log/nova/nova-compute.log.1`` → ``nova-compute``, ``/var/log/neutron/server.log`` → ``neutron-server``,
    ``/var/log/rabbitmq/rabbit@ctl1.log`` → ``rabbitmq`` on ``ctl1``, ``/copy/ctl2/var/log/nova/nova-api.log`` and
    ``/copy/compute1/nova-api.log`` → ``nova-api`` on ``ctl2`` and ``compute1``; any other source is its own service.
    """
    if not source.startswith("/"):
        return source, ""
    path = PurePosixPath(source)
    stem, folders = _stem(path.name), list(path.parts[1:-1])
    host, place = _host(folders)
    if place is not None and place == len(folders) - 1:
        folders[place] = ""
    parent = folders[-1] if folders else ""
    if parent == "containers" and (container := _CONTAINER.match(stem)):
        return container[1], host
    if daemon := _DAEMON.fullmatch(stem):
        stem = daemon[1]
    program, _, node = stem.partition("@")
    if program and node:
        # What stands behind the @ would be taken for the host of the service.
        match = _NODE.fullmatch(node)
        known = parent.startswith(program) or _PROGRAM.fullmatch(parent)
        where = match[1] if match and match[1] != "localhost" else host
        return parent if known else _NODE_PROGRAMS.get(program, program), where
    if _NAMELESS_FILE.fullmatch(stem):
        named = [name for name in folders if name not in _LOG_FOLDERS]
        return (named[-1] if named else stem), host
    telling = _PROGRAM.match(stem) and not _PROGRAM.fullmatch(parent)
    if parent in _LOG_FOLDERS or stem.startswith(parent) or telling:
        return stem or source, host
    return f"{parent}-{stem}", host


def service_of(source: str) -> str:
    """Service of a source; see ``place_of``."""
    return place_of(source)[0]


def _stem(name: str) -> str:
    """Name of a file without what says its kind, and what rotation added."""
    while (shorter := _ROTATED.sub("", name)) not in {name, ""}:
        name = shorter
    return name


def _host(folders: list[str]) -> tuple[str, int | None]:
    """Host that a path names and the number of the folder that does, the nearest to the file; "" where none does."""
    for place in range(len(folders) - 1, -1, -1):
        name = folders[place]
        if report := _SOS.fullmatch(name):
            return report[1], place
        if _HOST.fullmatch(name):
            return name, place
        if folders[place + 1 : place + 3] == ["var", "log"] and _HOST_ABOVE.fullmatch(name):
            return name, place
    return "", None


def unit_service(unit: str) -> str:
    """Service of a systemd unit, the same for all instances of a template: ``ceph-osd@3.service`` → ``ceph-osd``.

    Where the instance is the program, it is the service: ``devstack@n-cpu.service`` → ``n-cpu``, and cephadm's
    ``ceph-FSID@osd.3.service`` → ``ceph-osd``.
    """
    if match := _CEPHADM.fullmatch(unit):
        return f"ceph-{match[1]}"
    template, _, instance = unit.partition("@")
    name = instance if template == "devstack" and instance else template or unit
    return name.removesuffix(".service")


def container_service(name: str) -> str:
    """Service of a container, the same for all replicas and pods of one."""
    plain = name.strip("/")
    match = _KUBELET.fullmatch(plain) or _SWARM.fullmatch(plain)
    return match[1] if match else plain


def unit_of(unit: str, about: str | None, program: str | None) -> tuple[str, str]:
    """Source and service of a journal record of ``unit``.

    ``about`` is the unit that it speaks of, where systemd itself writes, and ``program`` how the writer calls itself.
    """
    if about is not None and about != unit and _MANAGERS.fullmatch(unit) and not _NAMELESS.fullmatch(about):
        return about, unit_service(about)
    if program is not None and _NAMELESS.fullmatch(unit):
        name = identifier_service(program)
        return name, name
    return unit, unit_service(unit)


def identifier_service(tag: str) -> str:
    """Service of a syslog tag: ``nova-compute[12]:`` → ``nova-compute``, ``/usr/sbin/cron`` → ``cron``."""
    return match[1] if (match := _TAG.match(tag.strip())) else tag
