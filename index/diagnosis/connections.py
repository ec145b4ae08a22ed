"""What connects an error with another one: a shared id, or that one names the service or host of the other."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from index.evidence.message_parts import message_of
from index.evidence.types import EvidenceLine
from index.lines.patterns import UUID
from index.lines.service_layers import names_of, project
from models.rfc3339 import SECOND

_BEFORE_US: Final = 60 * SECOND
"""Microseconds before the first bad line within which an error of another service may belong to it (a judgement)."""

_AFTER_US: Final = 300 * SECOND
"""Microseconds after it (a judgement)."""

_GENERIC: Final = frozenset(
    {
        *("api", "server", "agent", "compute", "volume", "scheduler", "conductor", "worker", "engine", "metadata"),
        *("dhcp", "l3", "wsgi", "backup", "service", "log", "daemon", "main", "access", "error"),
    }
)
"""Words of services' names that say nothing of which service it is."""

_LEAST_NAME: Final = 4
"""Characters from which on a word of a service's name is looked for in messages (a judgement)."""

_IDS: Final = re.compile(rf"(?i)(?:req-)?{UUID}")
_ZEROS: Final = re.compile(r"[0-]+")


def near(line: EvidenceLine, anchors: Iterable[EvidenceLine]) -> bool:
    """Return whether a line is in the time around one of some others."""
    return any(-_BEFORE_US <= line.time - anchor.time <= _AFTER_US for anchor in anchors)


def ids_in(text: str) -> set[str]:
    """Return the ids in a text, in small letters; ids of zeros alone are placeholders."""
    return {name.lower() for name in _IDS.findall(text) if not _ZEROS.fullmatch(name)}


def names(line: EvidenceLine, services: Iterable[str], host: str) -> bool:
    """Return whether a message names one of some services, or a host other than its own."""
    telling = {name for service in services if service for name in _telling_names(service, line.service)}
    if host and host != line.host:
        telling.add(host.lower())
    message = message_of(line).lower()
    return any(re.search(rf"(?<![a-z0-9]){re.escape(name)}(?![a-z0-9])", message) for name in telling)


@lru_cache(maxsize=4_096)
def _telling_names(service: str, writer: str) -> frozenset[str]:
    """Words by which messages of ``writer`` name a service: its name, and its project where that is another one."""
    own = project(writer)
    words = {word for word in names_of(service) if len(word) >= _LEAST_NAME and word not in _GENERIC}
    return frozenset({service.lower(), service.lower().replace("-", "_"), *(words - {own, *names_of(writer)})})
