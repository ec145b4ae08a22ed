"""Run the demo: everything in one process, on the embedded broker."""

import asyncio
import signal
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
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
from stream.demo.news import news_text
from stream.demo.receiver import CHANNEL, ROUTING_KEY, TOKEN, Receiver
from stream.demo.report import Episode, FaultLike, FaultWindow, PublishedAlert, false_alarms, rows, table
from stream.kafka.consumer_lag import ConsumerLag
from stream.kafka.embedded import EmbeddedBroker
from stream.kafka.reader import follow, read_range
from stream.runtime.process import Process
from stream.runtime.roles import ROLES
from stream.settings import Settings, load_settings
from stream.ui.start import site_of_topics
from stream.ui.web.server import serving
from stream.wiring.core import DEMO_BUNDLE, ingest_config, topic_specs

START: Final = datetime(2026, 3, 3, 9, 0, tzinfo=UTC)
"""A Tuesday morning.  It is fixed, so that the demo's lines are the same every time."""

PARTITIONS: Final = 2
"""A judgement: more than one, so that the demo shows how partitions are aligned."""

TICK_S: Final = 0.25
"""Seconds between two messages of the recorded clock; a judgement: ten simulated seconds at the default speed."""

SETTLE_S: Final = 20.0
"""How long the demo waits in the end for windows to close and alerts to be delivered.  A judgement."""

LOOK_INTERVAL_S: Final = 0.1
"""Between two looks at what the demo waits for."""


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """Simulated minutes, simulated seconds per second, and the seed of lines and faults."""

    minutes: float = 60.0
    speed: float = 40.0
    seed: int = 7


def settings_for(bootstrap: str, bundle: Path | None, metrics_port: int, receiver: str, folder: str) -> Settings:
    """Return the settings of the demo: alerts go to the address ``receiver``, the memory is in ``folder``."""
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


