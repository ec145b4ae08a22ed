"""What rules would have done with windows of the past: pages by day and team, and what would have been a ticket."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from alerts.incidents.backtest import WalkedDay, most_pages, replay, solve, walk_forward
from alerts.incidents.incident import Incident
from alerts.incidents.policy import IncidentPolicy, PageBudget
from alerts.messages.alert import Alert, Status
from alerts.messages.anomaly import Anomaly
from alerts.messages.feedback import Opinion
from alerts.messages.wording import short_id
from alerts.routing.rules import Rules
from models.rfc3339 import DAY, SECOND, time_text
from stream.gate.labels import LabelledIncident
from stream.gate.told_incidents import TroubleSpan

DAY_S: Final = DAY / SECOND

NO_ROUTE: Final = "no route"
"""The team of what no route fits: it goes to every sink."""


@dataclass(frozen=True, slots=True)
class RealTicket:
    """An incident that people called real and that would have paged nobody, and why."""

    incident_id: str
    team: str
    first: str
    summary: str
    why: str


@dataclass(frozen=True, slots=True)
class BudgetTrial:
    """A budget of pages on the past.

    ``threshold`` keeps it on all days (None: none does), ``pages`` is what a replay at it pages, and ``days`` are those
    of the walk forward.
    """

    budget: PageBudget
    threshold: float | None
    pages: int
    days: tuple[WalkedDay, ...]

    @property
    def most_unseen(self) -> int | None:
        """The most pages of ``days`` in one period of the budget; None without any."""
        return most_pages([page for day in self.days for page in day.pages], self.budget.per_s) if self.days else None

    @property
    def is_kept_unseen(self) -> bool | None:
        """Whether the budget is kept on ``days``; None without any."""
        return None if self.most_unseen is None else self.most_unseen <= self.budget.pages

    def to_record(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return {
            "budget": self.budget.text,
            "threshold": _threshold(self.threshold),
            "pages_within_budget": self.pages,
            "walk_forward": [
                {"day": time_text(day.begin)[:10], "threshold": day.threshold, "pages": len(day.pages)}
                for day in self.days
            ],
            "most_pages_unseen": self.most_unseen,
            "budget_kept_unseen": self.is_kept_unseen,
        }


@dataclass(frozen=True, slots=True)
class RulesTrial:
    """What came of a trial; a team is a route of the rules."""

    incidents: int
    muted: int
    pages: int
    most_pages_a_day: int
    rules: Mapping[str, int]
    sinks: Mapping[str, int]
    budget: BudgetTrial | None
    real: int
    """Incidents that people called real in these days."""
    real_tickets: tuple[RealTicket, ...]
    pages_by_team: Mapping[str, int]

    def to_record(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        record = asdict(replace(self, budget=None))
        del record["budget"]
        return record if self.budget is None else record | self.budget.to_record()

    def lines_of_text(self) -> Iterator[str]:
        """Yield it for people."""
        for name in ("incidents", "muted", "pages", "most_pages_a_day"):
            yield f"{name.replace('_', ' ')}: {getattr(self, name)}"
        for name in ("rules", "sinks", "pages_by_team"):
            yield f"{name.replace('_', ' ')}:"
            yield from (f"  {count:6}  {key}" for key, count in getattr(self, name).items())
        if self.budget is not None:
            yield from _budget_lines(self.budget)
        if self.real:
            yield f"tickets: {len(self.real_tickets)} of {self.real} incidents that people called real"
            for ticket in self.real_tickets:
                which = f"{short_id(ticket.incident_id)} {ticket.first[:16]}Z {ticket.summary}"
                yield f"  {ticket.team}: {which}: {ticket.why}"


def try_rules(
    rules: Rules, windows: Iterable[Anomaly], policy: IncidentPolicy, labels: Iterable[LabelledIncident] = ()
) -> RulesTrial:
    """Return what rules would have done.

    Args:
        rules: what is tried.
        windows: windows that fired, in any order.
        policy: how they are grouped; its budget does not count.
        labels: what people said of incidents; those of other days do not count.
    """
    history = sorted(windows, key=lambda window: window.end)
    free, unbound = replace(rules, budget=None), replace(policy, budget=None)
    incidents, alerts = replay(history, unbound)
    decided = [free.decide(alert, alert.updated) for alert in _first_alerts(alerts).values()]
    pages = [(alert.updated, alert.importance) for alert in _pages(free, alerts)]
    budget = None
    if rules.budget is not None:
        threshold = solve(pages, rules.budget)
        solved = replace(rules.budget, threshold=threshold or 0.0)
        incidents, alerts = replay(history, replace(policy, budget=solved))
        walked = tuple(walk_forward(pages, rules.budget))
        budget = BudgetTrial(rules.budget, threshold, len(_pages(free, alerts)), walked)
    real = [label for label in labels if label.opinion is Opinion.REAL and _is_among(label.episode, history)]
    return RulesTrial(
        incidents=len(incidents),
        muted=sum(bool(decision.muted) for decision in decided),
        pages=len(pages),
        most_pages_a_day=most_pages([moment for moment, _ in pages], DAY_S),
        rules=_counts(rule for decision in decided for rule in decision.rules),
        sinks=_counts(
            sink
            for decision in decided
            if not decision.muted
            for sink in (["every sink"] if decision.sinks is None else sorted(decision.sinks))
        ),
        budget=budget,
        real=len(real),
        real_tickets=tuple(_real_tickets(free, real, incidents, alerts)),
        pages_by_team=_counts(_team(free, alert) for alert in _pages(free, alerts)),
    )


def _budget_lines(trial: BudgetTrial) -> Iterator[str]:
    yield f"budget: {trial.budget.text}"
    yield f"threshold: {_threshold(trial.threshold)}"
    yield f"pages within budget: {trial.pages}"
    if not trial.days:
        yield "walk forward: one day of pages cannot tell whether a threshold holds on the next"
        return
    kept = "was kept" if trial.is_kept_unseen else "was not kept"
    yield f"walk forward: on days that the threshold had not seen the budget {kept}, at most {trial.most_unseen}"
    for day in trial.days:
        threshold = "no threshold that kept it" if day.threshold is None else f"importance {day.threshold:g}"
        yield f"  {time_text(day.begin)[:10]}  {len(day.pages):4} pages from {threshold}"


def _threshold(threshold: float | None) -> float | str:
    return "none keeps it; what comes when it is spent is a ticket" if threshold is None else threshold


def _first_alerts(alerts: Iterable[Alert]) -> dict[str, Alert]:
    """Return the first alert of each incident by its id."""
    first: dict[str, Alert] = {}
    for alert in alerts:
        if alert.status is Status.FIRING:
            first.setdefault(alert.incident_id, alert)
    return first


def _pages(rules: Rules, alerts: Iterable[Alert]) -> list[Alert]:
    """Return the alerts that page somebody."""
    return [alert for alert in alerts if alert.page and rules.decide(alert, alert.updated).page]


def _team(rules: Rules, alert: Alert) -> str:
    """Return the route that decides on an alert."""
    routes = {route.name for route in rules.routes}
    return next((name for name in rules.decide(alert, alert.updated).rules if name in routes), NO_ROUTE)


def _is_among(episode: TroubleSpan, history: Sequence[Anomaly]) -> bool:
    """Return whether an episode lies in the time of the windows."""
    return bool(history) and episode.last >= history[0].end and episode.first <= history[-1].end


def _real_tickets(
    rules: Rules, labels: Iterable[LabelledIncident], incidents: Iterable[Incident], alerts: Sequence[Alert]
) -> Iterator[RealTicket]:
    """Yield what would have paged nobody though people called it real."""
    first, paged = _first_alerts(alerts), {alert.incident_id for alert in _pages(rules, alerts)}
    spans = {one.id: TroubleSpan.of(one) for one in incidents}
    for label in labels:
        same = [name for name in first if name in spans and spans[name].is_same(label.episode)]
        if paged.isdisjoint(same):
            # The one that tells most of why.
            alert = max((first[name] for name in same), key=lambda alert: alert.importance, default=None)
            team, why = (NO_ROUTE, "no alert at all") if alert is None else (_team(rules, alert), _why(rules, alert))
            yield RealTicket(label.id, team, time_text(label.episode.first), label.summary, why)


def _why(rules: Rules, alert: Alert) -> str:
    """Return why an alert pages nobody."""
    decision = rules.decide(alert, alert.updated)
    if decision.muted:
        return f"muted by {decision.muted}"
    return alert.note or f"a ticket: the route {_team(rules, alert)} does not page"


def _counts(names: Iterable[str]) -> dict[str, int]:
    return dict(Counter(names).most_common())
