"""A real Prometheus: it scrapes every metric, answers every panel of every dashboard, and rings by our rules."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from alerts.monitoring.metrics import Metrics
from alerts.monitoring.metrics_server import serve_metrics
from tests.alerts.monitoring.dashboards import DASHBOARDS, queries
from tests.integration.prometheus import RULES, Prometheus, prometheus
from tests.waiting import until

pytestmark = [pytest.mark.prometheus]


def need_prometheus() -> None:
    """Skip where there is none."""
    if shutil.which("prometheus") is None or shutil.which("promtool") is None:
        pytest.skip("no Prometheus: apt install prometheus")


def touch(metrics: Metrics) -> None:
    """Let every metric have one series and go on, as the roles would."""
    for name in Metrics.__dataclass_fields__:
        metric = getattr(metrics, name)
        labels = [f"a {label}" for label in metric._labelnames]
        series = metric.labels(*labels) if labels else metric
        if isinstance(metric, Counter):
            series.inc()
        elif isinstance(metric, Gauge):
            series.set(time.time() if "seconds" in metric._name else 1)
        elif isinstance(metric, Histogram):
            series.observe(0.4)


@pytest.fixture(scope="module")
def scraped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Give a Prometheus that has scraped every metric several times."""
    need_prometheus()
    registry = CollectorRegistry()
    metrics = Metrics.on(registry)
    server = serve_metrics(registry, 0, "127.0.0.1")
    try:
        with prometheus(tmp_path_factory.mktemp("prometheus"), server.port) as running:

            def grows() -> bool:
                touch(metrics)
                return bool(running.query("rate(tocsin_explain_seconds_count[5m]) > 0"))

            until(grows)
            yield running
    finally:
        server.stop()


PANELS = [
    pytest.param(query, id=f"{dashboard['uid']}: {panel['title']} {number}")
    for dashboard in DASHBOARDS
    for panel in dashboard["panels"]
    for number, query in enumerate(queries(panel), 1)
]


@pytest.mark.parametrize("query", PANELS)
def test_every_panel_shows_data(scraped: Prometheus, query: str) -> None:
    """A panel whose query is wrong, or finds nothing although all metrics are there, is an empty frame at 3 a.m."""
    until(lambda: scraped.query(query))
    assert all(sample["value"][1] != "NaN" for sample in scraped.query(query))


def test_rules_are_loaded_and_ring(scraped: Prometheus) -> None:
    """What is open rings; what is well does not."""
    until(lambda: {"TocsinIncidentOpen", "TocsinParked", "TocsinUnaccountedLines"} <= scraped.alerts())
    assert "TocsinSilent" not in scraped.alerts()
    until(lambda: scraped.query("tocsin:lines:rate5m"))


def test_rules_pass_their_own_tests() -> None:
    """``promtool`` finds no fault in the rules, and each rings in the case that it is made for."""
    need_prometheus()
    for arguments in (("check", "rules", RULES.name), ("test", "rules", RULES.name.replace(".rules", ".rules.test"))):
        done = subprocess.run(
            ["promtool", *arguments], cwd=Path(RULES).parent, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
