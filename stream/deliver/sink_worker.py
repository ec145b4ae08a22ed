"""A courier: brings the alerts of a topic to one sink, with a receipt of every send on ``deliveries``.

What stands at the sink is rebuilt from the receipts at each start; an offset is committed when nothing before it waits
and all receipts are stored.  Where people would see a repetition, a send is announced by a receipt that is stored
before it, so a crash leaves one send in doubt, and the next process asks first.  A service that knows a repetition is
just told again.
"""

import logging
import random
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from alerts.delivery.queue import DeliveryQueue, Pending, SinkDecision, Taken
from alerts.delivery.rate_limit import RateLimiter
from alerts.delivery.redact_alerts import AlertRedactor
from alerts.delivery.synthetic_alert import SYNTHETIC_ID
from alerts.messages.alert import Alert
from alerts.messages.delivery_receipt import AlertPosition, DeliveryReceipt, SendState
from alerts.monitoring.metrics import Metrics
from alerts.routing.decision import Decision
from alerts.sinks.alertmanager import AlertmanagerSink
from alerts.sinks.base import (
    CHANGE,
    SYNTHETIC,
    Absent,
    Delivered,
    GivenUp,
    Outcome,
    Remote,
    Request,
    Retry,
    SendFailure,
    Sink,
    failed,
)
from alerts.sinks.http_transport import Transport
from models.errors import InvalidError
from stream.kafka.clients import TIMEOUT_S, Broker, retry_until_known, watermarks_of
from stream.kafka.errors import kafka_errors, translate
from stream.kafka.outbox import Outbox
from stream.kafka.reader import offsets_at, read_range
from stream.kafka.topic_specs import Topics

log = logging.getLogger(__name__)

POLL_S: Final = 0.2
TURN_S: Final = 0.25
"""For how long is sent before the topic is looked at again."""

PATIENCE_POLLS: Final = 25
"""Polls without a message after which what was announced is taken not to exist (an offset that holds none)."""

BATCH: Final = 500
RECEIPTS: Final = 100
"""On their way at once, at most."""

MILLIS: Final = 1000
_RESULTS: Final = {Delivered: "ok", Retry: "retry", GivenUp: "parked", Absent: "absent"}


@dataclass(frozen=True, slots=True)
class SinkWorkerConfig:
    """What the rules say of an alert, what of it may leave, limits in seconds, clocks and chance."""

    decide: Callable[[Alert], Decision] = lambda alert: Decision(alert.severity)
    outgoing: Callable[[Alert, Alert], Alert] = field(default_factory=AlertRedactor)
    timeout_s: float = 10.0
    give_up_s: float = 86_400.0
    history_s: float = 3600.0
    wall: Callable[[], float] = time.time
    steady: Callable[[], float] = time.monotonic
    chance: Callable[[], float] = random.random


@dataclass(frozen=True, slots=True)
class AlertSource:
    """A topic, and how its records are read as alerts (InvalidError for what is none)."""

    topic: str
    read: Callable[[bytes], Alert] = Alert.from_json


def group_of(topics: Topics, sink: str) -> str:
    """Return the consumer group of a sink."""
    return f"{topics.prefix}deliver.{sink}"


