"""Where the deliver role is tried: a broker with topics, servers that enforce the services' rules, and the role."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from prometheus_client import CollectorRegistry

from alerts.delivery.redact_alerts import AlertRedactor
from alerts.messages.alert import Alert
from alerts.messages.delivery_receipt import DeliveryReceipt, SendState
from alerts.monitoring.metrics import Metrics
from alerts.routing.decision import Decision
from alerts.sinks.alertmanager import AlertmanagerSink
from alerts.sinks.base import Sink
from alerts.sinks.file import FileSink
from alerts.sinks.pagerduty import PagerDutySink
from alerts.sinks.slack.bot import SlackSink
from alerts.sinks.webhook import WebhookSink
from stream.deliver.role import Deliver, DeliverConfig
from stream.deliver.sink_worker import SinkWorkerConfig
from stream.kafka.clients import Broker
from stream.kafka.reader import read_range
from stream.kafka.topic_specs import Topics
from tests.sink_servers import alertmanager, pagerduty, slack
from tests.sink_servers.alertmanager import Alertmanager, Receiver
from tests.sink_servers.pagerduty import PagerDuty
from tests.sink_servers.slack import Slack
from tests.waiting import PATIENCE_S, until

FAST = 10.0
"""Pauses between requests and after failures are real, but a tenth as long: couriers and services share one clock."""

HASTE_S = 1.0
"""How long an answer is waited for by who is to give up.  All else has time, as the machine may be busy."""


def fast() -> float:
    """Return the time of a clock that runs ahead, in seconds."""
    return FAST * time.monotonic()


@dataclass
class Place:
    """A broker with topics, every service, and the role to run on them."""

    broker: Broker
    topics: Topics
    folder: Path
    slack: Slack = field(default_factory=lambda: Slack(clock=fast, slow_s=0.3))
    pagerduty: PagerDuty = field(default_factory=lambda: PagerDuty(clock=fast))
    alertmanager: Alertmanager = field(default_factory=lambda: Alertmanager(clock=fast))
    receiver: Receiver = field(default_factory=lambda: Receiver(clock=fast))
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)

    @property
    def file(self) -> Path:
        """The file that alerts are appended to."""
        return self.folder / "alerts.jsonl"

    def sinks(self) -> tuple[Sink, ...]:
        """All sinks."""
        return (
            FileSink(str(self.file)),
            AlertmanagerSink(self.alertmanager.url, refresh_s=5.0),
            WebhookSink(self.receiver.url + "/hook", alertmanager.SECRET),
            PagerDutySink(pagerduty.KEY, self.pagerduty.url),
            SlackSink(slack.TOKEN, slack.CHANNEL, api=self.slack.api),
        )

    def send(self, *alerts: Alert) -> None:
        """Put alerts onto the topic."""
        producer = self.broker.producer()
        for alert in alerts:
            producer.produce(self.topics.alerts, alert.to_json(), alert.incident_id.encode())
        assert producer.flush(PATIENCE_S) == 0

    def receipts(self) -> list[DeliveryReceipt]:
        """All receipts."""
        return [
            DeliveryReceipt.from_json(record.value or b"") for record in read_range(self.broker, self.topics.deliveries)
        ]

    @contextmanager
    def running(
        self,
        *sinks: Sink,
        decide: Callable[[Alert], Decision] = lambda alert: Decision(alert.severity),
        synthetic_s: float = 0.0,
        receipt_key: str = "",
        timeout_s: float = PATIENCE_S,
    ) -> Iterator[None]:
        """Run the role while the context lasts; a failure of it fails the test."""
        self.registry = CollectorRegistry()
        outgoing = AlertRedactor(key=receipt_key)
        courier = SinkWorkerConfig(decide=decide, outgoing=outgoing, timeout_s=timeout_s, steady=fast)
        config = DeliverConfig(sinks or self.sinks(), courier, synthetic_s)
        role = Deliver(self.broker, self.topics, Metrics.on(self.registry), config)
        stop = threading.Event()
        failures: list[BaseException] = []

        def run() -> None:
            try:
                role.run(stop)
            except BaseException as error:  # noqa: BLE001 - told to the test below
                failures.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(PATIENCE_S)
            # Told first: whatever was waited for did not happen because of it.
            assert not failures, failures
        assert not thread.is_alive()

    def value(self, name: str, **labels: str) -> float:
        """A metric's value."""
        return self.registry.get_sample_value(name, labels) or 0.0

    def close(self) -> None:
        """Stop all services."""
        for service in (self.slack, self.pagerduty, self.alertmanager, self.receiver):
            service.close()


def settled(place: Place, sink: str, count: int) -> Callable[[], bool]:
    """Say whether so many alerts have receipts of their delivery at a sink."""
    return lambda: sum(r.sink == sink and r.sent is SendState.DELIVERED for r in place.receipts()) >= count


def everywhere(place: Place, count: int) -> None:
    """Wait until so many alerts have receipts of their delivery at every sink."""
    for sink in place.sinks():
        until(settled(place, sink.name, count))


def idle(place: Place, sink: str) -> bool:
    """Say whether nothing waits for a sink."""
    return place.value("tocsin_delivery_pending", sink=sink) == 0


def reconciles(place: Place, sink: str) -> bool:
    """Say whether all alerts that a sink read are accounted for."""
    outcomes = ("delivered", "superseded", "duplicate", "muted", "parked", "invalid")
    known = sum(place.value("tocsin_deliveries_total", sink=sink, outcome=outcome) for outcome in outcomes)
    return place.value("tocsin_delivery_alerts_total", sink=sink) == known + place.value(
        "tocsin_delivery_pending", sink=sink
    )
