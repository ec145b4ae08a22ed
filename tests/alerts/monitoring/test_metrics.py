"""Metrics: one source for registry, README and counters that add up."""

import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from alerts.monitoring.line_count import LineCount
from alerts.monitoring.metrics import Metrics, metrics_table
from alerts.monitoring.metrics_server import serve_metrics
from models.errors import InvalidError

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def registry() -> CollectorRegistry:
    """Give each test a registry of its own."""
    return CollectorRegistry()


def test_every_metric_is_in_the_registry_under_its_name(registry: CollectorRegistry) -> None:
    """The names of the table are what Prometheus scrapes."""
    Metrics.on(registry)
    scraped = {f"{family.name}_total" if family.type == "counter" else family.name for family in registry.collect()}
    named = {row.split("`")[1].split("{")[0] for row in metrics_table().splitlines()[2:]}
    assert scraped == named


def test_every_name_starts_with_tocsin_and_ends_as_its_type_asks() -> None:
    """Counters end in _total and nothing else does."""
    for row in metrics_table().splitlines()[2:]:
        name, kind = row.split("`")[1].split("{")[0], row.split("|")[2].strip()
        assert name.startswith("tocsin_")
        assert name.endswith("_total") == (kind == "counter")


def test_a_second_set_in_one_registry_is_refused(registry: CollectorRegistry) -> None:
    """Two sets of counters under the same names would each hold half."""
    Metrics.on(registry)
    with pytest.raises(InvalidError, match="one registry per process"):
        Metrics.on(registry)


def test_counted_lines_reconcile(registry: CollectorRegistry) -> None:
    """Lines in = events + continuations + dead letters + drops, and nothing is unaccounted."""
    metrics = Metrics.on(registry)
    metrics.count_lines(
        LineCount(10, 4, 3, dead={"json": 1}, dropped={"duplicate": 1, "empty": 1}, notes={"future": 2}),
    )
    assert registry.get_sample_value("tocsin_lines_total") == 10
    assert registry.get_sample_value("tocsin_events_total") == 4
    assert registry.get_sample_value("tocsin_continuations_total") == 3
    assert registry.get_sample_value("tocsin_dead_letters_total", {"reason": "json"}) == 1
    assert registry.get_sample_value("tocsin_dropped_lines_total", {"reason": "empty"}) == 1
    assert registry.get_sample_value("tocsin_notes_total", {"kind": "future"}) == 2
    assert registry.get_sample_value("tocsin_unaccounted_lines_total") == 0


@pytest.mark.parametrize("events", [7, 13])
def test_lines_that_do_not_add_up_are_seen(registry: CollectorRegistry, events: int) -> None:
    """Too many is as wrong as too few."""
    Metrics.on(registry).count_lines(LineCount(10, events, 0))
    assert registry.get_sample_value("tocsin_unaccounted_lines_total") == 3


def test_the_module_prints_the_table() -> None:
    """The README's table can be remade with one command."""
    done = subprocess.run(
        [sys.executable, "-m", "alerts.monitoring.metrics"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == metrics_table()


def test_the_readme_of_alerts_holds_the_table() -> None:
    """A metric that changes changes ``alerts/README.md`` too."""
    readme = (ROOT / "alerts" / "README.md").read_text(encoding="utf-8")
    table = re.search(r"<!-- metrics:start -->\n(.*)\n<!-- metrics:end -->", readme, re.DOTALL)
    assert table, "alerts/README.md lacks the table of metrics between its two markers"
    assert table[1] == metrics_table(), "put in what this prints: python -m alerts.monitoring.metrics"


def test_served_metrics_can_be_scraped_until_the_server_stops(registry: CollectorRegistry) -> None:
    """The server answers with the registry's metrics, and stop frees the port."""
    Metrics.on(registry).role_up.labels("ingest").set(1)
    server = serve_metrics(registry, 0, "127.0.0.1")
    url = f"http://127.0.0.1:{server.port}/metrics"
    with urllib.request.urlopen(url, timeout=60) as answer:
        assert b'tocsin_role_up{role="ingest"} 1.0' in answer.read()
    server.stop()
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(url, timeout=60)


def test_a_taken_port_is_refused_with_the_setting(registry: CollectorRegistry) -> None:
    """Two roles on one machine need two ports, and the message names the setting."""
    server = serve_metrics(registry, 0, "127.0.0.1")
    try:
        with pytest.raises(InvalidError, match="TOCSIN_METRICS_PORT"):
            serve_metrics(registry, server.port, "127.0.0.1")
    finally:
        server.stop()