class SinkWorker:
    """One sink's worker; of several processes one works, because the topic has one partition, and others stand by."""

    def __init__(  # noqa: PLR0913 - one argument a part
        self, broker: Broker, topics: Topics, metrics: Metrics, sink: Sink, feed: AlertSource, config: SinkWorkerConfig
    ) -> None:
        self.sink = sink
        self._source = feed
        self._broker = broker
        self._topics = topics
        self._metrics = metrics
        self._config = config
        # Waiting for more receipts to go together only makes the next send late.
        self._outbox = Outbox(broker.producer(linger_ms=0), limit=RECEIPTS)
        self._limiter = RateLimiter(sink.rate, config.steady(), config.chance)
        self._queue: DeliveryQueue | None = None  # None while another process has the topic
        self._refreshed = 0.0
        self._closing = False
        self._empty_polls = 0
        self._catch_up_to: dict[int, int] = {}
        """Where the topic ended at the start: all before that is read before anything is sent, or an alert that had
        been passed over for a newer one could be sent behind it."""

    def run(self, stop: threading.Event) -> None:
        """Deliver until ``stop`` is set."""
        consumer = self._broker.consumer(group_of(self._topics, self.sink.name))
        consumer.subscribe([self._source.topic], on_assign=self._assigned, on_revoke=self._revoked)
        with Transport(self._config.timeout_s) as transport:
            try:
                while not stop.is_set():
                    self._read(consumer)
                    self._send(transport, stop)
                    self._refresh(transport)
                    self._commit(consumer)
                self._outbox.drain(TIMEOUT_S)
            finally:
                self._closing = True
                consumer.close()

    def _read(self, consumer: Consumer) -> None:
        # `consume` waits for its number of messages; `poll` returns with the first.
        first = consumer.poll(self._idle())
        if first is None:
            self._empty_polls += 1
            return
        self._empty_polls = 0
        for message in (first, *consumer.consume(BATCH, 0)):
            if message.error() is None and self._queue is not None:
                self._take(message, self._queue)
        self._gauges()

    def _idle(self) -> float:
        if self._queue is None or not self._queue.pending:
            return POLL_S
        now = self._config.steady()
        return min(max(self._queue.wait(now, POLL_S), self._limiter.wait(now)), POLL_S)

    def _take(self, message: Message, ledger: DeliveryQueue) -> None:
        name = self.sink.name
        self._metrics.delivery_alerts.labels(name).inc()
        place, offset = message.partition() or 0, message.offset() or 0
        if offset + 1 >= self._catch_up_to.get(place, 0):
            self._catch_up_to.pop(place, None)
        try:
            alert = self._source.read(message.value() or b"")
        except InvalidError as error:
            log.error("%s [%d] offset %d: %s", message.topic(), place, offset, error)  # noqa: TRY400 - it says all
            self._metrics.deliveries.labels(name, "invalid").inc()
            ledger.skip(place, offset)
            return
        # Rules are about incidents: a test alert proves the way to every sink, and a change is none.
        free = alert.kind in {SYNTHETIC, CHANGE}
        decision = Decision(alert.severity) if free else self._config.decide(alert)
        at = message.timestamp()[1] / MILLIS
        taken, covered = ledger.take(alert, place, offset, at, SinkDecision.by(decision, name))
        self._metrics.deliveries.labels(name, "superseded").inc(covered)
        if taken is not Taken.PENDING:
            self._metrics.deliveries.labels(name, taken.value).inc()

    def _send(self, transport: Transport, stop: threading.Event) -> None:
        if not self._knows_all():
            return
        until = self._config.steady() + TURN_S
        while self._queue is not None and not stop.is_set() and (now := self._config.steady()) < until:
            if self._limiter.wait(now) > 0 or (pending := self._queue.due(now)) is None:
                return
            self._step(transport, self._queue, pending)
            self._gauges()

    def _knows_all(self) -> bool:
        """Say whether all that stood on the topic at the start has been read."""
        return not self._catch_up_to or self._empty_polls >= PATIENCE_POLLS

    def _step(self, transport: Transport, ledger: DeliveryQueue, pending: Pending) -> None:
        """Do the next step of an alert, or first ask whether it has been done."""
        standing = ledger.standing(pending.alert.incident_id)
        request = self._render(pending, standing.remote)
        if request is None:
            self._settle(ledger, pending)
            return
        if standing.doubtful and request.dedup_check is not None:
            outcome = self._ask(transport, request.dedup_check, standing.remote)
            if isinstance(outcome, Absent | GivenUp):
                ledger.certain(pending)
                return
        else:
            if request.dedup_check is not None or request.remote_if_lost is not None:
                self._receipt(pending, SendState.SENDING, request.remote_if_lost or standing.remote)
            outcome = self._ask(transport, request, standing.remote)
        self._handle_outcome(ledger, pending, request, outcome)

    def _render(self, pending: Pending, remote: Remote) -> Request | None:
        """Return what to send next: the only place where a sink gets an alert, and it never gets a secret."""
        told = self._config.outgoing(pending.alert, pending.original)
        return self.sink.render(told, remote, self._config.wall())

    def _ask(self, transport: Transport, request: Request, remote: Remote) -> Outcome:
        self._limiter.take(self._config.steady())
        answer = transport.send(request)
        outcome = failed(answer) if isinstance(answer, SendFailure) else self.sink.classify(request, answer, remote)
        self._metrics.delivery_requests.labels(self.sink.name, _RESULTS[type(outcome)]).inc()
        if isinstance(outcome, Retry):
            if self._limiter.failures == 0:
                log.warning("%s: %s; it is tried again", self.sink.name, outcome.reason)
            self._limiter.failed(self._config.steady(), outcome.after)
        else:
            if self._limiter.failures:
                log.info("%s answers again after %d failures", self.sink.name, self._limiter.failures)
            self._limiter.worked()
        return outcome

    def _handle_outcome(self, ledger: DeliveryQueue, pending: Pending, request: Request, outcome: Outcome) -> None:
        """Draw the conclusions from an answer, and store the receipt."""
        incident, now = pending.alert.incident_id, self._config.wall()
        if isinstance(outcome, Delivered):
            ledger.step_done(pending, outcome.remote)
            if self._render(pending, outcome.remote) is None:
                self._receipt(pending, SendState.DELIVERED, outcome.remote)
                self._settle(ledger, pending)
            else:
                self._receipt(pending, SendState.STEP, outcome.remote)
        elif isinstance(outcome, Retry) and now - pending.at < self._config.give_up_s:
            steady, chance = self._config.steady(), self._config.chance()
            ledger.failed(pending, steady, chance, request.remote_if_lost, maybe_done=outcome.maybe_done)
            self._receipt(pending, SendState.RETRY, ledger.standing(incident).remote, outcome.reason)
        elif isinstance(outcome, Retry):
            reason = f"given up after {now - pending.at:.0f} s: {outcome.reason}"
            self._park(ledger, pending, GivenUp(reason, mendable=True))
        elif isinstance(outcome, GivenUp):
            self._park(ledger, pending, outcome)

    def _settle(self, ledger: DeliveryQueue, pending: Pending) -> None:
        name, now = self.sink.name, self._config.wall()
        ledger.delivered(pending)
        self._metrics.deliveries.labels(name, "delivered").inc()
        self._metrics.delivery_seconds.labels(name).observe(max(now - pending.at, 0.0))
        if pending.alert.kind == SYNTHETIC:
            self._metrics.synthetic_last_success.labels(name).set(now)

    def _park(self, ledger: DeliveryQueue, pending: Pending, outcome: GivenUp) -> None:
        incident = pending.alert.incident_id
        log.error("%s does not take %s: %s; see `tocsin doctor`", self.sink.name, incident, outcome.reason)
        remote = ledger.standing(incident).remote
        self._receipt(pending, SendState.PARKED, remote, outcome.reason, mendable=outcome.mendable)
        ledger.park(pending, outcome.reason)
        self._metrics.deliveries.labels(self.sink.name, "parked").inc()

    def _receipt(
        self, pending: Pending, sent: SendState, remote: Remote, reason: str = "", *, mendable: bool = False
    ) -> None:
        receipt = DeliveryReceipt(
            incident_id=pending.alert.incident_id,
            sink=self.sink.name,
            sent=sent,
            status=pending.alert.status.value,
            alert=AlertPosition(partition=pending.partition, offset=pending.offset, digest=pending.digest),
            attempt=pending.attempts + 1,
            at=self._config.wall(),
            reason=reason,
            mendable=mendable,
            covers=pending.superseded,
            remote=remote,
        )
        self._outbox.begin({})
        self._outbox.send(self._topics.deliveries, receipt.to_json(), receipt.incident_id.encode())
        self._outbox.end()
        if sent is SendState.SENDING:
            self._outbox.drain(TIMEOUT_S)
        else:
            self._outbox.delivered()

    def _refresh(self, transport: Transport) -> None:
        """Tell again what a service forgets; no receipt, because nothing changes there.

        Of an incident whose newer alert waits nothing is repeated: it may have been taken before an answer was lost or
        a process killed, and what is over would fire again.
        """
        if not isinstance(self.sink, AlertmanagerSink) or self._queue is None or not self._knows_all():
            return
        now = self._config.steady()
        if now - self._refreshed < self.sink.refresh_s or self._limiter.wait(now) > 0:
            return
        self._refreshed = now
        if (request := self.sink.refresh(self._queue.quiet, self._config.wall())) is not None:
            self._ask(transport, request, {})

    def _commit(self, consumer: Consumer) -> None:
        if self._queue is None or not (offsets := self._queue.commits()):
            return
        self._outbox.drain(TIMEOUT_S)
        commits = [TopicPartition(self._source.topic, place, offset) for place, offset in offsets.items()]
        try:
            consumer.commit(offsets=commits, asynchronous=False)
        except KafkaException as error:
            # The next commit takes this one's place.
            log.warning("%s", translate(error.args[0], f"commit what {self.sink.name} was told"))
        else:
            self._metrics.commits.labels("deliver").inc()

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        if self._closing:
            # An assignment that arrives while the consumer closes: it cannot answer questions any more.
            return
        self._queue = DeliveryQueue.restore(self._receipts())
        doing = f"find where {self.sink.name} was"
        known = retry_until_known(lambda: consumer.committed(partitions, timeout=TIMEOUT_S), doing)
        with kafka_errors(doing):
            found = {each.partition: each.offset for each in known}
            fresh = [place for place, offset in found.items() if offset < 0]
            if fresh:
                # Committed at once: a crash before the first delivery must not move the beginning.
                found |= self._beginning(fresh)
                begin = [TopicPartition(self._source.topic, place, found[place]) for place in fresh]
                consumer.commit(offsets=begin, asynchronous=False)
            for each in partitions:
                each.offset = min(found[each.partition], self._queue.again.get(each.partition, found[each.partition]))
            ends = {
                each.partition: watermarks_of(consumer, self._source.topic, each.partition)[1] for each in partitions
            }
            self._catch_up_to = {
                each.partition: end for each in partitions if (end := ends[each.partition]) > each.offset
            }
            consumer.assign(partitions)
        log.info("%s: %d incidents known", self.sink.name, len(self._queue.remotes))
        self._gauges()

    def _receipts(self) -> Iterable[DeliveryReceipt]:
        last = self._config.wall()
        mine = b'"sink":"%s"' % self.sink.name.encode()
        for record in read_range(self._broker, self._topics.deliveries):
            # The topic holds those of all sinks for a month: most need not be decoded.
            if mine not in (record.value or b""):
                continue
            try:
                receipt = DeliveryReceipt.from_json(record.value or b"")
            except InvalidError as error:
                log.warning("deliveries offset %d: %s", record.offset, error)
                continue
            if receipt.sink == self.sink.name:
                if receipt.incident_id == SYNTHETIC_ID and receipt.sent is SendState.DELIVERED:
                    last = receipt.at
                yield receipt
        if self._source.topic == self._topics.alerts:
            self._metrics.synthetic_last_success.labels(self.sink.name).set(last)

    def _beginning(self, places: Iterable[int]) -> dict[int, int]:
        """Return where a sink begins that has never been told anything: not with the alerts of a month."""
        since = int((self._config.wall() - self._config.history_s) * MILLIS)
        found = offsets_at(self._broker, self._source.topic, max(since, 0))
        return {place: found[place] for place in places}

    def _revoked(self, _: Consumer, __: list[TopicPartition]) -> None:
        # Who takes over reads them.
        self._outbox.drain(TIMEOUT_S)
        self._queue = None

    def _gauges(self) -> None:
        if self._queue is not None:
            self._metrics.delivery_pending.labels(self.sink.name).set(self._queue.pending)
            self._metrics.delivery_parked.labels(self.sink.name).set(self._queue.parked)
