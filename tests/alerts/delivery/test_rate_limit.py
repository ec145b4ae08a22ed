"""Pace: token buckets and pauses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.delivery.rate_limit import LONGEST_S, RateLimiter, backoff
from alerts.sinks.base import Rate
from alerts.sinks.pagerduty import CHANGES_RATE as CHANGES
from alerts.sinks.pagerduty import RATE as PAGERDUTY
from alerts.sinks.slack.bot import RATE as SLACK


def busy(rate: Rate, seconds: float) -> list[float]:
    """Return when requests go out that are always wanted."""
    pace, now, times = RateLimiter(rate, 0.0, lambda: 0.5), 0.0, []
    while now < seconds:
        if (wait := pace.wait(now)) > 0:
            now += wait + 1e-6
            continue
        pace.take(now)
        times.append(now)
    return times


@pytest.mark.parametrize(
    ("rate", "count", "window"),
    # PagerDuty allows 120 a minute to alerts and changes together.
    [(PAGERDUTY, 110, 60.0), (CHANGES, 10, 60.0), (SLACK, 1, 1.0), (SLACK, 51, 60.0)],
)
def test_no_window_of_time_sees_more_than_the_service_allows(rate: Rate, count: int, window: float) -> None:
    """Sliding, from the first moment on."""
    times = busy(rate, 1500.0)
    assert len(times) > 200
    assert all(later - earlier >= window * 0.99 for earlier, later in zip(times, times[count:], strict=False))


@given(attempt=st.integers(min_value=1, max_value=10_000), chance=st.floats(min_value=0, max_value=1))
def test_waits_grow_to_a_limit_and_are_part_chance(attempt: int, chance: float) -> None:
    """Never nothing, never more than the limit."""
    assert 0 < backoff(attempt, chance) <= LONGEST_S
    assert backoff(attempt, 0.0) == pytest.approx(backoff(attempt, 1.0) / 2)


def test_what_the_service_asks_for_is_kept() -> None:
    """Not a moment less, whatever the failures before; and success ends the counting."""
    pace = RateLimiter(Rate(100.0, 100), 0.0, lambda: 0.0)
    pace.failed(0.0, 30.0)
    assert pace.wait(29.9) > 0
    assert pace.wait(30.0) == 0
    pace.failed(30.0, None)
    assert pace.failures == 2
    pace.worked()
    assert pace.failures == 0


def test_a_fresh_process_does_not_burst() -> None:
    """One that is killed again and again would break the limit each time."""
    pace = RateLimiter(Rate(1.0, 20), 0.0, lambda: 0.0)
    pace.take(0.0)
    assert pace.wait(0.0) == pytest.approx(1.0)
