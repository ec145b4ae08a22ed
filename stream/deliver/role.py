"""The deliver role: a worker for each sink, one for changes, the test alert, and the endpoint for votes.

Each sink is a consumer group of its own in a thread of its own: the topic is the outbox, and a sink that is slow or
away holds up no other.
"""

import logging
import ssl
import threading
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Final

from alerts.delivery.synthetic_alert import synthetic
from alerts.messages.feedback import Feedback
from alerts.monitoring.metrics import Metrics
from alerts.sinks.base import Feed, Sink
from stream.deliver.sink_worker import AlertSource, SinkWorker, SinkWorkerConfig
from stream.deliver.votes_server import VotesServer
from stream.kafka.clients import TIMEOUT_S, Broker
from stream.kafka.outbox import Outbox
from stream.kafka.topic_specs import Topics
from stream.topics.changes import Announcement

log = logging.getLogger(__name__)

ROLE: Final = "deliver"
LOOK_S: Final = 0.5
"""Seconds between two looks whether to stop, or to send a test alert: a judgement."""

NONE_SET: Final = (
    "no sink is set; set TOCSIN_SLACK_TOKEN and TOCSIN_SLACK_CHANNEL, TOCSIN_SLACK_URL, TOCSIN_PAGERDUTY_ROUTING_KEY, "
    "TOCSIN_ALERTMANAGER_URL, TOCSIN_WEBHOOK_URL or TOCSIN_ALERT_FILE"
)


@dataclass(frozen=True, slots=True)
class VotesConfig:
    """Where clicks on buttons come in, the secret that Slack signs them with, and the certificate that is shown."""

    host: str
    port: int
    secret: str = field(repr=False)
    tls: ssl.SSLContext | None = None


@dataclass(frozen=True, slots=True)
class DeliverConfig:
    """The sinks, how they are served, and the seconds between test alerts (0: none)."""

    sinks: Sequence[Sink] = ()
    worker: SinkWorkerConfig = field(default_factory=SinkWorkerConfig)
    synthetic_every_s: float = 3600.0
    votes: VotesConfig | None = None


def alert_sources(topics: Topics, sinks: Iterable[Sink]) -> tuple[tuple[Sink, AlertSource], ...]:
    """Return every sink with the topic that it is sent; one that takes two topics is two sinks."""
    sources = {
        Feed.ALERTS: AlertSource(topics.alerts),
        Feed.CHANGES: AlertSource(topics.changes, lambda value: Announcement.from_json(value).to_alert()),
    }
    return tuple((member, sources[feed]) for sink in sinks for feed, member in sink.feeds().items())


class Deliver:
    """All workers of a process; when one fails, all stop and the failure is raised."""

    def __init__(self, broker: Broker, topics: Topics, metrics: Metrics, config: DeliverConfig) -> None:
        self._broker = broker
        self._topics = topics
        self._metrics = metrics
        self._config = config
        self._halt = threading.Event()
        self._failures: list[Exception] = []
        self._slot = ""

    def run(self, stop: threading.Event) -> None:
        """Deliver until ``stop`` is set; without a sink, wait for it."""
        if not self._config.sinks:
            log.warning("nothing is delivered: %s", NONE_SET)
            self._config.worker.health.ready(ROLE)
            stop.wait()
            return
        with self._votes():
            pairs = alert_sources(self._topics, self._config.sinks)
            for sink, _ in pairs:
                self._config.worker.health.waits(f"{ROLE}.{sink.name}")
            self._config.worker.health.ready(ROLE)
            threads = [threading.Thread(target=self._serve, args=pair) for pair in pairs]
            for thread in threads:
                thread.start()
            try:
                outbox = Outbox(self._broker.producer())
                while not self._halt.is_set() and not stop.wait(LOOK_S):
                    self._send_synthetic(outbox)
            finally:
                self._halt.set()
                for thread in threads:
                    thread.join()
        if self._failures:
            raise self._failures[0]

    def _serve(self, sink: Sink, source: AlertSource) -> None:
        try:
            SinkWorker(self._broker, self._topics, self._metrics, sink, source, self._config.worker).run(self._halt)
        except Exception as error:  # noqa: BLE001 - it is raised where the thread is waited for
            self._failures.append(error)
            self._halt.set()

    def _send_synthetic(self, outbox: Outbox) -> None:
        """Send the test alert of this hour, once; that of another process is equal, and taken for a duplicate."""
        if not (every := self._config.synthetic_every_s):
            return
        alert = synthetic(self._config.worker.wall(), every)
        if alert.windows[0] == self._slot:
            return
        self._slot = alert.windows[0]
        outbox.begin({})
        outbox.send(self._topics.alerts, alert.to_json(), alert.incident_id.encode())
        outbox.end()
        outbox.drain(TIMEOUT_S)

    def _votes(self) -> AbstractContextManager[object]:
        wanted = self._config.votes
        if wanted is None:
            return nullcontext()
        outbox, lock = Outbox(self._broker.producer(linger_ms=0)), threading.Lock()

        def record(feedback: Feedback) -> None:
            with lock:
                outbox.begin({})
                outbox.send(self._topics.feedback, feedback.to_json(), feedback.key.encode())
                outbox.end()
                outbox.drain(TIMEOUT_S)

        clock = self._config.worker.wall
        return VotesServer(wanted.host, wanted.port, wanted.secret, record, self._metrics, clock, wanted.tls)