async def run_demo(
    options: DemoOptions, echo: Callable[[str], None], bundle: Path | None, metrics_port: int, *, ui: bool = False
) -> None:
    """Run the demo: print alerts as they are published, then a table of the faults and the alerts that name them.

    With ``ui`` the review page shows them meanwhile, and afterwards until SIGINT or SIGTERM.
    """
    simulator = _simulator()
    start = int(START.timestamp()) * SECOND
    scenario, faults = simulator(options.seed, START, options.minutes * 60)
    with ExitStack() as stack:
        embedded, receiver = stack.enter_context(EmbeddedBroker()), stack.enter_context(Receiver())
        folder = stack.enter_context(TemporaryDirectory(prefix="tocsin-demo-"))
        settings = settings_for(embedded.bootstrap, bundle, metrics_port, receiver.url, folder)
        for spec in topic_specs(settings):
            embedded.create_topic(spec.name, spec.partitions)
        if ui:
            page = stack.enter_context(serving(stack.enter_context(site_of_topics(settings)), port=settings.ui_port))
            echo(f"the review page is at {page.url}")
        process = Process.connect(settings)
        clock = SimulatedClock(start, options.speed, time.monotonic())
        halt = threading.Event()
        with process.metrics_served():
            ingest = replace(ingest_config(settings), speed=options.speed, tick_s=TICK_S)
            served = process.start(ROLES, ingest=ingest, clock=clock.now)
            working = asyncio.create_task(served.wait())
            news = asyncio.create_task(asyncio.to_thread(_print_news, process, echo, halt))
            sent = asyncio.create_task(asyncio.to_thread(_feed, process, scenario, clock, halt))
            try:
                await asyncio.wait((sent, working), return_when=asyncio.FIRST_COMPLETED)
                if not working.done():
                    await asyncio.to_thread(_settle, process)
            finally:
                halt.set()
                served.stop()
                await working
                await news
        lines = await sent
        alerts = _alerts(process)
        report = rows(faults, _windows(process), _published(alerts))
        wrong = false_alarms(faults, _episodes(alerts))
        seconds = time.monotonic() - clock.origin
        echo("")
        echo(table(report, wrong, _clock_text))
        for line in receiver.received.lines(time_text(time.time_ns() // 1000)):
            echo(line)
        echo(f"{lines:,} lines of {options.minutes:.0f} simulated minutes in {seconds:.0f} s")
        if ui:
            echo(f"the review page stays at {page.url}; end with Ctrl-C")
            await _signalled()


async def _signalled() -> None:
    """Wait for SIGINT or SIGTERM."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    await ended.wait()


def _simulator() -> Callable[..., tuple[Any, tuple[FaultLike, ...]]]:
    """Return the function that makes the demo's records; it is in another package, and found by its entry point."""
    for entry in entry_points(group="tocsin.sources", name="simulator"):
        loaded: Callable[..., tuple[Any, tuple[FaultLike, ...]]] = entry.load()
        return loaded
    raise FatalError("the simulator is not installed with this Tocsin", "install the project itself: pip install .")


def _feed(process: Process, records: Any, clock: SimulatedClock, halt: threading.Event) -> int:
    producer = process.broker.producer(linger_ms=5)
    with ConsumerLag(process.broker, f"{process.topics.prefix}ingest", process.topics.logs_raw) as backlog:
        return feed(records, producer, process.topics.logs_raw, clock, backlog, halt)


def _settle(process: Process) -> None:
    """Wait until the last windows are closed and delivered: the recorded clock goes on while no lines come."""
    deadline = time.monotonic() + SETTLE_S
    with ConsumerLag(process.broker, f"{process.topics.prefix}ingest", process.topics.logs_raw) as backlog:
        while time.monotonic() < deadline and max(backlog.per_partition().values()) > 0:
            time.sleep(LOOK_INTERVAL_S)
    while time.monotonic() < deadline and process.metrics.open_windows._value.get():  # noqa: SLF001 - no public getter
        time.sleep(LOOK_INTERVAL_S)

    # Slack is the slowest sink, and commits what it has accepted.
    with ConsumerLag(process.broker, group_of(process.topics, "slack"), process.topics.alerts) as backlog:
        while time.monotonic() < deadline and max(backlog.per_partition().values()) > 0:
            time.sleep(LOOK_INTERVAL_S)


def _print_news(process: Process, echo: Callable[[str], None], halt: threading.Event) -> None:
    for record in follow(process.broker, process.topics.alerts):
        if halt.is_set():
            return
        if record is not None:
            echo(news_text(orjson.loads(record.value or b"{}")))


def _windows(process: Process) -> list[FaultWindow]:
    windows = (orjson.loads(record.value or b"{}") for record in read_range(process.broker, process.topics.anomalies))
    return [FaultWindow(window["key"], _micros(window["end"])) for window in windows]


def _alerts(process: Process) -> list[dict[str, Any]]:
    return [orjson.loads(record.value or b"{}") for record in read_range(process.broker, process.topics.alerts)]


def _published(alerts: Iterable[Mapping[str, Any]]) -> list[PublishedAlert]:
    return [
        PublishedAlert(
            alert["incident_id"],
            escape_control(alert["summary"]),
            _micros(alert["updated"]),
            alert["status"] == "resolved",
        )
        for alert in alerts
    ]


def _episodes(alerts: Iterable[Mapping[str, Any]]) -> list[Episode]:
    """Return the incidents, each with the span of its windows, as the alerts report it."""
    episodes: dict[str, Episode] = {}
    for alert in alerts:
        name, services = alert["incident_id"], tuple(alert["services"])
        if alert["status"] == "firing":
            first = episodes[name].first if name in episodes else _micros(alert["started"])
            episodes[name] = Episode(name, services, first, _micros(alert["updated"]))
    return list(episodes.values())


def _micros(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * SECOND)


def _clock_text(micros: int) -> str:
    return datetime.fromtimestamp(micros / SECOND, UTC).strftime("%H:%M:%S")


def echo_line(line: str) -> None:
    """Print one line at once."""
    click.echo(line)
