"""What holds for every test: no network but loopback, a clean environment, no silent skips in CI, and its process.

``pytest -n auto --dist loadgroup`` spreads tests over processes, each of which starts the servers that its tests need,
once.  Tests of one group stay together in one process; ``group_of`` says which.
"""

import ipaddress
import os
import socket
import zlib
from collections.abc import Generator
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.fixtures_kafka"]

IN_CI: Final = bool(os.environ.get("CI"))
MAY_SKIP: Final = ("fluentbit", "beside")
"""Markers of tests that CI may skip: no package registry has what they need, and each has a twin that needs nothing."""

SERVICES: Final = ("kafka", "alertmanager", "prometheus", "fluentbit")
SLOW_FIRST: Final = (*SERVICES, "slow", "train")
"""Markers of tests that are started first, so that the longest ones do not run alone at the end."""

KAFKA_GROUPS: Final = 4
"""How many groups the tests on Apache Kafka form, and so how many brokers of 310 MB run at once at most: a judgement.

More groups would balance better on many cores and take more memory."""

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


def group_of(item: pytest.Item) -> str | None:
    """Name the group of tests that must share a process; None for a test that may run anywhere.

    Tests on Apache Kafka form a few groups, each with one broker.  Other tests stay with their file where it makes
    something costly for all of them: servers, trained networks, windows of a simulated day.
    """
    path = item.path.as_posix()
    if item.get_closest_marker("kafka"):
        return f"kafka-{zlib.crc32(path.encode()) % KAFKA_GROUPS}"
    if item.get_closest_marker("train"):
        return "train"
    shared = getattr(item, "_fixtureinfo").name2fixturedefs.values()  # noqa: B009 - private, and without a public twin
    here = any(made.scope == "module" for definitions in shared for made in definitions)
    return item.nodeid.partition("::")[0] if here else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put tests into groups before pytest-xdist looks at them, the slow ones first."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None and (group := group_of(item)):
            item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: not any(item.get_closest_marker(name) for name in SLOW_FIRST))


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
