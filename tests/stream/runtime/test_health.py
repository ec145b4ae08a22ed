"""The roles of a process as its probes see them: assigned, standing by, cut off from the brokers, stuck."""

import asyncio
import socket
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from alerts.monitoring.health import STUCK_S, LoopHealth
from stream.kafka.clients import Broker
from stream.kafka.embedded import EmbeddedBroker
from stream.runtime.process import Process
from stream.runtime.roles import ROLES
from stream.settings import Settings
from stream.wiring.core import DEMO_BUNDLE
from tests.alerts.monitoring.test_health import Clock
from tests.waiting import until

pytestmark = [pytest.mark.slow]


def connect(broker: Broker, prefix: str, folder: Path, clock: Clock, **more: Any) -> Process:
    """Return a process with settings and a clock of its own, which writes alerts to a file."""
    settings = Settings(
        kafka_bootstrap_servers=broker.bootstrap,
        topic_prefix=prefix,
        bundle=DEMO_BUNDLE,
        alert_file=str(folder / "alerts.jsonl"),
        index_path=folder / "index",
        raw_partitions=1,
        events_partitions=1,
        llm_enabled=False,
        metrics_port=0,
        **more,
    )
    return replace(Process.connect(settings), health=LoopHealth(clock))


async def serve(process: Process, meanwhile: Callable[[], object], roles: Sequence[str] = ROLES) -> None:
    """Run roles while ``meanwhile`` does."""
    served = process.start(roles)
    try:
        await asyncio.to_thread(meanwhile)
    finally:
        served.stop()
        await served.wait()


def test_who_stands_by_is_ready(broker: Broker, unique: str, tmp_path: Path) -> None:
    """Two processes share topics of one partition: what stands by does not hold up a rollout."""
    clock = Clock()
    first, second = (connect(broker, unique, tmp_path / name, clock) for name in ("first", "second"))

    def watch() -> None:
        assert [line.split()[0] for line in first.health.waiting()] == sorted(ROLES)
        until(lambda: not first.health.waiting())

        def both() -> None:
            until(lambda: not second.health.waiting() and not first.health.waiting())
            clock.now += STUCK_S + 1
            until(lambda: not first.health.stuck() and not second.health.stuck())

        asyncio.run(serve(second, both))
        assert second.health.stuck() == second.health.waiting() == []

    asyncio.run(serve(first, watch))


def test_an_outage_of_the_brokers_stops_no_loop(embedded: EmbeddedBroker, unique: str, tmp_path: Path) -> None:
    """A restart would not bring them back: the process stays alive, and is ready again after it."""
    clock = Clock()
    process = connect(Broker(embedded.bootstrap), unique, tmp_path, clock)

    def watch() -> None:
        until(lambda: not process.health.waiting())
        embedded.set_down()
        try:
            for _ in range(3):
                clock.now += STUCK_S + 1
                until(lambda: not process.health.stuck())
        finally:
            embedded.set_up()
        until(lambda: not process.health.waiting())

    # Without detect: after an outage Faust's client needs a minute to stop.
    asyncio.run(serve(process, watch, ("ingest", "explain", "deliver")))


def test_a_sink_that_never_returns_is_stuck(embedded: EmbeddedBroker, unique: str, tmp_path: Path) -> None:
    """A receiver that takes a connection and says nothing holds the worker of its sink, and no other loop."""
    clock = Clock()
    with socket.create_server(("127.0.0.1", 0)) as receiver:
        hook = f"http://127.0.0.1:{receiver.getsockname()[1]}/"
        process = connect(Broker(embedded.bootstrap), unique, tmp_path, clock, webhook_url=hook, deliver_timeout_s=1e6)

        def watch() -> None:
            # The synthetic alert of the hour is what is sent.
            connection, _ = receiver.accept()
            until(lambda: not process.health.waiting())
            clock.now += STUCK_S + 1
            until(lambda: [line.split()[0] for line in process.health.stuck()] == ["deliver.webhook"])
            receiver.close()
            connection.close()
            until(lambda: not process.health.stuck())

        asyncio.run(serve(process, watch))
