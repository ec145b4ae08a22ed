"""The periodic line of a role, by a clock that the test sets."""

import logging
from typing import Any

import pytest

from stream.heartbeat import Heartbeat

log = logging.getLogger("stream.test")


class Clock:
    """Seconds that stand still until they are set."""

    seconds = 100.0

    def now(self) -> float:
        """Return them."""
        return self.seconds


def facts(record: logging.LogRecord) -> dict[str, Any]:
    """What a line says beside its message."""
    return {name: record.__dict__.get(name) for name in ("role", "seconds", "windows", "dropped", "incidents_open")}


def test_a_period_is_one_line_and_the_next_begins_at_zero(caplog: pytest.LogCaptureFixture) -> None:
    """Counts add up until the period is over; the state is that of the moment."""
    caplog.set_level(logging.INFO)
    clock = Clock()
    beat = Heartbeat("explain", log, every_s=60.0, now=clock.now)
    beat.add(windows=2, dropped=1)
    beat.add(windows=3)
    clock.seconds += 59.0
    beat.tick(incidents_open=7)
    assert caplog.records == []
    clock.seconds += 2.0
    beat.tick(incidents_open=4)
    beat.tick(incidents_open=4)
    clock.seconds += 60.0
    beat.tick(incidents_open=0)
    first, second = caplog.records
    assert first.getMessage() == "explain: work of the last period"
    assert facts(first) == {"role": "explain", "seconds": 61.0, "windows": 5, "dropped": 1, "incidents_open": 4}
    assert facts(second) == {"role": "explain", "seconds": 60.0, "windows": 0, "dropped": 0, "incidents_open": 0}
