"""Grafana dashboards, made of one list of panels each.

``python -m alerts.dashboards helm/dashboards`` writes them; a test sees that what stands there is what this file makes,
and runs every query against a Prometheus with data.
"""

import sys
from pathlib import Path
from typing import Final

import orjson

from alerts.monitoring.grafana import Dashboard, Panel, grafana

_GROUNDED: Final = "sum(increase(tocsin_diagnosis_groundedness"


def stat(title: str, meaning: str, query: str, unit: str = "short", red_from: float | None = None) -> Panel:
    """Return a panel with one number."""
    return Panel(title, meaning, ((query, ""),), unit, "stat", 4, red_from)


def p99(metric: str, by: str) -> str:
    """Return the query for the 99th percentile of a histogram, by a label."""
    return f"histogram_quantile(0.99, sum by (le, {by}) (rate({metric}_bucket[5m])))"


OVERVIEW: Final = Dashboard(
    "tocsin-overview",
    "Tocsin: what is on fire",
    (
        stat("Open incidents", "Incidents not yet resolved.", "sum(tocsin_incidents_open)", red_from=1),
        stat(
            "Blind for",
            "How old the newest decided line is; much more than a minute means that silence says nothing.",
            "time() - min(tocsin_last_frame_clock_seconds > 0)",
            "s",
            120,
        ),
        stat("Lines", "Log lines a second.", "sum(rate(tocsin_lines_total[5m]))", "cps"),
        stat("Roles up", "Roles that work.", "count(tocsin_role_up == 1)"),
        stat("Waiting alerts", "Alerts not yet delivered.", "sum(tocsin_delivery_pending)", red_from=10),
        stat("Parked", "Incidents that a sink refuses for good.", "sum(tocsin_delivery_parked)", red_from=1),
        Panel(
            "On fire, since when, why",
            "Open incidents by where they began and their kind of failure; the value is how long they have lasted.",
            (
                (
                    "time() - min by (tenant, service, kind, severity) (tocsin_incident_since_seconds)",
                    "",
                ),
            ),
            "s",
            "table",
            24,
        ),
        Panel(
            "Anomalous windows",
            "Windows that fired, by kind.",
            (("sum by (kind) (increase(tocsin_windows_fired_total[5m]))", "{{kind}}"),),
            width=12,
        ),
        Panel(
            "Alerts told",
            "Records on alerts, by status.",
            (("sum by (status) (increase(tocsin_alerts_total[5m]))", "{{status}}"),),
            width=12,
        ),
    ),
)

PIPELINE: Final = Dashboard(
    "tocsin-pipeline",
    "Tocsin: is the pipeline well",
    (
        Panel(
            "Lines by what became of them",
            "Together they are all lines; what is unaccounted is a defect of Tocsin.",
            (
                ("sum(rate(tocsin_events_total[5m]))", "events"),
                ("sum(rate(tocsin_continuations_total[5m]))", "continuations"),
                ("sum by (reason) (rate(tocsin_dead_letters_total[5m]))", "dead: {{reason}}"),
                ("sum by (reason) (rate(tocsin_dropped_lines_total[5m]))", "dropped: {{reason}}"),
                ("sum(rate(tocsin_unaccounted_lines_total[5m]))", "unaccounted"),
            ),
            "cps",
            width=12,
        ),
        Panel(
            "Lag", "Messages that wait, by topic.", (("sum by (topic) (tocsin_lag_messages)", "{{topic}}"),), width=12
        ),
        Panel(
            "Late rows", "Rows after their windows closed.", (("sum(rate(tocsin_late_rows_total[5m]))", "late"),), "cps"
        ),
        Panel(
            "Open windows",
            "What detect holds.",
            (("sum(tocsin_open_windows)", "rows"), ("sum(tocsin_window_keys)", "keys")),
        ),
        Panel("Work on one batch, p99", "By role.", ((p99("tocsin_batch_seconds", "role"), "{{role}}"),), "s"),
        Panel(
            "Commits",
            "Offset commits, by role.",
            (("sum by (role) (rate(tocsin_commits_total[5m]))", "{{role}}"),),
            "cps",
        ),
        Panel("Roles", "1 while a role works.", (("max by (role) (tocsin_role_up)", "{{role}}"),)),
        Panel(
            "Odd times and duplicates",
            "Times put back or missing; rows that came twice.",
            (
                ("sum by (kind) (rate(tocsin_notes_total[5m]))", "{{kind}}"),
                ("sum(rate(tocsin_duplicate_rows_total[5m]))", "duplicate rows"),
            ),
            "cps",
        ),
    ),
)

