"""What holds for every test: no network but loopback, a clean environment, and no silent skips in CI."""

import ipaddress
import os
import socket
from collections.abc import Generator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.fixtures_kafka"]

IN_CI = bool(os.environ.get("CI"))
MUST_RUN_IN_CI = ("kafka", "train", "alertmanager", "prometheus")

# In CI the same examples each time: what fails there is what was changed.  New ones are sought wherever people work.
# An example may take as long as it takes: a busy machine is no failure.
settings.register_profile("tests", derandomize=IN_CI, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tests")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine reaches a test."""
    for name in list(os.environ):
        if name.startswith(("TOCSIN_", "ANTHROPIC_", "AWS_", "MLFLOW_")) and name != "TOCSIN_TEST_CACHE":
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def closed_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection to anything but this machine fails at once."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family in {socket.AF_INET, socket.AF_INET6} and not _is_loopback(address[0]):
            raise PermissionError(f"tests do not reach the network: {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI, a skipped test against a real service is a failed one."""
    report = yield
    allowed = item.get_closest_marker("skip") or item.get_closest_marker("skipif")
    must_run = IN_CI and any(item.get_closest_marker(name) for name in MUST_RUN_IN_CI)
    if must_run and report.skipped and not allowed and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, but it must run in CI: {report.longrepr}"
    return report
