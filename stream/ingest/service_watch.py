"""Which of the bundle's services have shown since the start: a shipper that never came up is told within minutes."""

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from alerts.monitoring.metrics import Metrics
from models.calibration.recognition import describe_recognition

log = logging.getLogger(__name__)

SETTLED_S: Final = 300.0
"""Seconds of lines after which what has not shown is told.  A judgement: shippers that start together with Tocsin are
up by then, and a regular service writes in one of ten steps of 15 seconds."""


@dataclass(frozen=True, slots=True)
class BundleServices:
    """Services that the bundle knows, and those of them that write all the time."""

    known: frozenset[str] = frozenset()
    regular: frozenset[str] = frozenset()


class ServiceWatch:
    """Counts lines of services and says once, some minutes after the first line, who is missing."""

    def __init__(self, services: BundleServices, metrics: Metrics) -> None:
        self._services = services
        self._metrics = metrics
        self._seen: set[str] = set()
        self._first_at: float | None = None
        self._is_told = False
        # Prometheus sees a service that never writes only where it is counted from 0 on.
        for service in services.regular:
            metrics.service_lines.labels(service)

    def count(self, lines: Mapping[str, int], now: float) -> None:
        """Count lines by service at ``now`` (seconds of a monotonic clock)."""
        if not lines or not self._services.known:
            return
        self._first_at = now if self._first_at is None else self._first_at
        for service, count in lines.items():
            self._seen.add(service)
            if service in self._services.regular:
                self._metrics.service_lines.labels(service).inc(count)

    def tell(self, now: float, partitions: Collection[int]) -> list[str]:
        """Log who is missing once it is time to, and return it; ``partitions`` are those read by this process."""
        if self._is_told or self._first_at is None or now - self._first_at < SETTLED_S:
            return []
        self._is_told = True
        sentences = list(describe_recognition(self._services.known, self._seen, self._services.regular))
        for sentence in sentences:
            log.warning("%s (in %d partitions, %.0f s)", sentence, len(partitions), now - self._first_at)
        return sentences
