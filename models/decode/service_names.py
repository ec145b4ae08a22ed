"""Which service a source belongs to, from its name alone."""

import re
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Final

_ROTATED: Final = re.compile(
    r"(?:\.log|[.-]\d{1,4}|[.-]\d{8}(?:-?\d{2,6})?|[.-]\d{4}-\d\d-\d\d\S*|\.gz|\.xz|\.bz2|\.txt)$"
)
_CONTAINER: Final = re.compile(r"^[^_]+_[^_]+_(.+)-[0-9a-f]{64}$")
_LOG_FOLDERS: Final = frozenset({"log", "logs", ""})


@lru_cache(maxsize=65_536)
def service_of(source: str) -> str:
    """Service of a source: an absolute path gives its file's stem, with the folder's name where the stem lacks it.

    ``/var/log/nova/nova-compute.log.1`` → ``nova-compute``, ``/var/log/neutron/server.log`` → ``neutron-server``; any
    other source is its own service.
    """
    if not source.startswith("/"):
        return source
    path = PurePosixPath(source)
    stem, parent = path.name, path.parent.name
    while (shorter := _ROTATED.sub("", stem)) not in {stem, ""}:
        stem = shorter
    if parent == "containers" and (container := _CONTAINER.match(stem)):
        return container[1]
    if stem.isdigit() and parent:
        return parent
    if parent in _LOG_FOLDERS or stem.startswith(parent):
        return stem or source
    return f"{parent}-{stem}"


def unit_service(unit: str) -> str:
    """Service of a systemd unit."""
    return unit.removesuffix(".service")
