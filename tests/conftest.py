"""What holds for every test: no network but loopback, a clean environment, no silent skips in CI, and its process.

``pytest -n auto --dist loadfile --no-loadscope-reorder`` spreads files over processes, each of which starts the servers
that its tests need, once.  (``--dist loadgroup`` of pytest-xdist 3.8 ignores groups under pytest 9.2: it sets an
attribute that pytest does not read any more.)
"""

import ipaddress
import os
import socket
from collections.abc import Generator
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.fixtures_kafka"]

IN_CI: Final = bool(os.environ.get("CI"))
MAY_SKIP: Final = ("fluentbit", "beside", "cluster")
"""Markers of tests that CI may skip: no package registry has what they need, or it builds for half an hour, and each
has a twin that needs nothing."""

SERVICES: Final = ("kafka", "alertmanager", "prometheus", "fluentbit", "s3", "mlflow")
SLOW_FIRST: Final = (*SERVICES, "slow", "train")
"""Markers of tests that are started first, so that the longest ones do not run alone at the end."""

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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with the files that hold slow tests."""
    slow = {item.path for item in items if any(item.get_closest_marker(name) for name in SLOW_FIRST)}
    items.sort(key=lambda item: item.path not in slow)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI, a skipped test is a failed one: whatever it needs can be installed there."""
    report = yield
    allowed = any(item.get_closest_marker(name) for name in MAY_SKIP)
    if IN_CI and report.skipped and not allowed and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, but it must run in CI: {report.longrepr}"
    return report
