"""Which services work together, as requests show it: sessions that went through both."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import Final, Self, TypeAlias

import orjson

from models.errors import InvalidError

Link: TypeAlias = tuple[str, str]

TOPOLOGY_SCHEMA: Final = "tocsin.topology/1"
KEY: Final = "topology/"
"""Key of a tenant's record on ``incidents``, before the tenant's name."""

LINKS: Final = 1024
"""Links kept per tenant, those seen last."""

PATH: Final = 6
"""Services of one session that are linked with each other, the most telling ones."""


@dataclass(frozen=True, slots=True)
class Topology:
    """Links by tenant, each pair in alphabetical order, those found last at the end."""

    links: Mapping[str, tuple[Link, ...]] = field(default_factory=dict)

    def linked(self, tenant: str, service: str, others: Iterable[str]) -> bool:
        """Say whether a service works together with any of others."""
        known = self.links.get(tenant, ())
        return any(_pair(service, other) in known for other in others)

    def learnt(self, tenant: str, services: Iterable[str]) -> Self:
        """Return it with the links of one session's services; itself where they are known."""
        known = self.links.get(tenant, ())
        path = list(dict.fromkeys(services))[:PATH]
        fresh = [pair for pair in (_pair(a, b) for a, b in combinations(path, 2)) if pair not in known]
        if not fresh:
            return self
        return type(self)({**self.links, tenant: (*known, *fresh)[-LINKS:]})

    def record(self, tenant: str) -> bytes:
        """Return the record of a tenant."""
        links = [list(link) for link in self.links.get(tenant, ())]
        return orjson.dumps({"schema": TOPOLOGY_SCHEMA, "tenant": tenant, "links": links})

    def with_record(self, key: str, value: bytes | None) -> Self:
        """Return it with what a record of the topic says.  Raises InvalidError where it cannot be read."""
        tenant = key.removeprefix(KEY)
        if value is None:
            return type(self)({name: links for name, links in self.links.items() if name != tenant})
        try:
            record = orjson.loads(value)
            if record["schema"] != TOPOLOGY_SCHEMA:
                raise ValueError(f"its schema is not {TOPOLOGY_SCHEMA}")  # noqa: TRY301 - told with the others
            links = tuple(_pair(str(a), str(b)) for a, b in record["links"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InvalidError(
                f"{key}: not the links of services ({type(error).__name__}: {error})", "delete it from the topic"
            ) from error
        return type(self)({**self.links, tenant: links[-LINKS:]})


def _pair(a: str, b: str) -> Link:
    return (a, b) if a < b else (b, a)
