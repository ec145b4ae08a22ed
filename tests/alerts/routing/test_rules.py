"""Rules as code: what a file may say, and what it decides."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from alerts.incidents.backtest import most_pages, replay, solve
from alerts.incidents.policy import PageBudget
from alerts.messages.alert import Alert, Severity, Status
from alerts.routing.rules import Rules, rules_schema
from models.errors import InvalidError
from models.rfc3339 import SECOND, parse_time
from models.templates.matcher import template_id
from tests.alerts.windows import POLICY, START, Role, window

TEMPLATE = "Respawning dnsmasq for uuid <*>"
HEAD = f"{template_id(TEMPLATE):016x}"
NOW = parse_time("2026-11-20T12:00:00Z")
DAY = 86_400 * SECOND

FILE = """
version: 1
routes:
  - name: storage
    match: {tenant: "blue*", service: "cinder-*", severity: error}
    sinks: [pagerduty, slack]
  - name: quiet
    match: {tenant: test}
    sinks: [slack]
    page: false
suppressions:
  - name: dnsmasq
    match: {service: neutron-dhcp-agent}
    template: "Respawning dnsmasq for uuid <*>"
    sample: "WARNING neutron.agent Respawning dnsmasq for uuid 7d3"
    why: BUG-9
    owner: net
    expires: 2026-11-30
  - name: hush
    reason: "^nova-compute@old has been silent"
    sample: "nova-compute@old has been silent for 90 s, usually 20 s at most"
    why: is being taken down
    owner: ops
    expires: 2026-11-20T11:00:00Z
maintenance:
  - name: rack 7
    match: {service: "swift*"}
    from: 2026-11-20T10:00:00+01:00
    to: 2026-11-20
    why: new switches
severities:
  - name: keystone is worst
    match: {service: keystone}
    severity: critical
