"""How many incidents real and simulated faults make: windows as ``tocsin score`` writes them, in the order of time.

  python -m tests.bench.incidents_runs runs WINDOWS.jsonl… --runs RUNS.csv…
  python -m tests.bench.incidents_runs stream WINDOWS.jsonl --faults FAULTS.json --days 7

``runs``: every run is a tenant; the columns of the tables are those of
``training/evaluate/judges/runs.py``.  ``stream``: one tenant, faults as `tocsin simulate --truth` writes them.
"""

import argparse
import csv
import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from statistics import median
from typing import Final

import orjson

from alerts.incidents.backtest import replay
from alerts.incidents.grouping import IncidentPolicy
from alerts.incidents.incident import Incident
from alerts.messages.alert import Status
from alerts.messages.anomaly import Anomaly
from alerts.messages.backends import names_in
from models.rfc3339 import SECOND, parse_time, time_text
from training.evaluate.judges.runs import read_runs

GRACE_S: Final = 420
"""A fault's consequences are seen for so long after its end: instances wait for 300 s before they fail."""


def fired(paths: Iterable[Path], texts: Iterable[Path] = ()) -> list[Anomaly]:
    """Windows that fired, in the order of their ends, with what their new messages name where texts are given."""
    names: dict[str, frozenset[str]] = {}
    for path in texts:
        with path.open(newline="") as table:
            names |= {row["template_id"]: names_in(row["template"]) for row in csv.DictReader(table)}
    out: list[Anomaly] = []
    for path in paths:
        with path.open("rb") as file:
            windows = [Anomaly.from_record(orjson.loads(line)) for line in file if b'"fired":true' in line]
        out += [window.with_names(names.get) if names else window for window in windows]
    return sorted(out, key=lambda window: window.end)


def runs(arguments: argparse.Namespace) -> dict[str, object]:
    """Incidents per failing run from its fault on, and per normal run."""
    windows = fired(arguments.windows, arguments.texts)
    of: dict[str, list[Anomaly]] = defaultdict(list)
    for window in windows:
        of[window.tenant].append(window)
    counts: dict[str, list[int]] = defaultdict(list)
    pages: dict[str, list[int]] = defaultdict(list)
    delays, first = [], []
    for run in read_runs(arguments.runs):
        incidents, alerts = replay(of.get(run.name, []), IncidentPolicy())
        told = [i for i in incidents if run.label != "fail" or i.last >= run.fault]
        names = {i.id for i in told}
        mine = [a for a in alerts if a.incident_id in names and a.page]
        counts[run.label].append(len(told))
        pages[run.label].append(len(mine))
        if arguments.show and len(told) > 1:
            print(run.name, run.label, *(i.summary() for i in told), sep="\n    ")
        if run.label == "fail":
            hits = [w.end for w in of.get(run.name, []) if w.end >= run.fault]
            when = [a.updated for a in mine if a.updated >= run.fault]
            if hits:
                first.append((min(hits) - run.fault) / SECOND)
            if when:
                delays.append((min(when) - run.fault) / SECOND)
    normal = [n for label, ns in counts.items() if label in {"warm", "cold", "normal"} for n in ns]
    failing = counts["fail"]
    found = [n for n in failing if n]
    return {
        "failing_runs": len(failing),
        "found": len(found),
        "incidents_per_failing_run_median": median(failing),
        "incidents_per_failing_run": dict(sorted(Counter(failing).items())),
        "pages_per_found_run": round(sum(pages["fail"]) / max(1, len(found)), 3),
        "normal_runs": len(normal),
        "incidents_per_normal_run": round(sum(normal) / max(1, len(normal)), 3),
        "normal_runs_with_fired_windows": sum(
            bool(of.get(run.name)) for run in read_runs(arguments.runs) if run.label in {"warm", "cold", "normal"}
        ),
        "fired_window_after_s_median": median(first) if first else None,
        "page_after_s_median": median(delays) if delays else None,
    }


def stream(arguments: argparse.Namespace) -> dict[str, object]:
    """Incidents of each fault of one stream, and pages without one."""
    windows = fired(arguments.windows, arguments.texts)
    incidents, alerts = replay(windows, IncidentPolicy())
    faults = [
        (f"{fault['kind']} {fault['service']}", parse_time(fault["start"]), parse_time(fault["end"]))
        for fault in json.loads(arguments.faults.read_text())
    ]
    of: dict[str, list[Incident]] = {name: [] for name, _, __ in faults}
    false: list[Incident] = []
    for incident in incidents:
        near = [n for n, low, high in faults if low <= incident.opened <= high + GRACE_S * SECOND]
        # The newest fault explains it: what went before has had its incident.
        (of[near[-1]] if near else false).append(incident)
    names = {i.id: i for i in false}
    pages = Counter(
        (names[a.incident_id].service, a.started // (86_400 * SECOND))
        for a in alerts
        if a.page and a.incident_id in names
    )
    if arguments.show:
        for incident in sorted(incidents, key=lambda i: i.opened):
            print(time_text(incident.opened), incident.summary(), "FALSE" if incident.id in names else "")
    return {
        "fired_windows": len(windows),
        "incidents_per_fault": {name: len(found) for name, found in of.items()},
        "pages": sum(a.page for a in alerts),
        "false_incidents": len(false),
        "false_incidents_per_day": round(len(false) / arguments.days, 2),
        "most_false_pages_per_service_and_day": max(pages.values(), default=0),
        "resolved": sum(a.status is Status.RESOLVED for a in alerts),
    }


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("runs", "stream"))
    parser.add_argument("windows", nargs="+", type=Path)
    parser.add_argument("--runs", nargs="+", type=Path, default=[])
    parser.add_argument("--faults", type=Path)
    parser.add_argument("--texts", nargs="+", type=Path, default=[], help="tables of `tocsin templates`: new ones only")
    parser.add_argument("--days", type=float, default=1.0)
    parser.add_argument("--show", action="store_true", help="print the incidents")
    arguments = parser.parse_args()
    print(json.dumps((runs if arguments.what == "runs" else stream)(arguments), indent=1))


if __name__ == "__main__":
    main()
