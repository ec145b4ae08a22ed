"""Run the demo: everything in one process, on the embedded broker."""

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import entry_points
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import click
import orjson

from index.text.sanitize import escape_control
from models.errors import FatalError
from models.rfc3339 import SECOND, time_text
from stream.deliver.sink_worker import group_of
from stream.demo.feed import SimulatedClock, feed
from stream.demo.receiver import CHANNEL, ROUTING_KEY, TOKEN, Receiver
from stream.demo.report import Episode, FaultLike, FoundWindow, false_alarms, rows, table
from stream.kafka.consumer_lag import ConsumerLag
from stream.kafka.embedded import EmbeddedBroker
from stream.kafka.reader import follow, read_range
from stream.runtime.process import Process
from stream.runtime.roles import ROLES
from stream.settings import Settings, load_settings
from stream.wiring.core import DEMO_BUNDLE, ingest_config, topic_specs

START: Final = datetime(2026, 3, 3, 9, 0, tzinfo=UTC)
"""A Tuesday morning: the demo's lines are the same every time."""

PARTITIONS: Final = 2
TICK_S: Final = 0.25
SETTLE_S: Final = 20.0
WIDE: Final = 140
PROOF: Final = 2
"""Lines and next steps that the demo prints of a diagnosis."""


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """How long, how fast, and which lines."""

    minutes: float = 60.0
    speed: float = 40.0
    seed: int = 7


def settings_for(bootstrap: str, bundle: Path | None, metrics_port: int, receiver: str, folder: str) -> Settings:
    """The settings of the demo; ``receiver`` is the address that alerts are delivered to, ``folder`` for the memory."""
    return load_settings(
        index_path=Path(folder),
        kafka_bootstrap_servers=bootstrap,
        raw_partitions=PARTITIONS,
        events_partitions=PARTITIONS,
        bundle=bundle or DEMO_BUNDLE,
        metrics_port=metrics_port,
        batch_seconds=0.1,
        log_level="warning",
        slack_token=TOKEN,
        slack_channel=CHANNEL,
        slack_api_url=f"{receiver}/api",
        pagerduty_url=receiver,
        pagerduty_routing_key=ROUTING_KEY,
        alertmanager_url=receiver,
        synthetic_every_s=0,
    )


