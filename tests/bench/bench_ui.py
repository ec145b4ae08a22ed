"""The review page with 10,000 incidents and 100,000 windows: seconds, kilobytes and memory of its pages.

Alerts and windows are made from those of a simulated hour (``stream/demo_bundle``), spread over thirty days.
"""

import resource
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import numpy as np

from alerts.messages.alert import Alert, Status
from alerts.messages.anomaly import Anomaly
from models.rfc3339 import SECOND, parse_time, time_text
from stream.ui.memory.files import load_alerts
from stream.ui.memory.memory import Memory
from stream.ui.web.server import serving
from stream.ui.web.site import Site

INCIDENTS = 10_000
WINDOWS = 100_000
DAYS = 30
ROUNDS = 9


def sample(folder: Path) -> list[Alert]:
    """Return the alerts of a simulated hour with faults."""
    logs = str(folder / "logs.jsonl")
    review = ["review", logs, "--bundle", "stream/demo_bundle", "--out", str(folder)]
    for command in (["simulate", "--faults", "--out", logs], review):
        # In processes of their own: only the memory of the pages is measured.
        subprocess.run([sys.executable, "-c", "from stream.cli import main; main()", *command], check=True)
    return [Alert.from_json(line) for line in (folder / "alerts.jsonl").read_bytes().splitlines()]


def moved(alert: Alert, number: int, shift: int) -> Alert:
    """Return an alert as that of incident ``number``, ``shift`` microseconds later."""
    signals = tuple(
        {**signal, **{name: time_text(parse_time(signal[name]) + shift) for name in ("begin", "end")}}
        for signal in alert.signals
    )
    return replace(
        alert,
        incident_id=f"{number:032x}",
        signals=signals,
        started=alert.started + shift,
        updated=alert.updated + shift,
        ended=None if alert.ended is None else alert.ended + shift,
    )


def filled(alerts: list[Alert]) -> Memory:
    """Return a memory with all incidents and windows."""
    memory = Memory()
    ids = list(dict.fromkeys(alert.incident_id for alert in alerts))
    step = DAYS * 86_400 * SECOND // INCIDENTS
    for number in range(INCIDENTS):
        for alert in alerts:
            if alert.incident_id == ids[number % len(ids)]:
                memory.take_alert(moved(alert, number, number * step))
    services = sorted({service for alert in alerts for service in alert.services}) or ["nova-api"]
    rng = np.random.default_rng(1)
    begin = alerts[0].started
    for number, importance in enumerate(rng.uniform(0.5, 1, WINDOWS)):
        end = begin + number * DAYS * 86_400 * SECOND // WINDOWS
        service = services[number % len(services)]
        memory.take_window(Anomaly(f"{number:x}", "default", (service,), end, float(importance), key=f"{service}@c1"))
    return memory


def main() -> None:
    """Print a line for each page."""
    with TemporaryDirectory() as folder:
        alerts = sample(Path(folder))
        started = time.monotonic()
        memory = filled(alerts)
        print(f"{INCIDENTS:,} incidents and {WINDOWS:,} windows taken in {time.monotonic() - started:.0f} s")
        load_alerts(memory, Path(folder))
    last = max(alert.updated for alert in alerts if alert.status is Status.RESOLVED) + DAYS * 86_400 * SECOND
    everything = f"?since={time_text(alerts[0].started)}&until={time_text(last)}"
    pages = {
        "first page": "/",
        "lanes, a day": "/lanes.json",
        "lanes, 30 days": f"/lanes.json{everything}",
        "page 100 of what is over": "/?page=100",
        "filter by text": "/?q=rabbitmq",
        "one incident": f"/incidents/{INCIDENTS - 1:032x}",
    }
    with serving(Site(memory, "benchmark")) as server, httpx.Client(base_url=server.url, timeout=60) as client:
        for name, path in pages.items():
            seconds = []
            for _ in range(ROUNDS):
                begin = time.monotonic()
                answer = client.get(path)
                seconds.append(time.monotonic() - begin)
                if answer.status_code != httpx.codes.OK:
                    sys.exit(f"{path}: {answer.status_code}")
            kilobytes = len(answer.content) / 1000
            print(f"{name:26} {np.median(seconds):6.3f} s (worst {max(seconds):.3f}), {kilobytes:5.0f} kB")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    print(f"memory at most {peak:.0f} MB")


if __name__ == "__main__":
    main()
