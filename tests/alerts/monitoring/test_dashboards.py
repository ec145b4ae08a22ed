"""Dashboards: the files are what the list of panels makes, and ask for metrics that there are."""

import re
from pathlib import Path

import orjson
import pytest
import yaml

from alerts.monitoring.dashboards import ALL
from alerts.monitoring.grafana import REPLAY, Dashboard, grafana
from alerts.monitoring.metrics import metric_names

HELM = Path(__file__).parents[3] / "helm"
NAME = re.compile(r"\btocsin_\w+")


def known(name: str) -> bool:
    """Say whether a series of this name is exported; a histogram has three of them."""
    return bool({name, *(name.removesuffix(end) for end in ("_bucket", "_sum", "_count"))} & metric_names())


@pytest.mark.parametrize("dashboard", ALL, ids=lambda each: each.uid)
def test_what_is_shipped_is_what_the_panels_make(dashboard: Dashboard) -> None:
    """``python -m alerts.dashboards helm/dashboards`` has been run since the last change."""
    shipped = orjson.loads((HELM / "dashboards" / f"{dashboard.uid}.json").read_bytes())
    assert shipped == grafana(dashboard)


@pytest.mark.parametrize("dashboard", ALL, ids=lambda each: each.uid)
def test_panels_do_not_overlap_and_ask_for_what_there_is(dashboard: Dashboard) -> None:
    """Each panel has its place, and each query names metrics of ours."""
    places = [panel["gridPos"] for panel in grafana(dashboard)["panels"]]
    cells = [(x, place["y"]) for place in places for x in range(place["x"], place["x"] + place["w"])]
    assert len(cells) == len(set(cells))
    assert all(place["x"] + place["w"] <= 24 for place in places)
    for panel in dashboard.panels:
        for query, _ in panel.queries:
            assert NAME.findall(query)
            assert [name for name in NAME.findall(query) if not known(name)] == []


@pytest.mark.parametrize("dashboard", ALL, ids=lambda each: each.uid)
def test_a_table_is_asked_for_as_one_and_the_replay_where_grafana_fills_it_in(dashboard: Dashboard) -> None:
    """Time series make a table each; variables stand in queries, data sources and texts of panels only."""
    made = grafana(dashboard)
    for panel in made["panels"][:-1]:
        for target in panel["targets"]:
            kind = (target["format"], target["instant"], target["range"])
            assert kind == (("table", True, False) if panel["type"] == "table" else ("time_series", False, True))
    [rings] = made["annotations"]["list"]
    assert "${" not in rings["textFormat"] + rings["titleFormat"]
    assert made["panels"][-1]["title"] in rings["textFormat"]
    assert REPLAY in made["panels"][-1]["options"]["content"]


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
