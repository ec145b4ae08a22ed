"""Which service a source belongs to, from its name alone."""

import re
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Final

_ROTATED: Final = re.compile(
    r"(?:\.log|[.-]\d{1,4}|[.-]\d{8}(?:-?\d{2,6})?|[.-]\d{4}-\d\d-\d\d\S*|\.gz|\.xz|\.bz2|\.zst|\.txt)$"
)
_CONTAINER: Final = re.compile(r"^[^_]+_[^_]+_(.+)-[0-9a-f]{64}$")
_LOG_FOLDERS: Final = frozenset({"log", "logs", ""})
_TAG: Final = re.compile(r"^([^\s\[\]:]+)(?:\[\d*\])?:?$")
_NAMELESS: Final = re.compile(r"^(?:init|session-\w+|libpod-.*|docker-.*|crio-.*|cri-containerd-.*|run-.*)\.scope$")
"""Scopes that name no program: what writes in them says itself who it is."""


@lru_cache(maxsize=65_536)
def service_of(source: str) -> str:
    """Service of a source: an absolute path gives its file's stem, with the folder's name where the stem lacks it.

    ``/var/log/nova/nova-compute.log.1`` → ``nova-compute``, ``/var/log/neutron/server.log`` → ``neutron-server``,
    ``/var/log/rabbitmq/rabbit@ctl1.log`` → ``rabbitmq``; any other source is its own service.
    """
    if not source.startswith("/"):
        return source
    path = PurePosixPath(source)
    stem, parent = path.name, path.parent.name
    while (shorter := _ROTATED.sub("", stem)) not in {stem, ""}:
        stem = shorter
    if parent == "containers" and (container := _CONTAINER.match(stem)):
        return container[1]
    # A node's name: program@host.  What stands behind it would be taken for the host of the service.
    program, _, node = stem.partition("@")
    if program and node:
        return parent if parent.startswith(program) else program
    if stem.isdigit() and parent:
        return parent
    if parent in _LOG_FOLDERS or stem.startswith(parent):
        return stem or source
    return f"{parent}-{stem}"


def unit_service(unit: str) -> str:
    """Service of a systemd unit, the same for all instances of a template: ``ceph-osd@3.service`` → ``ceph-osd``."""
    return (unit.partition("@")[0] or unit).removesuffix(".service")


def unit_of(unit: str, about: str | None, program: str | None) -> tuple[str, str]:
    """Source and service of a journal record of ``unit``.

    ``about`` is the unit that it speaks of, where systemd itself writes, and ``program`` how the writer calls itself.
    """
    if unit == "init.scope" and about is not None and about != unit:
        return about, unit_service(about)
    if _NAMELESS.match(unit) and program is not None:
        name = identifier_service(program)
        return name, name
    return unit, unit_service(unit)


def identifier_service(tag: str) -> str:
    """Service of a syslog tag or identifier: ``nova-compute[12]:`` → ``nova-compute``."""
    return match[1] if (match := _TAG.match(tag.strip())) else tag