MODEL: Final = Dashboard(
    "tocsin-model",
    "Tocsin: is the model good",
    (
        stat(
            "Training data is old",
            "Age of the newest line that training saw.",
            "time() - max(tocsin_bundle_trained_seconds)",
            "s",
        ),
        stat(
            "Bundles in use",
            "More than one for long: a worker was left behind.",
            "count(count by (id) (tocsin_bundle_info))",
            red_from=2,
        ),
        stat(
            "New templates in a day",
            "Texts that training has not seen.",
            "sum(increase(tocsin_new_templates_total[1d]))",
        ),
        stat(
            "Fired in a day",
            "Set it against the budget of false alarms.",
            "sum(increase(tocsin_windows_fired_total[1d])) or vector(0)",
        ),
        stat(
            "Not live",
            "Windows of services in shadow or learning, a second.",
            "sum(rate(tocsin_limited_windows_total[5m])) or vector(0)",
            "cps",
        ),
        stat(
            "Silenced windows in a day",
            "Not told because people know the pattern.",
            "sum(increase(tocsin_hushed_windows_total[1d]))",
        ),
        Panel(
            "Importance of windows",
            "Share of windows above some importances, in ten minutes; those above 0.5 fire.",
            (
                (
                    (
                        '1 - sum by (le) (rate(tocsin_importance_bucket{le=~"0.[59]9*"}[10m])) / on () group_left '
                        "sum(rate(tocsin_importance_count[10m]))"
                    ),
                    "above {{le}}",
                ),
            ),
            "percentunit",
            width=12,
        ),
        Panel(
            "Scoring one batch, p99",
            "Time to score.",
            ((p99("tocsin_score_seconds", "job"), "scoring"),),
            "s",
            width=12,
        ),
        Panel(
            "Votes and orders",
            "What people said.",
            (("sum by (action) (increase(tocsin_feedback_total[1h]))", "{{action}}"),),
            width=24,
        ),
    ),
)

DELIVERY: Final = Dashboard(
    "tocsin-delivery",
    "Tocsin: delivery and money",
    (
        Panel(
            "Alerts by what became of them",
            "At each sink; with the pending ones they are all that were read.",
            (
                ("sum by (sink, outcome) (increase(tocsin_deliveries_total[5m]))", "{{sink}} {{outcome}}"),
                ("sum by (sink) (tocsin_delivery_pending)", "{{sink}} pending"),
            ),
            width=12,
        ),
        Panel(
            "On the way, p99",
            "From the record to its delivery.",
            ((p99("tocsin_delivery_seconds", "sink"), "{{sink}}"),),
            "s",
            width=12,
        ),
        Panel(
            "Trial alert",
            "Time since each sink took the hourly trial alert.",
            (("time() - max by (sink) (tocsin_synthetic_last_success_seconds)", "{{sink}}"),),
            "s",
        ),
        Panel(
            "Diagnoses", "By who made them.", (("sum by (mode) (increase(tocsin_diagnoses_total[1h]))", "{{mode}}"),)
        ),
        Panel(
            "Groundedness",
            "Share of a language model's claims that code verified, mean of a day.",
            ((f"{_GROUNDED}_sum[1d])) / ({_GROUNDED}_count[1d])) > 0)", "mean"),),
            "percentunit",
        ),
        Panel(
            "Questions to models",
            "And how they ended.",
            (("sum by (model, outcome) (increase(tocsin_llm_calls_total[1h]))", "{{model}} {{outcome}}"),),
        ),
        Panel(
            "Dollars in a day",
            "Spent by tenant, and not spent because the diagnosis was there.",
            (
                ("sum by (tenant) (increase(tocsin_llm_cost_usd_total[1d]))", "spent: {{tenant}}"),
                ("sum by (by) (increase(tocsin_llm_saved_usd_total[1d]))", "saved: {{by}}"),
            ),
            "currencyUSD",
        ),
        Panel(
            "Explaining, p99",
            "Beside the alert, never before it.",
            ((p99("tocsin_explain_seconds", "job"), "explaining"),),
            "s",
        ),
    ),
)

ALL: Final = (OVERVIEW, PIPELINE, MODEL, DELIVERY)


def main(folder: Path) -> None:
    """Write all dashboards into a folder."""
    for dashboard in ALL:
        data = orjson.dumps(grafana(dashboard), option=orjson.OPT_INDENT_2)
        (folder / f"{dashboard.uid}.json").write_bytes(data + b"\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
