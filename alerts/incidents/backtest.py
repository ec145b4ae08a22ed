"""Alerts that windows of the past would have made, and the threshold that keeps a budget of pages."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from alerts.incidents.grouping import IncidentGrouper, IncidentPolicy, Step
from alerts.incidents.incident import Incident, IncidentState
from alerts.incidents.policy import PageBudget
from alerts.messages.alert import Alert
from alerts.messages.anomaly import Anomaly
from models.rfc3339 import DAY, SECOND

TICK: Final = 5 * SECOND
"""Microseconds between two ticks of the wall clock: a judgement, far below the shortest times of a policy."""


def replay(windows: Iterable[Anomaly], policy: IncidentPolicy) -> tuple[list[Incident], list[Alert]]:
    """Return the incidents that would have been published, and all alerts; the wall clock follows the windows."""
    state = IncidentGrouper(policy)
    seen: dict[str, Incident] = {}
    alerts: list[Alert] = []
    now = 0

    def take(step: Step) -> None:
        nonlocal state
        alerts.extend(step.alerts)
        seen.update({name: incident for name, incident in step.changed.items() if incident is not None})
        state = step.incidents

    for window in sorted(windows, key=lambda window: window.end):
        while state.open and now + TICK < window.end:
            now += TICK
            take(state.tick(now))
        now = max(now, window.end)
        take(state.on_window(window, now))
    while state.open:
        now += TICK
        take(state.tick(now))
    return [incident for incident in seen.values() if incident.state is not IncidentState.PENDING], alerts


def most_pages(pages: Sequence[int], per_s: float) -> int:
    """Return how many pages (times, any order) fell into the worst stretch of so many seconds."""
    ordered = sorted(pages)
    length = int(per_s * SECOND)
    return max((bisect_right(ordered, time) - bisect_right(ordered, time - length) for time in ordered), default=0)


@dataclass(frozen=True, slots=True)
class WalkedDay:
    """A day (UTC) from ``begin`` on that is judged by the ``threshold`` that the days before it ask for.

    ``pages`` are the times at which pages came at or above it (microseconds); ``threshold`` None: on the days before no
    value kept the budget, and what came when it was spent was a ticket.
    """

    begin: int
    threshold: float | None
    pages: tuple[int, ...]


def walk_forward(pages: Iterable[tuple[int, float]], budget: PageBudget) -> list[WalkedDay]:
    """Solve the threshold on all days before one and take its pages (time, importance) at it, day after day.

    So it is seen how a value that history has chosen does on days that it has not seen; the first day has none before.
    """
    ordered = sorted(pages)
    walked = []
    for day in range(ordered[0][0] // DAY + 1, ordered[-1][0] // DAY + 1) if ordered else ():
        begin, end = (bisect_left(ordered, (moment * DAY,)) for moment in (day, day + 1))
        threshold = solve(ordered[:begin], budget)
        kept = (time for time, importance in ordered[begin:end] if importance >= (threshold or 0.0))
        walked.append(WalkedDay(day * DAY, threshold, tuple(kept)))
    return walked


def solve(pages: Iterable[tuple[int, float]], budget: PageBudget) -> float | None:
    """Return the least importance from which pages (time, importance) keep the budget; None where none does.

    Where it is None the budget is kept all the same: what comes when it is spent is a ticket.
    """
    candidates = list(pages)
    for threshold in (0.0, *sorted({importance for _, importance in candidates})):
        kept = [time for time, importance in candidates if importance >= threshold]
        if most_pages(kept, budget.per_s) <= budget.pages:
            return threshold
    return None
