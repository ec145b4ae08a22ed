"""How much of each service's events was not read: counted for as many services as a metric may have labels."""

from typing import Final

from alerts.monitoring.metrics import Metrics
from models.decode.read_report import events_by_service
from models.records import LogBatch

MAX_SERVICES: Final = 200
"""Services counted on their own, so that Prometheus holds at most 800 series of a process.

A judgement: a cloud with every project of OpenStack runs about a hundred.
"""

MAX_NAME: Final = 100
"""Characters of a service's name as a label: a judgement, as names come from records and may be of any length."""

OTHERS: Final = "(others)"
LACKING: Final = ("time", "level", "format")


class UnreadEvents:
    """Counts events and what they lack; remembers which services have a label of their own."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._services: set[str] = set()

    def count(self, logs: LogBatch) -> None:
        """Add the events of a batch."""
        events, lacking = events_by_service(logs)
        # In an order of their own, so that it is no chance which services still get a label.
        for service, count in sorted(events.items()):
            self._metrics.service_events.labels(self._label(service)).inc(count)
        for (service, what), count in lacking.items():
            self._metrics.unread_events.labels(self._label(service), what).inc(count)

    def _label(self, service: str) -> str:
        name = service[:MAX_NAME]
        if name not in self._services:
            if len(self._services) >= MAX_SERVICES:
                return OTHERS
            self._services.add(name)
            for what in LACKING:
                # A series that begins at 0 tells a service that lacks nothing from one that is not there.
                self._metrics.unread_events.labels(name, what)
        return name
