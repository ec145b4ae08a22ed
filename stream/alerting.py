"""The alerts role: ``anomalies`` → incidents → ``alerts``.

The state lives in the compact topic ``incidents`` and is read from there at each start.  Alerts are sent before the
state that remembers them, and the offset is committed behind both: a crash repeats alerts, which carry the same
content, and loses none.  What people say on ``feedback`` is read from its begin at each start, and then as it comes.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from alerts.anomaly import Anomaly
from alerts.incidents import IncidentPolicy, Incidents, Step
from alerts.metrics import Metrics
from alerts.receipts import Signer
from models.errors import InvalidError
from stream.broker.clients import TIMEOUT_S, Broker
from stream.broker.errors import translate
from stream.broker.reading import read_range
from stream.feedback import FeedbackReader
from stream.outbox import Outbox
from stream.topics import Topics

log = logging.getLogger(__name__)

ROLE: Final = "alerts"
POLL_S: Final = 0.2
TICK_S: Final = 1.0
BATCH: Final = 500


def wall_clock() -> int:
    """Microseconds since the epoch."""
    return time.time_ns() // 1000


@dataclass(frozen=True, slots=True)
class AlertingConfig:
    """How incidents are made, and the clock (microseconds) that resolves quiet ones."""

    policy: IncidentPolicy = field(default_factory=IncidentPolicy)
    clock: Callable[[], int] = wall_clock
    signer: Signer = field(default_factory=lambda: Signer(""))
    """Puts receipts on the alerts."""


class Alerting:
    """One alerts worker; ``anomalies`` has one partition, so one works and others stand by."""

    def __init__(self, broker: Broker, topics: Topics, metrics: Metrics, config: AlertingConfig) -> None:
        self._broker = broker
        self._topics = topics
        self._metrics = metrics
        self._config = config
        self._outbox = Outbox(broker.producer())
        self._signer = config.signer
        self._feedback = FeedbackReader(broker, topics.feedback)
        self._incidents: Incidents | None = None  # None while another worker has the partition

    def run(self, stop: threading.Event) -> None:
        """Group anomalies until ``stop`` is set."""
        consumer = self._broker.consumer(f"{self._topics.prefix}{ROLE}")
        consumer.subscribe([self._topics.anomalies], on_assign=self._assigned, on_revoke=self._revoked)
        tick_at = time.monotonic()
        try:
            while not stop.is_set():
                self._take(consumer, consumer.consume(BATCH, POLL_S))
                self._hear()
                if time.monotonic() - tick_at >= TICK_S:
                    tick_at = time.monotonic()
                    self._tick()
            self._outbox.drain(TIMEOUT_S)
        finally:
            consumer.close()
            self._feedback.close()

    def _take(self, consumer: Consumer, messages: list[Message]) -> None:
        good = [message for message in messages if message.error() is None]
        if self._incidents is None or not good:
            return
        self._outbox.begin({})
        for message in good:
            try:
                window = Anomaly.from_json(message.value() or b"")
                self._signer.saw(message.value() or b"", message.offset() or 0)
            except InvalidError as error:
                place = f"{message.topic()} [{message.partition()}] offset {message.offset()}"
                log.error("%s: %s", place, error)  # noqa: TRY400 - the message says it all
                continue
            self._do(self._incidents.apply(window, self._config.clock()))
        self._outbox.end()
        self._outbox.drain(TIMEOUT_S)
        offsets = {message.partition() or 0: message.offset() or 0 for message in good}
        commits = [TopicPartition(self._topics.anomalies, p, offset + 1) for p, offset in offsets.items()]
        try:
            consumer.commit(offsets=commits, asynchronous=False)
        except KafkaException as error:
            log.warning("%s", translate(error.args[0], "commit what alerts has read"))
        else:
            self._metrics.commits.labels(ROLE).inc()

    def _hear(self) -> None:
        said = self._feedback.fresh() if self._incidents is not None else []
        if not said or self._incidents is None:
            return
        self._outbox.begin({})
        for each in said:
            self._metrics.feedback.labels(each.action.value).inc()
            self._do(self._incidents.heed(each, self._config.clock()))
        self._outbox.end()
        self._outbox.delivered()

    def _tick(self) -> None:
        if self._incidents is None:
            return
        self._outbox.begin({})
        self._do(self._incidents.tick(self._config.clock()))
        self._outbox.end()
        self._outbox.delivered()

    def _do(self, step: Step) -> None:
        for alert in map(self._signer.sign, step.alerts):
            self._outbox.send(self._topics.alerts, alert.to_json(), alert.incident_id.encode())
            self._metrics.alerts.labels(alert.status.value).inc()
        for name, incident in step.changed.items():
            if incident is not None and self._incidents is not None and (before := self._incidents.find(name)):
                self._metrics.hushed_windows.inc(max(0, incident.hushed - before.hushed))
            value = None if incident is None else incident.to_json()
            self._outbox.send(self._topics.incidents, value, name.encode())
        for name, record in step.learnt.items():
            self._outbox.send(self._topics.incidents, record, name.encode())
        self._incidents = step.incidents
        self._metrics.incidents_open.set(step.incidents.open)

    def _assigned(self, _: Consumer, __: list[TopicPartition]) -> None:
        records = read_range(self._broker, self._topics.incidents)
        pairs = (((record.key or b"").decode(), record.value or None) for record in records)
        now = self._config.clock()
        self._incidents = Incidents.restore(self._config.policy, pairs, now)
        self._outbox.begin({})
        self._do(self._incidents.recall(self._feedback.backlog(), now))
        self._outbox.end()
        log.info("alerts holds %d open incidents", self._incidents.open)

    def _revoked(self, _: Consumer, __: list[TopicPartition]) -> None:
        self._outbox.drain(TIMEOUT_S)
        self._feedback.close()
        self._incidents = None
