"""Names of sources by their numbers, as far as training knows services and hosts."""

from collections.abc import Iterable
from typing import Final

from models.records import HOST_BITS, HOST_MARK, host_number, service_number, source_id

_HOST: Final = (1 << HOST_BITS) - 1
"""The bits of a source's number that tell its host."""


class SourceNames:
    """Looks up what a number of a source may stand for."""

    def __init__(self, services: Iterable[str], keys: Iterable[str]) -> None:
        """``services`` are those that training saw, ``keys`` its sources."""
        self._keys = {source_id(key): key for key in keys}
        self._services = {service_number(service): service for service in services}
        hosts = dict.fromkeys(key.partition(HOST_MARK)[2] for key in self._keys.values())
        self._hosts = {host_number(host): host for host in hosts if host}

    def service(self, origin: int) -> str:
        """Return the service of a source, on whatever host; "" where training did not see it."""
        return self._services.get(origin >> HOST_BITS, "")

    def key(self, origin: int) -> str:
        """Return the key of a source, its service where the host is unknown; "" where the service is, too."""
        if known := self._keys.get(origin):
            return known
        service, host = self.service(origin), self._hosts.get(origin & _HOST, "")
        return f"{service}{HOST_MARK}{host}" if service and host else service
