"""Tells of clocks that are wrong: a line in the log when one is found and when it is right again, and a metric."""

import logging
from collections.abc import Mapping

from alerts.monitoring.metrics import Metrics
from models.windows.host_clocks import clock_place, described

log = logging.getLogger(__name__)


class ClockWatch:
    """Compares the clocks that are off now with those that were."""

    def __init__(self, metrics: Metrics) -> None:
        """Begin with none."""
        self._gauge = metrics.clock_offset
        self._off: dict[tuple[str, str], float] = {}

    def update(self, off: Mapping[tuple[str, str], float]) -> None:
        """Take by how many seconds clocks are ahead, by host and service, as ``HostClocks.off`` has it."""
        for place, seconds in off.items():
            self._gauge.labels(*place).set(seconds)
            if place not in self._off:
                log.warning(
                    "%s; its lines are put right, but set it right there (NTP, or the zone of its log)",
                    described(*place, seconds),
                )
        for place in self._off.keys() - off.keys():
            self._gauge.remove(*place)
            log.info("the clock of %s is right again", clock_place(*place))
        self._off = dict(off)
