"""Which services work together, as requests show it: sessions that went through both."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import Final, Self, TypeAlias

from alerts.messages.json_record import JsonRecord

Link: TypeAlias = tuple[str, str]

TOPOLOGY_SCHEMA: Final = "tocsin.topology/1"
KEY: Final = "topology/"
"""Key of a tenant's record on ``incidents``, before the tenant's name."""

LINKS: Final = 1024
"""Links kept per tenant, those found last: a judgement, 45 services that all work together have 990."""

PATH: Final = 6
"""Services of one session that are linked with each other, the most telling ones: a judgement, which keeps the pairs
of a session at 15."""


@dataclass(frozen=True, slots=True)
class Topology:
    """Links by tenant, each pair in alphabetical order, those found last at the end."""

    links: Mapping[str, tuple[Link, ...]] = field(default_factory=dict)

    def linked(self, tenant: str, service: str, others: Iterable[str]) -> bool:
        """Return whether a service works together with any of ``others``."""
        links = self.links.get(tenant, ())
        return any(_pair(service, other) in links for other in others)

    def learnt(self, tenant: str, services: Iterable[str]) -> Self:
        """Return it with the links of one session's services; itself where they are known."""
        links = self.links.get(tenant, ())
        path = list(dict.fromkeys(services))[:PATH]
        new = [pair for pair in (_pair(a, b) for a, b in combinations(path, 2)) if pair not in links]
        if not new:
            return self
        return type(self)({**self.links, tenant: (*links, *new)[-LINKS:]})

    def record(self, tenant: str) -> bytes:
        """Return the record of a tenant."""
        return _RECORD.to_json(_TenantLinks(tenant=tenant, links=self.links.get(tenant, ())))

    def with_record(self, key: str, value: bytes | None) -> Self:
        """Return it with what a record of the topic says.

        Raises:
            InvalidError: the record cannot be read.
        """
        if value is None:
            tenant = key.removeprefix(KEY)
            return type(self)({name: links for name, links in self.links.items() if name != tenant})
        record = _RECORD.from_json(value)
        links = tuple(_pair(a, b) for a, b in record.links)
        return type(self)({**self.links, key.removeprefix(KEY): links[-LINKS:]})


@dataclass(frozen=True, slots=True, kw_only=True)
class _TenantLinks:
    """The record of a tenant on ``incidents``."""

    tenant: str = ""
    links: tuple[Link, ...]


_RECORD: Final = JsonRecord(_TenantLinks, TOPOLOGY_SCHEMA, "not the links of services", "delete it from the topic")


def _pair(a: str, b: str) -> Link:
    return (a, b) if a < b else (b, a)
