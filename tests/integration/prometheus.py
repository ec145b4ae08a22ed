"""A real Prometheus that scrapes one target and holds our rules."""

import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson

RULES = Path(__file__).parents[2] / "helm" / "prometheus" / "tocsin.rules.yaml"
PATIENCE_S = 60.0

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
        found = self._get("/api/v1/alerts")["data"]["alerts"]
        return {alert["labels"]["alertname"] for alert in found if alert["state"] == "firing"}

    def ready(self) -> bool:
        """Say whether it answers."""
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=1):  # noqa: S310 - loopback
                return True
        except OSError:
            return False

    def _get(self, path: str) -> Any:
        with urllib.request.urlopen(self.url + path, timeout=5) as answer:  # noqa: S310 - loopback
            return orjson.loads(answer.read())


@contextmanager
def prometheus(folder: Path, target: int, alertmanagers: tuple[str, ...] = ()) -> Iterator[Prometheus]:
    """Run Prometheus in a folder; it scrapes port ``target`` of this machine every second."""
    binary = shutil.which("prometheus")
    assert binary is not None
    config = folder / "prometheus.yml"
    config.write_text(_CONFIG.format(target=target, rules=RULES, alertmanagers=", ".join(map(repr, alertmanagers))))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [binary, f"--config.file={config}", f"--storage.tsdb.path={folder / 'tsdb'}"]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen([*command, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)
    try:
        server = Prometheus(f"http://127.0.0.1:{port}")
        until(server.ready)
        yield server
    finally:
        process.terminate()
        process.wait(20)


def until(happens: Callable[[], object]) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + PATIENCE_S
    while not happens():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)