budget: {pages: 2, per: day, threshold: 0.9}
"""
RULES = Rules.parse(FILE)


def alert(**changes: Any) -> Alert:
    """Return an alert of some service."""
    return replace(
        Alert(
            incident_id="0" * 32,
            episode="",
            status=Status.FIRING,
            severity=Severity.ERROR,
            tenant="default",
            services=("nova-api",),
            summary="s",
            started=NOW,
            updated=NOW,
            kind="errors",
            importance=0.95,
        ),
        **changes,
    )


def test_what_no_rule_speaks_of_goes_everywhere() -> None:
    """An empty file, and no file, change nothing."""
    for rules in (RULES, Rules(), Rules.parse("version: 1")):
        decision = rules.decide(alert(), NOW)
        assert (decision.severity, decision.sinks, decision.muted, decision.page) == (Severity.ERROR, None, "", True)
        assert decision.goes_to("anything")


def test_the_first_route_that_fits_decides() -> None:
    """By tenant, any service, and least severity."""
    storage = alert(tenant="blue-1", services=("nova-api", "cinder-volume"))
    decision = RULES.decide(storage, NOW)
    assert (decision.sinks, decision.rules) == (frozenset({"pagerduty", "slack"}), ("storage",))
    assert not decision.goes_to("webhook")
    assert RULES.decide(replace(storage, severity=Severity.WARNING), NOW).sinks is None
    assert RULES.decide(replace(storage, tenant="red"), NOW).sinks is None
    assert not RULES.decide(alert(tenant="test"), NOW).page


def test_severities_are_set_before_routes_look_at_them() -> None:
    """A warning of keystone takes the routes of what is critical."""
    rules = Rules.parse(FILE.replace("tenant: test", "severity: critical"))
    decision = rules.decide(alert(services=("keystone",), severity=Severity.WARNING), NOW)
    assert (decision.severity, decision.rules) == (Severity.CRITICAL, ("keystone is worst", "quiet"))


def test_a_suppression_silences_its_template_and_says_who_and_until_when() -> None:
    """As long as it is all that there is: other services, or other odd lines, are told."""
    known = alert(services=("neutron-dhcp-agent",), templates=(HEAD,))
    decision = RULES.decide(known, NOW)
    assert decision.muted == "dnsmasq until 2026-12-01T00:00:00.000Z: BUG-9, net"
    assert not decision.page
    assert not decision.goes_to("slack")
    for other in (
        replace(known, services=("neutron-dhcp-agent", "nova-api")),
        replace(known, templates=(HEAD, "0" * 16)),
        replace(known, templates=()),
    ):
        assert not RULES.decide(other, NOW).muted


def test_a_suppression_of_one_fault_leaves_another_at_the_same_time_alone() -> None:
    """A service that is silent, and errors of another 40 s later: the second is told, and pages."""
    rules = Rules.parse(
        "version: 1\nsuppressions:\n"
        "  - {name: hush, match: {service: keystone}, reason: 'keystone has been silent for .*',"
        " sample: keystone has been silent for 96 s, why: BUG-9, owner: jo, expires: 2026-11-30}\n"
    )
    silent = replace(window("a", 0, 0.99, "keystone", kind="silence"), reasons=("keystone has been silent for 96 s",))
    failing = replace(window("b", 40, 0.99, "nova-compute", (HEAD,)), reasons=("nova-compute: 3 errors",))
    incidents, alerts = replay([silent, failing], POLICY)
    assert len(incidents) == 2
    firing = [one for one in alerts if one.status is Status.FIRING]
    assert [(one.services[0], bool(rules.decide(one, NOW).muted)) for one in firing] == [
        ("keystone", True),
        ("nova-compute", False),
    ]
    assert rules.decide(firing[1], NOW).page


def test_an_expired_suppression_says_so_and_silences_nothing() -> None:
    """In the decision, and when the file is checked."""
    silent = alert(reasons=("nova-compute@old has been silent for 99 s, usually 20 s at most",))
    before, after = RULES.decide(silent, NOW - 2 * 3600 * SECOND), RULES.decide(silent, NOW)
    assert before.muted.startswith("hush until")
    assert (after.muted, after.page) == ("", True)
    assert after.rules == ("hush (expired 2026-11-20T11:00:00.000Z)",)
    assert [warning.split(" and ")[0] for warning in RULES.warnings(NOW)] == [
        "hush has expired at 2026-11-20T11:00:00.000Z"
    ]


def test_maintenance_silences_from_and_to() -> None:
    """A day ends at its end; zones are obeyed."""
    swift = alert(services=("swift-proxy",))
    assert not RULES.decide(swift, parse_time("2026-11-20T08:59:59Z")).muted
    assert RULES.decide(swift, parse_time("2026-11-20T09:00:00Z")).muted
    assert RULES.decide(swift, parse_time("2026-11-20T23:59:59Z")).muted
    assert not RULES.decide(swift, parse_time("2026-11-21T00:00:00Z")).muted


def test_below_the_threshold_of_the_budget_nothing_pages() -> None:
    """Nor does what the incident itself says is no page."""
    assert RULES.budget == PageBudget(2, 86_400.0, 0.9)
    assert not RULES.decide(alert(importance=0.89), NOW).page
    assert not RULES.decide(alert(page=False), NOW).page


def test_a_window_is_decided_as_if_it_were_an_alert() -> None:
    """Its severity follows what it found."""
    dhcp = window("a", 0, 0.96, "neutron-dhcp-agent", (HEAD, "1" * 16))
    decision = RULES.decide(dhcp, NOW)
    assert (decision.severity, bool(decision.muted)) == (Severity.ERROR, True)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("Respawning dnsmasq for uuid 7d3", "Respawning radvd", "it has no 'Respawning dnsmasq for uuid' where"),
        ("silent for 90", "asleep for 90", "its reason does not match its sample"),
        ('"^nova', '"(nova', "no regular expression"),
        ('"^nova-compute@old has been silent"', '".*"', "matches everything"),
        ("owner: net", "own: net", r"\.suppressions\[0\].*own"),
        ("    expires: 2026-11-30\n", "", "'expires' is a required property"),
        ("expires: 2026-11-30", "expires: soon", "does not match"),
        ("expires: 2026-11-30", "expires: 2026-11-31", "day is out of range"),
        ("to: 2026-11-20", "to: 2026-11-19", "ends before it begins"),
        ("name: quiet", "name: storage", "two rules are named 'storage'"),
        ("severity: critical", "severity: bad", "not one of"),
        ("pages: 2", "pages: 0", "less than the minimum"),
        ("version: 1", "version: 2", "1 was expected"),
        ("version: 1", "version: [", "no YAML"),
    ],
)
def test_a_wrong_file_is_refused_with_the_reason(old: str, new: str, message: str) -> None:
    """Before it silences the wrong thing."""
    assert old in FILE
    with pytest.raises(InvalidError, match=message):
        Rules.parse(FILE.replace(old, new, 1))


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """With the setting that names it."""
    with pytest.raises(InvalidError, match="correct the setting `rules`"):
        Rules.load(tmp_path / "none.yaml")
    (tmp_path / "rules.yaml").write_text(FILE)
    assert Rules.load(tmp_path / "rules.yaml") == RULES


def test_what_is_most_likely_not_meant_is_told() -> None:
    """Routes that are never asked, sinks that do not exist."""
    text = "version: 1\nroutes: [{name: all, sinks: [slak]}, {name: never, sinks: []}]"
    first, second = Rules.parse(text).warnings(NOW, {"slack"})
    assert first.startswith("all takes everything: never")
    assert second == "all names slak, which is no sink; there are slack"


def test_the_schema_itself_is_valid() -> None:
    """It is a schema of the draft that it names."""
    jsonschema.Draft202012Validator.check_schema(rules_schema())


def test_the_threshold_that_keeps_a_budget_is_the_least_one() -> None:
    """By replay of what was: no stretch of a day holds more pages."""
    pages = [(START + i * DAY // 4, importance) for i, importance in enumerate((0.9, 0.99, 0.92, 0.95, 0.91, 0.97))]
    assert most_pages([at for at, _ in pages], 86_400.0) == 4
    assert solve(pages, PageBudget(4, 86_400.0)) == 0.0
    assert solve(pages, PageBudget(2, 86_400.0)) == 0.95
    assert solve([(START, 1.0), (START + 1, 1.0)], PageBudget(1, 86_400.0)) is None
    assert solve([], PageBudget(1, 86_400.0)) == 0.0


def test_history_tells_what_the_role_would_have() -> None:
    """The same incidents and alerts, in any order of the windows."""
    windows = [window(str(at), at) for at in (0, 15, 5000, 5030, 90_000)]
    incidents, alerts = replay(reversed(windows), POLICY)
    assert len(incidents) == 3
    role = Role()
    for each in windows:
        role.wait(max(0, (each.end - role.now) / SECOND - 1))
        role.take(each)
    role.wait(400)
    assert {(a.incident_id, a.status) for a in alerts} == {(a.incident_id, a.status) for a in role.alerts}


def test_the_rules_of_the_readme_are_rules() -> None:
    """What people copy must be taken."""
    readme = (Path(__file__).parents[3] / "alerts" / "README.md").read_text(encoding="utf-8")
    example = readme.split("```yaml\n")[1].split("```")[0]
    rules = Rules.parse(example)
    assert (len(rules.routes), len(rules.silences), len(rules.severities)) == (1, 2, 1)
    assert rules.budget is not None
