"""Whether a bundle belongs to the logs that were read: how much of them it knows, and how much of it they hold."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

import numpy as np

from index.lines.log_lines import LogLines
from models.records import Level
from models.templates.matcher import TemplateTable

FITS: Final = 0.8
"""Share of the lines below ERROR whose templates a bundle must know for its detectors to judge (a judgement)."""

_NAMED: Final = 5
"""Services that a sentence names (a judgement): enough to see what they have in common."""


@dataclass(frozen=True, slots=True)
class BundleFit:
    """What a bundle and some logs have in common."""

    known: float
    """Share, from 0 to 1, of the lines below ERROR whose template training saw."""
    services: int
    """Services that the bundle knows."""
    services_here: int
    """How many of them the logs hold."""
    hosts: int
    """Hosts that the bundle expects to write; 0 where its training or these logs name none."""
    hosts_here: int
    other_services: tuple[str, ...]
    """Services of the logs that the bundle does not know."""

    @property
    def fits(self) -> bool:
        """Whether the detectors can judge: most lines are known, and some service is."""
        return self.known >= FITS and self.services_here > 0

    @property
    def complete(self) -> bool:
        """Whether the logs hold all services that the bundle knows; otherwise much of what it expects is elsewhere."""
        return self.services_here == self.services

    def text(self) -> str:
        """Return the numbers as a phrase."""
        hosts = f", {self.hosts_here} of its {self.hosts} hosts" if self.hosts and self.hosts_here < self.hosts else ""
        return (
            f"{_percent(self.known)} of lines known, {self.services_here} of its {self.services} services here{hosts}"
        )

    def others(self) -> str:
        """Return the services that it does not know, the first of them by name."""
        more = len(self.other_services) - _NAMED
        return ", ".join(self.other_services[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def bundle_fit(
    material: LogLines, table: TemplateTable, services: AbstractSet[str], hosts: AbstractSet[str]
) -> BundleFit:
    """Compare logs with the templates, services and hosts that a bundle knows."""
    lines = material.lines
    template = lines["template"].to_numpy()[lines["level"].to_numpy() < Level.ERROR]
    known = float(np.isin(template, np.array(list(table), np.uint64)).mean()) if len(template) else 0.0
    here = set(lines["service"].unique().to_list()) - {""}
    hosts_here = set(lines["host"].unique().to_list()) - {""}
    return BundleFit(
        known=known,
        services=len(services),
        services_here=len(services & here),
        hosts=len(hosts) if hosts_here else 0,
        hosts_here=len(hosts & hosts_here),
        other_services=tuple(sorted(here - services)),
    )


def _percent(share: float) -> str:
    """A share in per cent, which is 100 only for all."""
    return f"{min(round(100 * share), 99) if share < 1 else 100}%"
