"""Dashboards and rules: well-formed, and asking for metrics that there are."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from alerts.monitoring.metrics import metric_names
from tests.alerts.monitoring.dashboards import DASHBOARDS, queries

HELM = Path(__file__).parents[3] / "helm"
NAME = re.compile(r"\btocsin_\w+")
REPLAY = "tocsin replay --from ${__from:date:iso} --to ${__to:date:iso} --out windows.jsonl"
"""Decides again what a dashboard shows; Grafana fills in its time range, in texts of panels and nowhere else."""

ALL = pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda dashboard: dashboard["uid"])


def known(name: str) -> bool:
    """Say whether a series of this name is exported; a histogram has three of them."""
    return bool({name, *(name.removesuffix(end) for end in ("_bucket", "_sum", "_count"))} & metric_names())


def test_there_are_four_dashboards_named_as_their_files() -> None:
    """Grafana keeps a dashboard under its uid, and a link to it must stay."""
    names = {path.stem for path in (HELM / "dashboards").iterdir()}
    assert {dashboard["uid"] for dashboard in DASHBOARDS} == names
    assert len(names) == 4


@ALL
def test_panels_do_not_overlap_and_ask_for_what_there_is(dashboard: dict[str, Any]) -> None:
    """Each panel has its place and number, and each query names metrics of ours."""
    places = [panel["gridPos"] for panel in dashboard["panels"]]
    cells = [(x, place["y"]) for place in places for x in range(place["x"], place["x"] + place["w"])]
    assert len(cells) == len(set(cells))
    assert all(place["x"] + place["w"] <= 24 for place in places)
    assert [panel["id"] for panel in dashboard["panels"]] == list(range(1, len(places) + 1))
    for panel in dashboard["panels"][:-1]:
        assert queries(panel)
        for query in queries(panel):
            assert NAME.findall(query)
            assert [name for name in NAME.findall(query) if not known(name)] == []


@ALL
def test_a_table_is_asked_for_as_one_and_the_replay_where_grafana_fills_it_in(dashboard: dict[str, Any]) -> None:
    """Time series make a table each; variables stand in queries, data sources and texts of panels only."""
    for panel in dashboard["panels"][:-1]:
        for target in panel["targets"]:
            kind = (target["format"], target["instant"], target["range"])
            assert kind == (("table", True, False) if panel["type"] == "table" else ("time_series", False, True))
    [rings] = dashboard["annotations"]["list"]
    assert "${" not in rings["textFormat"] + rings["titleFormat"]
    assert dashboard["panels"][-1]["title"] in rings["textFormat"]
    assert REPLAY in dashboard["panels"][-1]["options"]["content"]


def test_rules_ask_for_what_there_is() -> None:
    """Every metric that a rule of Prometheus names is one of ours."""
    groups = yaml.safe_load((HELM / "prometheus" / "tocsin.rules.yaml").read_text())["groups"]
    queries = [rule["expr"] for group in groups for rule in group["rules"]]
    assert len(queries) > 20
    assert sorted({name for query in queries for name in NAME.findall(query) if not known(name)}) == []


def test_every_alert_says_what_to_do() -> None:
    """A rule that rings has a severity, a summary and an action."""
    groups = yaml.safe_load((HELM / "prometheus" / "tocsin.rules.yaml").read_text())["groups"]
    for rule in (rule for group in groups for rule in group["rules"] if "alert" in rule):
        assert rule["labels"]["severity"] in {"page", "ticket", "info"}
        assert {"summary", "action"} <= rule["annotations"].keys()
