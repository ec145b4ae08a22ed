"""What a process says of its health, from what its loops said."""

import urllib.error
import urllib.request

import pytest
from prometheus_client import CollectorRegistry

from alerts.monitoring.health import STUCK_S, LoopHealth
from alerts.monitoring.metrics import Metrics
from alerts.monitoring.metrics_server import serve_metrics


class Clock:
    """Seconds, as far as a test has moved them."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Give each test a clock of its own."""
    return Clock()


def test_a_loop_that_does_not_go_on_is_stuck(clock: Clock) -> None:
    """Each loop by itself: what the others do does not excuse it."""
    health = LoopHealth(clock)
    health.turned("ingest")
    health.turned("explain")
    clock.now += STUCK_S
    assert health.stuck() == []
    health.turned("ingest")
    clock.now += 1
    assert health.stuck() == ["explain has not gone on for 301 s"]
    health.turned("explain")
    assert health.stuck() == []


def test_work_must_end_and_rest_need_not(clock: Clock) -> None:
    """A loop that waits for work may do so for days."""
    health = LoopHealth(clock)
    with health.working("detect.frames"):
        clock.now += STUCK_S + 1
        assert health.stuck() == ["detect.frames has not gone on for 301 s"]
    clock.now += 86_400
    assert health.stuck() == []


def test_a_role_is_ready_when_all_its_loops_are(clock: Clock) -> None:
    """Reasons are told until the last is gone."""
    health = LoopHealth(clock)
    health.waits("deliver.slack")
    health.waits("ingest", "it reads the index")
    assert health.waiting() == [
        "deliver.slack is not ready: it has no assignment yet",
        "ingest is not ready: it reads the index",
    ]
    health.ready("ingest")
    health.ready("deliver.slack")
    assert health.waiting() == []


def test_a_role_that_has_returned_is_asked_for_nothing(clock: Clock) -> None:
    """While the others drain, its silence is no reason to be killed; another role's loops stay."""
    health = LoopHealth(clock)
    for loop in ("deliver", "deliver.slack", "delivered"):
        health.turned(loop)
        health.waits(loop)
    health.ended("deliver")
    clock.now += STUCK_S + 1
    assert health.stuck() == ["delivered has not gone on for 301 s"]
    assert len(health.waiting()) == 1


def answer(port: int, path: str) -> tuple[int, str]:
    """Return status and body."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}") as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_probes_are_answered_beside_the_metrics(clock: Clock) -> None:
    """200 and ok, or 503 and why; what Prometheus scrapes stays where it was."""
    health, registry = LoopHealth(clock), CollectorRegistry()
    Metrics.on(registry)
    server = serve_metrics(registry, 0, "127.0.0.1", health)
    try:
        assert answer(server.port, "/healthz") == (200, "ok\n")
        assert answer(server.port, "/readyz") == (200, "ok\n")
        health.turned("ingest")
        health.waits("ingest")
        clock.now += STUCK_S + 1
        assert answer(server.port, "/healthz") == (503, "ingest has not gone on for 301 s\n")
        assert answer(server.port, "/readyz") == (503, "ingest is not ready: it has no assignment yet\n")
        assert "tocsin_lines_total" in answer(server.port, "/metrics")[1]
    finally:
        server.stop()