async def run_demo(options: DemoOptions, echo: Callable[[str], None], bundle: Path | None, metrics_port: int) -> None:
    """Run it, print what is found as it is found, and end with a table of faults against findings."""
    simulator = _simulator()
    start = int(START.timestamp()) * SECOND
    scenario, faults = simulator(options.seed, START, options.minutes * 60)
    with EmbeddedBroker() as embedded, Receiver() as receiver, TemporaryDirectory(prefix="tocsin-demo-") as folder:
        settings = settings_for(embedded.bootstrap, bundle, metrics_port, receiver.url, folder)
        for spec in topic_specs(settings):
            embedded.create_topic(spec.name, spec.partitions)
        cloud = Process.connect(settings)
        clock = SimulatedClock(start, options.speed, time.monotonic())
        halt = threading.Event()
        with cloud.metrics_served():
            ingest = replace(ingest_config(settings), speed=options.speed, tick_s=TICK_S)
            running = cloud.start(ROLES, ingest=ingest, clock=clock.now)
            working = asyncio.create_task(running.wait())
            news = asyncio.create_task(asyncio.to_thread(_print_news, cloud, echo, halt))
            sent = asyncio.create_task(asyncio.to_thread(_feed, cloud, scenario, clock, halt))
            try:
                await asyncio.wait((sent, working), return_when=asyncio.FIRST_COMPLETED)
                if not working.done():
                    await asyncio.to_thread(_settle, cloud)
            finally:
                halt.set()
                running.stop()
                await working
                await news
        lines = await sent
        found = rows(faults, _windows(cloud))
        wrong = false_alarms(faults, _episodes(cloud))
    seconds = time.monotonic() - clock.origin
    echo("")
    echo(table(found, wrong, _text))
    for line in receiver.received.lines(time_text(time.time_ns() // 1000)):
        echo(line)
    echo(f"{lines:,} lines of {options.minutes:.0f} simulated minutes in {seconds:.0f} s")


def _simulator() -> Callable[..., tuple[Any, tuple[FaultLike, ...]]]:
    """The function that makes the demo's records; it lives outside this package and joins by its entry point."""
    for entry in entry_points(group="tocsin.sources", name="simulator"):
        loaded: Callable[..., tuple[Any, tuple[FaultLike, ...]]] = entry.load()
        return loaded
    raise FatalError("the simulator is not installed with this Tocsin", "install the project itself: pip install .")


def _feed(cloud: Process, records: Any, clock: SimulatedClock, halt: threading.Event) -> int:
    producer = cloud.broker.producer(linger_ms=5)
    with ConsumerLag(cloud.broker, f"{cloud.topics.prefix}ingest", cloud.topics.logs_raw) as backlog:
        return feed(records, producer, cloud.topics.logs_raw, clock, backlog, halt)


def _settle(cloud: Process) -> None:
    """Give the last windows time to close: the recorded clock goes on while nothing comes."""
    deadline = time.monotonic() + SETTLE_S
    with ConsumerLag(cloud.broker, f"{cloud.topics.prefix}ingest", cloud.topics.logs_raw) as backlog:
        while time.monotonic() < deadline and max(backlog.per_partition().values()) > 0:
            time.sleep(0.1)
    while time.monotonic() < deadline and cloud.metrics.open_windows._value.get():  # noqa: SLF001 - no public getter
        time.sleep(0.1)

    # Slack is the slowest, and commits what it was told.
    with ConsumerLag(cloud.broker, group_of(cloud.topics, "slack"), cloud.topics.alerts) as backlog:
        while time.monotonic() < deadline and max(backlog.per_partition().values()) > 0:
            time.sleep(0.1)


def _print_news(cloud: Process, echo: Callable[[str], None], halt: threading.Event) -> None:
    for record in follow(cloud.broker, cloud.topics.alerts):
        if halt.is_set():
            return
        if record is not None:
            echo(_news(orjson.loads(record.value or b"{}")))


def _news(alert: Mapping[str, Any]) -> str:
    stamp = alert["updated"][11:19]
    head = f"{stamp}  {alert['status']:<9} {alert['severity']:<8} "
    diagnosis = alert["diagnosis"]
    if alert["status"] != "enriched" or not diagnosis:
        return f"{head}{alert['summary']}"
    lines = [f"{head}{escape_control(diagnosis['summary'])}"]
    lines.append(f"{'':10}cause  {escape_control(diagnosis['cause'])} (confidence {diagnosis['confidence']:.2f})")
    lines += [
        f"{'':10}proof  {line['source']}[{line['partition']}]@{line['line']} {escape_control(line['text'])[:WIDE]}"
        for line in diagnosis["evidence"][:PROOF]
    ]
    lines += [f"{'':10}do     {escape_control(action)}" for action in diagnosis["actions"][:PROOF]]
    return "\n".join(lines)


def _windows(cloud: Process) -> list[FoundWindow]:
    out = []
    for record in read_range(cloud.broker, cloud.topics.anomalies):
        window = orjson.loads(record.value or b"{}")
        out.append(FoundWindow(window["key"], _micros(window["end"]), window["importance"]))
    return out


def _episodes(cloud: Process) -> list[Episode]:
    """The incidents, each with the span of its windows, as the alerts tell it."""
    found: dict[str, Episode] = {}
    for record in read_range(cloud.broker, cloud.topics.alerts):
        alert = orjson.loads(record.value or b"{}")
        name, services = alert["incident_id"], tuple(alert["services"])
        if alert["status"] == "firing":
            first = found[name].first if name in found else _micros(alert["started"])
            found[name] = Episode(name, services, first, _micros(alert["updated"]))
    return list(found.values())


def _micros(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * SECOND)


def _text(micros: int) -> str:
    return datetime.fromtimestamp(micros / SECOND, UTC).strftime("%H:%M:%S")


def echo_line(line: str) -> None:
    """Print one line at once."""
    click.echo(line)
