"""A real Prometheus that scrapes one target and holds our rules."""

import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson

from tests.ports import held_port
from tests.waiting import PATIENCE_S, until

RULES = Path(__file__).parents[2] / "helm" / "prometheus" / "tocsin.rules.yaml"

_CONFIG = """
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
scrape_configs: [{{job_name: tocsin, static_configs: [{{targets: ['127.0.0.1:{target}']}}]}}]
rule_files: ['{rules}']
alerting: {{alertmanagers: [{{static_configs: [{{targets: [{alertmanagers}]}}]}}]}}
"""


class Prometheus:
    """The server's API."""

    def __init__(self, url: str) -> None:
        self.url = url

    def query(self, expression: str) -> list[Any]:
        """Return the result of an instant query; a query that is wrong raises HTTPError."""
        result: list[Any] = self._get(f"/api/v1/query?query={quote(expression)}")["data"]["result"]
        return result

    def alerts(self) -> set[str]:
        """Return the names of the alerts that fire."""
        alerts = self._get("/api/v1/alerts")["data"]["alerts"]
        return {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}

    def ready(self) -> bool:
        """Say whether it answers."""
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=PATIENCE_S):  # noqa: S310 - loopback
                return True
        except OSError:
            return False

    def _get(self, path: str) -> Any:
        with urllib.request.urlopen(self.url + path, timeout=PATIENCE_S) as answer:  # noqa: S310 - loopback
            return orjson.loads(answer.read())


@contextmanager
def prometheus(folder: Path, target: int, alertmanagers: tuple[str, ...] = ()) -> Iterator[Prometheus]:
    """Run Prometheus in a folder; it scrapes port ``target`` of this machine every second."""
    binary = shutil.which("prometheus")
    assert binary is not None
    config = folder / "prometheus.yml"
    config.write_text(_CONFIG.format(target=target, rules=RULES, alertmanagers=", ".join(map(repr, alertmanagers))))
    port = held_port()
    command = [binary, f"--config.file={config}", f"--storage.tsdb.path={folder / 'tsdb'}"]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen([*command, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)
    try:
        server = Prometheus(f"http://127.0.0.1:{port}")
        until(server.ready)
        yield server
    finally:
        process.terminate()
        process.wait(PATIENCE_S)
