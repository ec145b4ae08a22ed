"""The runbook: each alert of Prometheus leads to a section of its own."""

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]


def test_every_alert_has_a_section_in_the_runbook() -> None:
    """And each section an alert."""
    rules = yaml.safe_load((ROOT / "helm" / "prometheus" / "tocsin.rules.yaml").read_text(encoding="utf-8"))
    alerts = [rule for group in rules["groups"] for rule in group["rules"] if "alert" in rule]
    sections = re.findall(r"^### (\w+)$", (ROOT / "helm" / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(rule["alert"] for rule in alerts) == sorted(sections)
    for rule in alerts:
        assert rule["annotations"]["runbook_url"] == f"helm/README.md#{rule['alert'].lower()}"
