"""Each check of the gate: what passes, what fails, and by what name."""

from dataclasses import replace
from typing import Any

import pytest

from alerts.messages.feedback import Opinion
from alerts.messages.wording import short_id
from models.registry.bundle_diff import BundleDiff, ValueChange
from stream.gate import checks
from stream.gate.report import GateCheck
from tests.stream.gate.samples import label, logs, told

NO_DIFFERENCE = BundleDiff((), (), (), (), {}, {}, {}, None, {})


@pytest.mark.parametrize(
    ("fields", "exceptions"),
    [
        ({}, set()),
        ({"services_new": ("octavia",)}, set()),
        ({"services_gone": ("cinder-volume",)}, {"cinder-volume"}),
        ({"states": {"nova-api": ValueChange("live", "shadow")}}, {"nova-api"}),
        ({"states": {"nova-api": ValueChange("shadow", "live")}}, set()),
    ],
    ids=["alike", "new service", "service gone", "known less", "known better"],
)
def test_no_service_may_be_known_less_well(fields: dict[str, Any], exceptions: set[str]) -> None:
    """What is new, or better known, is no reason."""
    check = checks.known_services(replace(NO_DIFFERENCE, **fields))
    assert (check.passed, set(check.exceptions)) == (not exceptions, exceptions)


def test_unknown_lines_may_not_be_more() -> None:
    """But for what one package brings."""
    assert checks.unknown_lines(logs(unknown=0.02), logs(unknown=0.0209)).passed
    assert not checks.unknown_lines(logs(unknown=0.02), logs(unknown=0.05)).passed


def test_the_same_lines_may_not_need_many_more_templates() -> None:
    """As where masks are missing."""
    before = replace(logs(), templates=66)
    assert checks.templates(before, replace(logs(), templates=70)).passed
    check = checks.templates(before, replace(logs(), templates=71))
    assert (check.passed, check.figures) == (False, {"templates": 71})


def test_new_incidents_stay_within_the_budget() -> None:
    """What the champion tells as well, and what people called real, is not counted."""
    both, real = told(0, "nova-api"), told(30, "keystone")
    new = [told(60 * hour, "glance-api") for hour in range(1, 5)]
    voted = [label(30, "keystone", Opinion.REAL)]
    # One a day may be three in a day, once in 20 days.
    passing = checks.new_incidents(logs(both), logs(both, real, *new[:3]), voted, 1.0)
    failing = checks.new_incidents(logs(both), logs(both, real, *new), voted, 1.0)
    assert (passing.passed, failing.passed) == (True, False)
    assert set(failing.exceptions) == {short_id(one.id) for one in new}
    assert not checks.new_incidents(logs(both), logs(both, real, *new[:3]), [], 1.0).passed


def test_pages_keep_the_budget_of_the_rules_or_that_of_the_champion() -> None:
    """A challenger that pages no more than the champion never fails by it."""
    four = logs(*(told(60 * hour, "nova-api") for hour in range(4)))
    assert checks.pages(four, four, 1.0, 1.0).passed
    assert not checks.pages(logs(), four, 3.0, 1.0).passed
    assert checks.pages(logs(), four, 4.0, 1.0).passed
    assert not checks.pages(logs(), four, None, 1.0).passed


def test_what_paged_people_is_still_told() -> None:
    """Unless they called it noise; a ticket may go."""
    page, ticket, noise = told(0, "nova-api"), told(60, "keystone", pages=0), told(120, "glance-api")
    check = checks.lost_incidents(logs(page, ticket, noise), logs(), [label(120, "glance-api", Opinion.NOISE)])
    assert (check.passed, set(check.exceptions)) == (False, {short_id(page.id)})
    later = checks.lost_incidents(logs(page), logs(told(0, "nova-api", after_s=40)))
    assert later.passed
    assert "sooner with 0, later with 1" in later.text


def test_real_incidents_are_found_again_and_noise_is_not() -> None:
    """By name; what the champion does not find either in the kept lines is no one's fault, and is said."""
    real, lost, silent = (label(minute, "nova-api", Opinion.REAL) for minute in (0, 10, 20))
    quiet, back = (label(minute, "keystone", Opinion.NOISE) for minute in (30, 40))
    verdicts = [
        (real, True, True),
        (lost, True, False),
        (silent, False, False),
        (quiet, True, False),
        (back, True, True),
    ]
    check = checks.votes(verdicts)
    assert (check.passed, set(check.exceptions)) == (False, {short_id(lost.id), short_id(back.id)})
    assert check.text.startswith("1 of 3 real incidents found again, 1 of 2 of noise back; 1 real ones say nothing")
    assert checks.votes([verdicts[0], verdicts[2], verdicts[3]]).passed


@pytest.mark.parametrize(
    ("before", "after", "passed"),
    [
        ((100.0, 400.0), (109.0, 439.0), True),
        ((100.0, 400.0), (111.0, 400.0), False),
        ((100.0, 400.0), (100.0, 441.0), False),
        ((2.0, 100.0), (2.9, 119.0), True),
    ],
    ids=["within", "slower", "larger", "too little to tell"],
)
def test_it_takes_no_more_than_a_tenth_more(
    before: tuple[float, float], after: tuple[float, float], *, passed: bool
) -> None:
    """Of time and of memory."""
    assert checks.cost(before, after).passed is passed


def test_figures_that_got_worse_fail() -> None:
    """Each stands in the report."""
    assert checks.evaluation([]).passed
    assert checks.evaluation(["simulator, fused: told 0.9 → 0.5"]).exceptions == {
        "figure 1": "simulator, fused: told 0.9 → 0.5"
    }


def test_a_check_that_was_not_made_says_how_it_is_made() -> None:
    """It neither passes nor fails."""
    assert checks.not_asked("votes", "collect them") == GateCheck("votes", None, "not looked at; collect them")


@pytest.mark.parametrize(("mean", "most"), [(0.0, 0), (0.1, 1), (1.0, 3), (7.0, 12)])
def test_most_by_chance_is_the_95_per_cent_point_of_poisson(mean: float, most: int) -> None:
    """As tables have it."""
    assert checks.most_by_chance(mean) == most
