"""Rules on windows of the past: pages of days that no threshold had seen, and what would have been a ticket."""

from dataclasses import replace

import pytest

from alerts.messages.feedback import Opinion
from alerts.routing.rules import Rules
from models.rfc3339 import SECOND
from stream.gate.labels import LabelledIncident
from stream.gate.rules_trial import try_rules
from stream.gate.told_incidents import TroubleSpan
from tests.alerts.windows import POLICY, START, window
from tests.stream.gate.samples import label

RULES = """
version: 1
routes:
  - {name: storage, match: {service: "cinder-*"}, sinks: [pagerduty]}
  - {name: network, match: {service: "neutron-*"}, sinks: [slack], page: false}
suppressions:
  - {name: known, reason: levels, match: {service: glance}, sample: levels, why: BUG-1, owner: jo, expires: 2027-01-01}
"""

HISTORY = [
    window("a", 1000, 0.99, "nova"),
    window("b", 20_000, 0.92, "cinder-volume"),
    window("c", 40_000, 0.97, "neutron-server"),
    window("d", 90_000, 0.95, "nova"),
]


def real(at: int, service: str, opinion: Opinion = Opinion.REAL) -> LabelledIncident:
    """What somebody said of what was wrong with a service ``at`` seconds after the start."""
    moment = START + at * SECOND
    return replace(label(at, service, opinion), episode=TroubleSpan("default", (service,), moment, moment))


def test_what_people_called_real_is_named_where_it_would_have_been_a_ticket() -> None:
    """With team and reason; what pages at the solved threshold, was noise, or is of another month is not."""
    rules = Rules.parse(RULES + "budget: {pages: 1, per: day}")
    labels = [
        real(1000, "nova"),
        real(20_000, "cinder-volume"),
        real(40_000, "neutron-server"),
        real(60_000, "heat"),
        real(90_000, "nova", Opinion.NOISE),
        real(9_000_000, "nova"),
    ]
    trial = try_rules(rules, HISTORY, POLICY, labels)
    assert trial.budget is not None
    assert trial.real == 4
    assert trial.budget.threshold == 0.95
    assert [(ticket.team, ticket.why) for ticket in trial.real_tickets] == [
        ("storage", "a ticket: importance is below 0.95, where pages begin"),
        ("network", "a ticket: the budget of 1 page a day is spent"),
        ("no route", "no alert at all"),
    ]
    assert trial.pages_by_team == {"no route": trial.budget.pages}
    text = "\n".join(trial.lines_of_text())
    assert "tickets: 3 of 4 incidents that people called real\n  storage: " in text
    assert "\n  2026-01-02     0 pages from importance 0.99" in text


@pytest.mark.parametrize(
    ("service", "why"),
    [("neutron-server", "a ticket: the route network does not page"), ("glance", "muted by known until")],
)
def test_without_a_budget_routes_and_suppressions_make_tickets(service: str, why: str) -> None:
    """Both say that they did."""
    windows = [replace(window("a", 1000, 0.99, service), reasons=("levels",))]
    trial = try_rules(Rules.parse(RULES), windows, POLICY, [real(1000, service)])
    assert trial.budget is None
    assert trial.to_record()["real_tickets"][0]["why"].startswith(why)
    assert "threshold" not in trial.to_record()


def test_the_walk_is_told_day_by_day() -> None:
    """And whether the budget was kept."""
    pages = [
        window(f"{day}-{hour}", day * 86_400 + hour * 7200, 0.91 + hour / 100 + day / 50)
        for day in range(3)
        for hour in range(3)
    ]
    trial = try_rules(Rules.parse("version: 1\nbudget: {pages: 1, per: day}"), pages, POLICY)
    text = list(trial.lines_of_text())
    assert "walk forward: on days that the threshold had not seen the budget was not kept, at most 3" in text
    assert any(line.startswith("  2026-01-02     ") for line in text)
    assert trial.to_record()["budget_kept_unseen"] is False
